"""Animated WebP against Pillow's `save_all`, same quality and method."""

from __future__ import annotations

from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved, times_faster
from benchmarks.ours import encode, webp_output
from benchmarks.peers import WEBP_METHOD, WEBP_QUALITY, pillow_webp

_TARGET = 2.5


def measure(context: Context) -> list[Finding]:
    """The model's clip and the real one, from rgb24."""
    findings: list[Finding] = []
    with warm_service() as (_, client), temporary_directory() as directory:
        for shape in (context.model, context.hd):
            clip = decoded(shape, "rgb24")
            findings.append(_compare(context, client, clip, directory))
    return findings


def _compare(context: Context, client: Client, clip: Clip, directory: Path) -> Finding:
    measured = interleaved(
        {
            "telecine": lambda: _ours(client, clip, directory),
            "Pillow": lambda: {"seconds": pillow_webp(clip, directory / "peer.webp", FPS)},
        },
        min(context.rounds, 3),
    )
    ours = measured["telecine"]
    sizes = ours.median("bytes") / (directory / "peer.webp").stat().st_size
    note = (
        f"quality {WEBP_QUALITY}, method {WEBP_METHOD}; verification "
        f"{ours.median('verify_seconds'):.2f} s of it; file size {sizes:.2f} x Pillow's"
    )
    case = f"{clip.shape.name}, {clip.shape.frame_count} frames"
    peer = measured["Pillow"].median("seconds")
    return times_faster("animated WebP", case, ours.median("seconds"), peer, _TARGET, note=note)


def _ours(client: Client, clip: Clip, directory: Path) -> Figures:
    times = encode(client, clip, [webp_output()], directory / "ours", FPS)
    return {
        "seconds": times.total_seconds,
        "verify_seconds": times.verify_seconds,
        "bytes": float((directory / "ours" / "webp.webp").stat().st_size),
    }
