"""What an attempt costs besides its frames: a process of its own, its walls, its pipes."""

from __future__ import annotations

import time
from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, TINY, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_FAST
from benchmarks.server import Server

_JOBS = 20


def measure(context: Context) -> list[Finding]:
    """Clips so small that encoding them is next to nothing, one after the other."""
    clip = decoded(TINY, "yuv420p")
    with warm_service() as (server, client), temporary_directory() as directory:
        measured = interleaved(
            {"telecine": lambda: _run(server, client, clip, directory)}, min(context.rounds, 5)
        )["telecine"]
    outside = measured.median("cpu") - measured.median("attempt")
    return [
        Finding(
            "cost of an attempt",
            f"{clip.shape.name}, {clip.shape.frame_count} frames, MP4",
            ours=f"{measured.median('seconds') * 1000:.0f} ms a job",
            against="",
            ratio="",
            target="",
            is_reached=None,
            note=f"worker CPU {measured.median('cpu') * 1000:.0f} ms, of which {outside * 1000:.0f} ms "
            "outside the attempt: the fork and the walls",
        )
    ]


def _run(server: Server, client: Client, clip: Clip, directory: Path) -> Figures:
    begin = time.perf_counter()
    _, workers = server.cpu_seconds()
    attempts = 0.0
    for _ in range(_JOBS):
        times = encode(client, clip, [video_output(H264_FAST)], directory, FPS)
        attempts += float(times.manifest["resources"]["cpu_seconds"])
    _, workers_after = server.cpu_seconds()
    return {
        "seconds": (time.perf_counter() - begin) / _JOBS,
        "cpu": (workers_after - workers) / _JOBS,
        "attempt": attempts / _JOBS,
    }
