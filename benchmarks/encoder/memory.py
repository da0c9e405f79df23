"""Memory of the service for a short and a long clip; a fresh service for each."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.clips import decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, Measured, interleaved
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_VERYFAST

_SHORT_SECONDS, _LONG_SECONDS = 10, 120
_EQUAL_WITHIN = 0.10
_FIGURES = {
    "service_rss": "service process, RSS",
    "workers_anonymous": "workers, without mapped files",
    "workers_rss": "workers, RSS with pages of the spool",
}


def measure(context: Context) -> list[Finding]:
    """Clips of 10 s and 120 s, 832x480 yuv420p, sent as fast as they are taken."""
    measured = interleaved(
        {
            str(seconds): lambda seconds=seconds: _peak(context, context.frame_count(seconds))
            for seconds in (_SHORT_SECONDS, _LONG_SECONDS)
        },
        min(context.rounds, 2),
    )
    short, long = measured[str(_SHORT_SECONDS)], measured[str(_LONG_SECONDS)]
    return [_finding(name, short, long) for name in _FIGURES]


def _peak(context: Context, count: int) -> Figures:
    clip = decoded(context.model, "yuv420p")
    with warm_service() as (server, client), temporary_directory() as directory:
        with server.watching_memory() as peak:
            encode(client, clip, [video_output(H264_VERYFAST)], directory, FPS, count=count)
        return {name: float(value) for name, value in asdict(peak).items()}


def _finding(name: str, short: Measured, long: Measured) -> Finding:
    before, after = short.median(name), long.median(name)
    is_shown_only = name == "workers_rss"
    return Finding(
        "memory",
        f"{_FIGURES[name]}: {_LONG_SECONDS} s against {_SHORT_SECONDS} s",
        ours=f"{after / 1e6:.0f} MB",
        against=f"{before / 1e6:.0f} MB",
        ratio=f"{after / before:.2f} x" if before else "",
        target="" if is_shown_only else f"equal within {_EQUAL_WITHIN:.0%}",
        is_reached=None if is_shown_only or not before else abs(after / before - 1) <= _EQUAL_WITHIN,
        note="the kernel takes these pages back when it needs them" if is_shown_only else "",
    )
