"""Eight clients at once against one with the same number of frames."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_FAST

_CLIENTS = 8
_AT_LEAST = 0.9


def measure(context: Context) -> list[Finding]:
    """Aggregate frames per second, upload and download included."""
    clip = decoded(context.model, "yuv420p")
    frames = _CLIENTS * clip.shape.frame_count
    with warm_service() as (server, _), temporary_directory() as directory:
        measured = interleaved(
            {
                "one client": lambda: _one(server.address, clip, directory, frames),
                "eight clients": lambda: _eight(server.address, clip, directory),
            },
            min(context.rounds, 3),
        )
    one = frames / measured["one client"].median("seconds")
    eight = frames / measured["eight clients"].median("seconds")
    return [
        Finding(
            f"{_CLIENTS} clients at once",
            f"{clip.shape.name}, {clip.shape.frame_count} frames each, yuv420p",
            ours=f"{eight:.1f} fps",
            against=f"{one:.1f} fps",
            ratio=f"{eight / one:.2f} x",
            target=f">= {_AT_LEAST:g} x",
            is_reached=eight / one >= _AT_LEAST,
            note=f"against one client with one clip of {frames} frames",
        )
    ]


def _one(address: str, clip: Clip, directory: Path, frames: int) -> Figures:
    with Client(address) as client:
        begin = time.perf_counter()
        encode(client, clip, [video_output(H264_FAST)], directory / "one", FPS, count=frames)
        return {"seconds": time.perf_counter() - begin}


def _eight(address: str, clip: Clip, directory: Path) -> Figures:
    clients = [Client(address) for _ in range(_CLIENTS)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        running = [
            pool.submit(encode, client, clip, [video_output(H264_FAST)], directory / str(number), FPS)
            for number, client in enumerate(clients)
        ]
        for each in running:
            each.result()
    seconds = time.perf_counter() - begin
    for client in clients:
        client.close()
    return {"seconds": seconds}
