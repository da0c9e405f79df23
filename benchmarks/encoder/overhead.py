"""CPU seconds of a job outside of codecs, conversion and verification."""

from __future__ import annotations

from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_FAST
from benchmarks.server import Server

_AT_MOST = 0.10


def measure(context: Context) -> list[Finding]:
    """One MP4 of the real clip, as yuv420p (the codec's share is smallest) and rgb24."""
    findings: list[Finding] = []
    with warm_service() as (server, client), temporary_directory() as directory:
        for pixel_format in ("yuv420p", "rgb24"):
            clip = decoded(context.hd, pixel_format)
            findings.append(_share(context, server, client, clip, directory))
    return findings


def _share(context: Context, server: Server, client: Client, clip: Clip, directory: Path) -> Finding:
    measured = interleaved(
        {"telecine": lambda: _cpu(server, client, clip, directory)}, min(context.rounds, 3)
    )["telecine"]
    total = measured.median("service") + measured.median("workers")
    outside = measured.median("service") + max(0.0, measured.median("workers") - measured.median("attempts"))
    return Finding(
        "server CPU outside codecs",
        f"{clip.shape.name}, {clip.shape.frame_count} frames, {clip.pixel_format}",
        ours=f"{outside:.2f} CPU s",
        against=f"{total:.2f} CPU s",
        ratio=f"{outside / total:.1%}" if total else "",
        target=f"< {_AT_MOST:.0%}",
        is_reached=outside < _AT_MOST * total,
        note=f"receiving, checking, hashing, storing, sending: {measured.median('service'):.2f} CPU s",
    )


def _cpu(server: Server, client: Client, clip: Clip, directory: Path) -> Figures:
    service, workers = server.cpu_seconds()
    times = encode(client, clip, [video_output(H264_FAST)], directory, FPS)
    service_after, workers_after = server.cpu_seconds()
    return {
        "service": service_after - service,
        "workers": workers_after - workers,
        "attempts": float(times.manifest["resources"]["cpu_seconds"]),
    }
