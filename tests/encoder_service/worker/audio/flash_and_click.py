"""Clips with a white frame and a click at the same instant of each second, and what decoders find of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from encoder_service.evidence.facts import Failed, Produced
from encoder_service.spec.audio.sound import SoundSpec
from encoder_service.spec.audio.track import AudioSpec, SampleFormat
from encoder_service.spec.spec import OutputSpec, PixelFormat, Quality, Rational, VideoSpec
from encoder_service.spool.spool import Spool
from encoder_service.worker.process.attempt import Attempt
from encoder_service.worker_protocol import Assignment

WIDTH, HEIGHT, FPS = 64, 48, 24
CLICK_SECONDS = 0.01


def flashes(frames: int) -> bytes:
    """Black frames, and a white one at the beginning of each second."""
    pictures = np.zeros((frames, HEIGHT, WIDTH, 3), np.uint8)
    pictures[::FPS] = 255
    return pictures.tobytes()


def clicks(samples: int, audio: AudioSpec, level: float = 0.5) -> npt.NDArray[np.float64]:
    """Silence, and a click of 10 ms at the beginning of each second, in every channel."""
    wave = np.zeros(samples)
    length = int(audio.sample_rate * CLICK_SECONDS)
    click = level * np.sign(np.sin(2 * np.pi * 1000 * (np.arange(length) + 0.5) / audio.sample_rate))
    for start in range(0, samples, audio.sample_rate):
        wave[start : start + length] = click[: samples - start]
    return np.repeat(wave[None], audio.channels, axis=0)


def coded(wave: npt.NDArray[np.float64], audio: AudioSpec) -> bytes:
    """The track's bytes of samples from -1 to 1."""
    match audio.sample_format.packed:
        case SampleFormat.S16:
            values = np.rint(wave * 32767).astype("<i2")
        case SampleFormat.S32:
            values = np.rint(wave * (2**31 - 1)).astype("<i4")
        case _:
            values = wave.astype("<f4")
    size = audio.planar_block_samples
    if not size:
        return np.ascontiguousarray(values.T).tobytes()
    blocks = range(0, values.shape[1], size)
    return b"".join(np.ascontiguousarray(values[:, at : at + size]).tobytes() for at in blocks)


@dataclass
class Made:
    """An attempt's answer and its file."""

    answer: Produced | Failed
    path: Path

    @property
    def produced(self) -> Produced:
        assert isinstance(self.answer, Produced), self.answer
        return self.answer

    @property
    def codes(self) -> list[str]:
        return [entry.code for entry in self.answer.warnings]


def make(
    directory: Path,
    format_name: str,
    audio: AudioSpec,
    *,
    frames: int = 2 * FPS + 1,
    samples: int | None = None,
    wave: npt.NDArray[np.float64] | None = None,
    spoil: Callable[[Path], None] = lambda _path: None,
    sound: SoundSpec | None = None,
    **output: object,
) -> Made:
    """Makes one output of a clip in this process, with the code of a worker."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / "made"
    target.mkdir(exist_ok=True)
    count = samples if samples is not None else frames * audio.sample_rate // FPS
    wave = clicks(count, audio) if wave is None else wave
    for name, data in (("video.raw", flashes(frames)), ("audio.raw", coded(wave, audio))):
        (directory / name).unlink(missing_ok=True)
        spool = Spool(directory / name, is_new=True)
        spool.append([data])
        spool.close()
    spoil(directory / "audio.raw")
    given = {"quality": Quality.DRAFT} | output
    attempt = Attempt(
        Assignment(
            "job",
            OutputSpec("clip", format_name, sound=sound, **given),  # type: ignore[arg-type]
            VideoSpec(WIDTH, HEIGHT, PixelFormat.RGB24, Rational(FPS)),
            str(directory / "video.raw"),
            str(target),
            threads=1,
            audio=audio,
            audio_path=str(directory / "audio.raw"),
        ),
        lambda _event: None,
    )
    attempt.intake.extend(frames, is_complete=True, samples=wave.shape[1])
    answer = attempt.run()
    path = target / answer.files[0].path if isinstance(answer, Produced) else target
    return Made(answer, path)


def heard(path: Path) -> tuple[npt.NDArray[np.float64], int, Fraction]:
    """The first channel, its rate, and when it begins, as PyAV decodes them."""
    pieces, first = [], None
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            if first is None:
                first = Fraction(frame.pts or 0) * Fraction(frame.time_base)
            pieces += [each.to_ndarray()[0] for each in resampler.resample(frame)]
        return (
            np.concatenate(pieces).astype(np.float64),
            stream.codec_context.sample_rate,
            first or Fraction(0),
        )


def click_times(wave: npt.NDArray[np.float64], rate: int) -> list[float]:
    """When clicks begin, in seconds: where the level first passes half of theirs near each second."""
    found = []
    for start in range(0, len(wave) - rate // 50, rate):
        begin = max(0, start - rate // 20)
        window = np.abs(wave[begin : start + rate // 20])
        found.append((begin + int(np.argmax(window > min(window.max() / 2, 0.25)))) / rate)
    return found


def flash_times(path: Path) -> list[float]:
    """When white frames are shown."""
    with av.open(str(path)) as container:
        return [
            float(frame.pts * frame.time_base)
            for frame in container.decode(container.streams.video[0])
            if frame.to_ndarray(format="gray").mean() > 128
        ]


def worst_skew(path: Path) -> float:
    """The largest distance between a flash and its click, in seconds, as PyAV decodes both."""
    wave, rate, first = heard(path)
    clicks_at = [float(first) + at for at in click_times(wave, rate)]
    flashes_at = flash_times(path)
    assert len(flashes_at) == len(clicks_at) > 1
    return max(abs(one - other) for one, other in zip(flashes_at, clicks_at, strict=True))


def ffprobe(path: Path) -> list[dict[str, object]] | None:
    """The streams as ffprobe states them; None where it is not installed."""
    if shutil.which("ffprobe") is None:
        return None
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)["streams"]


def ffmpeg_click_times(path: Path, rate: int) -> list[float] | None:
    """When clicks begin, as the ffmpeg program decodes and times them; None where it is not installed."""
    if shutil.which("ffmpeg") is None:
        return None
    command = ["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-map", "0:a"]
    command += ["-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", str(rate), "-f", "f32le", "-"]
    data = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    return click_times(np.frombuffer(data, "<f4").astype(np.float64), rate)
