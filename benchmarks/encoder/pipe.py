"""Hand-off and total time of one MP4, against the same frames through a pipe into FFmpeg."""

from __future__ import annotations

from pathlib import Path

from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, Measured, interleaved, times_faster
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_FAST, pipe_to_ffmpeg

_HAND_OFF_TARGETS = {"yuv420p": 10.0, "rgb24": 6.0}
_TOTAL_TARGETS = {"yuv420p": 1.0, "rgb24": 0.95}


def measure(context: Context) -> list[Finding]:
    """Four cases: two clips, each as yuv420p and rgb24."""
    findings: list[Finding] = []
    with (
        warm_service() as (server, client),
        Client(server.address, shares_memory=False) as sender,
        temporary_directory() as directory,
    ):
        for pixel_format in _HAND_OFF_TARGETS:
            for shape in (context.hd, context.model):
                clip = decoded(shape, pixel_format)
                findings += _compare(context, client, sender, clip, directory)
    return sorted(findings, key=lambda finding: finding.row)


def _compare(context: Context, client: Client, sender: Client, clip: Clip, directory: Path) -> list[Finding]:
    measured = interleaved(
        {
            "telecine": lambda: _ours(client, clip, directory),
            "through the connection": lambda: _ours(sender, clip, directory),
            "imageio-ffmpeg": lambda: _peer(clip, directory),
        },
        context.rounds,
    )
    ours, peer = measured["telecine"], measured["imageio-ffmpeg"]
    return [_hand_off(clip, ours, peer), _total(clip, ours, peer), *_sent(clip, measured)]


def _ours(client: Client, clip: Clip, directory: Path) -> Figures:
    times = encode(client, clip, [video_output(H264_FAST)], directory / "ours", FPS)
    return {
        "free_seconds": times.hand_off_seconds,
        "total_seconds": times.total_seconds,
        "verify_seconds": times.verify_seconds,
    }


def _peer(clip: Clip, directory: Path) -> Figures:
    times = pipe_to_ffmpeg(clip, H264_FAST, directory / "peer.mp4", FPS)
    return {
        "free_seconds": times.closed_seconds,
        "total_seconds": times.closed_seconds,
        "last_frame_seconds": times.last_frame_seconds,
    }


def _hand_off(clip: Clip, ours: Measured, peer: Measured) -> Finding:
    free = ours.median("free_seconds")
    last_frame = peer.median("last_frame_seconds")
    note = (
        f"{clip.size_bytes / free / 1e6:.0f} MB/s; the pipe had taken the last frame after "
        f"{last_frame:.3f} s ({last_frame / free:.1f} x)"
    )
    target = _HAND_OFF_TARGETS[clip.pixel_format]
    return times_faster("hand-off", _case(clip), free, peer.median("free_seconds"), target, note=note)


def _total(clip: Clip, ours: Measured, peer: Measured) -> Finding:
    total, verify = ours.median("total_seconds"), ours.median("verify_seconds")
    target = _TOTAL_TARGETS[clip.pixel_format]
    note = f"verification {verify:.3f} s of it ({100 * verify / total:.0f} %)"
    return times_faster("total", _case(clip), total, peer.median("total_seconds"), target, note=note)


def _sent(clip: Clip, measured: dict[str, Measured]) -> list[Finding]:
    """The same with the frames sent through gRPC over loopback, as to a server on another machine."""
    sent, peer = measured["through the connection"], measured["imageio-ffmpeg"]
    findings = []
    for row, figure in (("hand-off, sent", "free_seconds"), ("total, sent", "total_seconds")):
        ours, against = sent.median(figure), peer.median(figure)
        note = f"{clip.size_bytes / ours / 1e6:.0f} MB/s" if figure == "free_seconds" else ""
        findings.append(
            Finding(
                row,
                _case(clip),
                f"{ours:.3f} s",
                f"{against:.3f} s",
                f"{against / ours:.2f} x",
                "",
                None,
                note,
            )
        )
    return findings


def _case(clip: Clip) -> str:
    return f"{clip.shape.name}, {clip.shape.frame_count} frames, {clip.pixel_format}"
