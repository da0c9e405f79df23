"""Last frame to finished artifact, when frames arrive as fast as they are shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_VERYFAST

_SHORT_SECONDS, _LONG_SECONDS = 10, 60
_AT_MOST_SECONDS = 1.0
_EQUAL_WITHIN = 0.20


def measure(context: Context) -> list[Finding]:
    """A clip of 10 s and one of 60 s, in turn."""
    clip = decoded(context.hd, "yuv420p")
    with warm_service() as (_, client), temporary_directory() as directory:
        measured = interleaved(
            {
                f"{seconds} s": lambda seconds=seconds: _tail(
                    client, clip, directory, context.frame_count(seconds)
                )
                for seconds in (_SHORT_SECONDS, _LONG_SECONDS)
            },
            min(context.rounds, 2),
        )
    short = measured[f"{_SHORT_SECONDS} s"].median("seconds")
    long = measured[f"{_LONG_SECONDS} s"].median("seconds")
    return [_bounded(clip, long), _equal(clip, short, long)]


def _tail(client: Client, clip: Clip, directory: Path, count: int) -> Figures:
    sent_at: list[float] = []
    encode(
        client,
        clip,
        [video_output(H264_VERYFAST)],
        directory / "ours",
        FPS,
        frames=_in_real_time(clip, count, sent_at),
    )
    return {"seconds": time.perf_counter() - sent_at[-1]}


def _in_real_time(clip: Clip, count: int, sent_at: list[float]) -> Iterator[memoryview]:
    begin = time.perf_counter()
    for index, frame in enumerate(clip.frames(count)):
        delay = begin + index / FPS - time.perf_counter()
        if delay > 0:
            time.sleep(delay)
        sent_at[:] = [time.perf_counter()]
        yield frame


def _bounded(clip: Clip, long: float) -> Finding:
    return Finding(
        "last frame → artifact",
        f"{clip.shape.name} at {FPS} fps, {_LONG_SECONDS} s",
        ours=f"{long:.3f} s",
        against="",
        ratio="",
        target=f"< {_AT_MOST_SECONDS:g} s",
        is_reached=long < _AT_MOST_SECONDS,
        note="until the verified artifact lies on the client's disk; preset veryfast",
    )


def _equal(clip: Clip, short: float, long: float) -> Finding:
    return Finding(
        "last frame → artifact",
        f"{clip.shape.name}, {_SHORT_SECONDS} s against {_LONG_SECONDS} s",
        ours=f"{short:.3f} s",
        against=f"{long:.3f} s",
        ratio=f"{long / short:.2f} x",
        target=f"equal within {_EQUAL_WITHIN:.0%}",
        is_reached=abs(long / short - 1) <= _EQUAL_WITHIN,
    )
