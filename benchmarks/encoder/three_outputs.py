"""MP4 + WebM + WebP from one upload, against the three made one after the other."""

from __future__ import annotations

from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved, times_faster
from benchmarks.ours import encode, video_output, webp_output
from benchmarks.peers import H264_FAST, VP9_GOOD, one_after_the_other

_TARGET = 1.8


def measure(context: Context) -> list[Finding]:
    """The model's clip and the real one, from rgb24."""
    with warm_service() as (_, client), temporary_directory() as directory:
        return [
            _compare(context, client, decoded(shape, "rgb24"), directory)
            for shape in (context.model, context.hd)
        ]


def _compare(context: Context, client: Client, clip: Clip, directory: Path) -> Finding:
    measured = interleaved(
        {
            "telecine": lambda: _ours(client, clip, directory),
            "one after the other": lambda: {"seconds": one_after_the_other(clip, directory, FPS)},
        },
        min(context.rounds, 2),
    )
    ours = measured["telecine"]
    case = f"{clip.shape.name}, {clip.shape.frame_count} frames"
    note = f"free after {ours.median('free_seconds'):.2f} s"
    peer = measured["one after the other"].median("seconds")
    return times_faster("MP4 + WebM + WebP", case, ours.median("seconds"), peer, _TARGET, note=note)


def _ours(client: Client, clip: Clip, directory: Path) -> Figures:
    outputs = [video_output(H264_FAST), video_output(VP9_GOOD), webp_output()]
    times = encode(client, clip, outputs, directory / "ours", FPS)
    return {"seconds": times.total_seconds, "free_seconds": times.hand_off_seconds}
