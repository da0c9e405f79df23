"""MP4 with sound, against imageio-ffmpeg doing the same from a WAV file."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from telecine import Client

from benchmarks.clips import Clip, decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved, times_faster
from benchmarks.ours import encode, video_output
from benchmarks.peers import H264_FAST, pipe_to_ffmpeg

_RATE, _CHANNELS = 48_000, 2
_TARGET = 0.8
"""Ours decodes both tracks again, measures the loudness twice, and proves the length; the peer does not."""


def measure(context: Context) -> list[Finding]:
    """The model's clip and the real one, from rgb24."""
    with warm_service() as (_, client), temporary_directory() as directory:
        return [
            _compare(context, client, decoded(shape, "rgb24"), directory)
            for shape in (context.model, context.hd)
        ]


def _compare(context: Context, client: Client, clip: Clip, directory: Path) -> Finding:
    sound = _noise(directory / "sound.wav", clip.shape.frame_count * _RATE // FPS)

    def theirs() -> Figures:
        times = pipe_to_ffmpeg(clip, H264_FAST, directory / "peer.mp4", FPS, sound=sound)
        return {"seconds": times.closed_seconds}

    measured = interleaved(
        {"telecine": lambda: _ours(client, clip, directory, sound), "imageio-ffmpeg": theirs},
        min(context.rounds, 3),
    )
    ours = measured["telecine"]
    case = f"{clip.shape.name}, {clip.shape.frame_count} frames, 48 kHz stereo"
    note = (
        f"free after {ours.median('free_seconds'):.2f} s; verification {ours.median('verify_seconds'):.2f} s"
    )
    peer = measured["imageio-ffmpeg"].median("seconds")
    return times_faster("MP4 with sound", case, ours.median("seconds"), peer, _TARGET, note=note)


def _ours(client: Client, clip: Clip, directory: Path, sound: Path) -> Figures:
    times = encode(client, clip, [video_output(H264_FAST)], directory / "ours", FPS, audio=sound)
    return {
        "seconds": times.total_seconds,
        "free_seconds": times.hand_off_seconds,
        "verify_seconds": times.verify_seconds,
    }


def _noise(path: Path, samples: int) -> Path:
    """A WAV file of quiet noise, which codecs find no shortcut in."""
    noise = np.random.default_rng(1).integers(-8_000, 8_000, (samples, _CHANNELS), np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(_CHANNELS)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(noise.astype("<i2").tobytes())
    return path
