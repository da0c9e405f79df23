"""What every row may use: the clips at hand, how often to measure, a place for files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from telecine import Client

from benchmarks.clips import HD, MODEL, TINY, Clip, Shape, decoded
from benchmarks.measure import Finding
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_VERYFAST
from benchmarks.server import Server, running_server

FPS = 24


@dataclass(frozen=True, slots=True)
class Context:
    """How to measure."""

    rounds: int
    """How often each contender runs."""
    seconds_scale: float
    """Lengths of the long clips are multiplied by it: 1, or less to try the benchmarks out."""
    hd: Shape
    model: Shape

    def clips(self, pixel_format: str) -> tuple[Clip, Clip]:
        """The real clip and the model's clip."""
        return decoded(self.hd, pixel_format), decoded(self.model, pixel_format)

    def records(self, count: int) -> int:
        """So many log records, or fewer to try the benchmarks out."""
        return max(30_000, round(count * self.seconds_scale))

    def frame_count(self, seconds: float) -> int:
        """Frames of a clip that long."""
        return max(4, round(seconds * self.seconds_scale * FPS))


REAL = Context(rounds=5, seconds_scale=1.0, hd=HD, model=MODEL)
QUICK = Context(rounds=1, seconds_scale=0.02, hd=TINY, model=TINY)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of promises; may yield several findings."""

    name: str
    """On the command line."""
    what: str
    measure: Callable[[Context], list[Finding]]


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory for artifacts that is removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="telecine-bench-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def warm_service(settings: dict[str, str] | None = None) -> Iterator[tuple[Server, Client]]:
    """A running service whose workers have encoded before, and whose encoders are probed."""
    with running_server(settings) as server, Client(server.address) as client, temporary_directory() as out:
        client.capabilities()
        for _ in range(2):
            encode(client, decoded(TINY, "yuv420p"), [video_output(H264_VERYFAST)], out, FPS)
        yield server, client
