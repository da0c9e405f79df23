"""Writes one picture as a JPEG or PNG file and reads it back, for poster and contact sheet."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import ColorTags, EncoderReport, ProducedFile, Readback
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.encoders import EncoderRow
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import Color, Quality, Rational
from encoder_service.worker import pillow
from encoder_service.worker.containers.png import join_png, read_color
from encoder_service.worker.images import png_frame
from encoder_service.worker.images.options import OptionRange, resolve_options
from encoder_service.worker.images.pixels import PixelLimits, Pixels, as_rgb8
from encoder_service.worker.libav.encoding import library_versions
from encoder_service.worker.quality import QualityMeter
from encoder_service.worker.writer import Finished, WriterContext

_JPEG_OPTIONS = {"quality": OptionRange(0, 100, 92)}
_KINDS = {"jpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}


class StillPicture(msgspec.Struct, frozen=True):
    """What goes into the file."""

    pixels: Pixels
    pixel_format: str
    color: Color
    frame: int
    """The frame that it shows, for the quality report; -1: none."""


class PictureFile:
    """Knows how to write the picture of one output."""

    def __init__(self, context: WriterContext, row: EncoderRow) -> None:
        """Resolves the options. Raises OutputError."""
        self._context = context
        self._is_png = row.codec == "png"
        self._row = row
        known = png_frame.OPTIONS if self._is_png else _JPEG_OPTIONS
        self._options = resolve_options(context.output, row, known)
        if context.output.quality == Quality.LOSSLESS and not self._is_png:
            context.warn(WarningCode.LOSSLESS_NOT_EXACT, "JPEG cannot keep frames exactly; choose codec png")

    @property
    def limits(self) -> PixelLimits:
        """What the format can hold."""
        return PixelLimits(can_be_gray=True, can_be_deep=self._is_png, can_tag_color=self._is_png)

    def write(self, picture: StillPicture) -> Finished:
        """Writes the file and reads it back. Raises OutputError."""
        suffix, media_type = _KINDS[self._row.codec]
        path = self._context.directory / f"{self._context.output.stem}{suffix}"
        data = self._encode(picture)
        path.write_bytes(data)
        began = time.monotonic()
        decoded = _read(path, is_png=self._is_png)
        if decoded.shape != picture.pixels.shape:
            raise OutputError(
                FailureCode.VERIFICATION_FAILED, f"{path.name} was decoded at another size", is_retryable=True
            )
        meter = QualityMeter()
        meter.add(picture.frame, as_rgb8(picture.pixels), as_rgb8(decoded))
        coded = png_frame.coded_format(picture.pixel_format)
        return Finished(
            files=(ProducedFile(path.name, len(data), sha256_file(path), media_type),),
            encoder=EncoderReport(
                encoder=self._row.encoder,
                codec=self._row.codec,
                container=self._row.codec,
                pixel_format=coded,
                options={name: str(value) for name, value in self._options.items()},
                threads=1,
                library_versions=library_versions() | pillow.library_versions(),
            ),
            readback=Readback(
                frame_count=1,
                width=decoded.shape[1],
                height=decoded.shape[0],
                pixel_format=coded,
                duration_seconds=0.0,
                frame_rate=Rational(1),
                color_container=read_color(data) if self._is_png else ColorTags(),
                has_alpha=decoded.ndim == 3 and decoded.shape[2] == 4,
            ),
            quality=meter.report(),
            frames_encoded=1,
            frames_decoded=1,
            mux_seconds=0.0,
            verify_seconds=time.monotonic() - began,
        )

    def _encode(self, picture: StillPicture) -> bytes:
        if not self._is_png:
            return pillow.encode_jpeg(picture.pixels, self._options["quality"])
        options = {name: str(value) for name, value in self._options.items()}
        settings = png_frame.PngSettings(picture.pixel_format, options)
        return join_png(png_frame.encode_picture(picture.pixels, settings), picture.color)


def _read(path: Path, *, is_png: bool) -> Pixels:
    data = path.read_bytes()
    return png_frame.decode_file(data) if is_png else pillow.decode_still(data)
