"""What it costs to ask who calls: one unary call and one hand-off, with and without authentication."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telecine import Client

from benchmarks.clips import TINY, Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory
from benchmarks.measure import Figures, Finding, Measured, interleaved
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_VERYFAST
from benchmarks.server import running_server
from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope

_CALLS = 500


def measure(context: Context) -> list[Finding]:
    """Two services side by side, of which one asks for an API key; calls and clips go to them in turns."""
    clip = decoded(context.hd, "yuv420p")
    with temporary_directory() as directory, _asking(directory) as asking, _open() as open_to_all:
        contenders = {"asks": asking, "open": open_to_all}
        calls = interleaved(
            {name: lambda client=client: _calls(client) for name, client in contenders.items()},
            context.rounds,
        )
        clips = interleaved(
            {
                name: lambda client=client: _hand_off(client, clip, directory)
                for name, client in contenders.items()
            },
            context.rounds,
        )
    megabytes = clip.shape.frame_count * clip.frame_bytes / 1e6
    return [
        _finding("one unary call", f"ListJobs, {_CALLS} in a row", calls, 1000, "ms"),
        _finding("hand-off", f"{clip.shape.name}, {megabytes:.0f} MB", clips, 1, "s"),
    ]


def _finding(figure: str, case: str, measured: dict[str, Measured], scale: float, unit: str) -> Finding:
    asks, without = (measured[name].median("seconds") for name in ("asks", "open"))
    spread = max(measured["asks"].spread("seconds"), measured["open"].spread("seconds"))
    return Finding(
        f"asking who calls: {figure}",
        case,
        ours=f"{asks * scale:.3f} {unit}",
        against=f"{without * scale:.3f} {unit}",
        ratio=f"{asks / without:.2f} x",
        target="within the spread",
        is_reached=asks / without - 1 <= spread,
        note=f"with an API key against without; spread {spread:.0%}",
    )


@contextmanager
def _open() -> Iterator[Client]:
    with running_server() as server, Client(server.address) as client:
        _warm(client)
        yield client


@contextmanager
def _asking(directory: Path) -> Iterator[Client]:
    keys_file = directory / "keys.json"
    now = datetime.datetime.now(datetime.UTC)
    key, stored = new_key("bench", "default", (Scope.ENCODE, Scope.READ), created_at=now)
    write_keys(keys_file, (stored,))
    settings = {"host.auth.keys_file": str(keys_file)}
    with running_server(settings) as server, Client(server.address, token=key) as client:
        _warm(client)
        yield client


def _warm(client: Client) -> None:
    with temporary_directory() as out:
        client.capabilities()
        for _ in range(2):
            encode(client, decoded(TINY, "yuv420p"), [video_output(H264_VERYFAST)], out, FPS)


def _calls(client: Client) -> Figures:
    begin = time.perf_counter()
    for _ in range(_CALLS):
        next(client.jobs(page_size=1), None)
    return {"seconds": (time.perf_counter() - begin) / _CALLS}


def _hand_off(client: Client, clip: Clip, directory: Path) -> Figures:
    times = encode(client, clip, [video_output(H264_VERYFAST)], directory / "out", FPS)
    return {"seconds": times.hand_off_seconds}
