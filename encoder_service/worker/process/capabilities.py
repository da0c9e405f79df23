"""Finds out what can be made here by making it: each encoder writes colour bars, which are read back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from encoder_service.spec.audio.track import AudioSpec, SampleFormat
from encoder_service.spec.encoders import EncoderRow
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS, FormatRow
from encoder_service.spec.spec import AlphaMode, OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker.libav.encoding import library_versions, pixel_formats_of
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext, load_writer
from encoder_service.worker_protocol import EncoderProbe, FormatProbe, Probed
from service_host.status.disclosure import for_clients

_WIDTH, _HEIGHT, _FRAMES = 256, 144, 3
_MAX_MEAN_ERROR = 12.0
"""In 8-bit code values. GIF's palette and a hard quantiser stay below it, a wrong matrix does not."""
_BARS = ((235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16), (235, 16, 235), (235, 16, 16))


class MemorySource:
    """Frames that are already in memory. Safe to use from several threads."""

    def __init__(self, frames: Iterable[bytes]) -> None:
        self._frames = tuple(frames)

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, index: int) -> SourceFrame:
        """Returns a frame; raises IndexError."""
        if index < 0:
            raise IndexError(index)
        return SourceFrame(index, memoryview(self._frames[index]))


class MemorySamples:
    """A quiet tone as long as the bars."""

    def __init__(self, spec: AudioSpec) -> None:
        self.spec = spec
        self.samples = _FRAMES * spec.sample_rate // 24
        wave = 8192 * np.sin(np.arange(self.samples) * 2 * np.pi * 440 / spec.sample_rate)
        self._data = np.repeat(wave.astype("<i2"), spec.channels).tobytes()

    def read(self, start: int, count: int) -> bytes:
        """The bytes of samples."""
        size = self.spec.sample_bytes
        return self._data[start * size : (start + count) * size]


def probe(formats: Iterable[FormatRow] = tuple(FORMATS.values())) -> Probed:
    """Tries every encoder in every container that may hold it. Takes some seconds.

    An encoder that works in one container may have no place in another: the build of FFmpeg lacks the muxer,
    or what it writes cannot be read back.
    """
    return Probed(
        formats=tuple(_format_probe(row) for row in formats),
        library_versions=library_versions(),
    )


def _format_probe(row: FormatRow) -> FormatProbe:
    tried = [(encoder, _try(row, encoder)) for encoder in row.encoders]
    return FormatProbe(
        format=row.name,
        media_type=row.media_type,
        file_extension=row.extension,
        default_codec=row.default_codec,
        can_carry_alpha=row.can_carry_alpha
        and any(found.is_available and _keeps_alpha(row, encoder) for encoder, found in tried),
        encoders=tuple(found for _, found in tried),
    )


def _try(row: FormatRow, encoder: EncoderRow) -> EncoderProbe:
    reason = _round_trip(row, encoder, PixelFormat.RGB24)
    formats = encoder.pixel_formats
    named = (formats.default, formats.deep, formats.alpha, formats.deep_alpha)
    return EncoderProbe(
        encoder=encoder.encoder,
        codec=encoder.codec,
        is_available=not reason,
        reason=reason,
        pixel_formats=pixel_formats_of(encoder.encoder) or tuple(dict.fromkeys(filter(None, named))),
    )


def _keeps_alpha(row: FormatRow, encoder: EncoderRow) -> bool:
    return encoder.can_carry_alpha and not _round_trip(row, encoder, PixelFormat.RGBA)


def _round_trip(row: FormatRow, encoder: EncoderRow, pixel_format: PixelFormat) -> str:
    """Writes and reads back; returns why it did not work, or nothing."""
    try:
        finished = _write(row, encoder, pixel_format)
    except OutputError as error:
        return for_clients(str(error))
    except Exception as error:  # noqa: BLE001 - a broken encoder must not hide the others
        return for_clients(f"{type(error).__name__}: {error}")
    if finished.frames_decoded != finished.frames_encoded:
        return f"{finished.frames_decoded} of {finished.frames_encoded} frames came back"
    if finished.quality and finished.quality.mean_absolute_error > _MAX_MEAN_ERROR:
        return f"colour bars came back {finished.quality.mean_absolute_error:.1f} code values off"
    if pixel_format.has_alpha and not finished.readback.has_alpha:
        return "alpha did not come back"
    return ""


def _write(row: FormatRow, encoder: EncoderRow, pixel_format: PixelFormat) -> Finished:
    video = VideoSpec(_WIDTH, _HEIGHT, pixel_format, Rational(24))
    alpha = AlphaMode.KEEP if pixel_format.has_alpha else AlphaMode.AUTO
    wanted = encoder.pixel_formats.default if encoder.is_rgb_only else ""
    output = OutputSpec("probe", row.name, codec=encoder.codec, alpha=alpha, pixel_format=wanted)
    source = MemorySource(color_bars(frame, pixel_format) for frame in range(_FRAMES))
    only = msgspec.structs.replace(row, encoders=(encoder,))
    with tempfile.TemporaryDirectory(prefix="telecine-probe-") as directory:
        context = WriterContext(
            video=video,
            output=output,
            directory=Path(directory),
            threads=1,
            source=source,
            warn=lambda _code, _message: None,
            log=lambda _line: None,
            sound=MemorySamples(AudioSpec(48_000, "stereo", SampleFormat.S16))
            if row.kind == "sound"
            else None,
        )
        writer = load_writer(only)(context, only)
        try:
            for index in range(len(source)):
                writer.write(source.frame(index))
            return writer.finish()
        finally:
            writer.close()


def color_bars(frame: int, pixel_format: PixelFormat) -> bytes:
    """Draws one frame of bars that move a little from frame to frame, RGB24 or RGBA."""
    columns = np.arange(_WIDTH) * len(_BARS) // _WIDTH
    bars = np.array(_BARS, dtype=np.uint8)[(columns + frame) % len(_BARS)]
    pixels = np.broadcast_to(bars, (_HEIGHT, _WIDTH, 3))
    if pixel_format.has_alpha:
        rows = np.linspace(0, 255, _HEIGHT).astype(np.uint8)
        alpha = np.broadcast_to(rows[:, None, None], (_HEIGHT, _WIDTH, 1))
        pixels = np.concatenate([pixels, alpha], axis=2)
    return np.ascontiguousarray(pixels).tobytes()
