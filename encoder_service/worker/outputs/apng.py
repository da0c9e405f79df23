"""APNG: frames are encoded as PNG pictures side by side, cut to what has changed, and muxed as they come."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from typing import BinaryIO

import msgspec
import numpy as np

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import EncoderReport, ProducedFile, QualityReport, Readback
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.timing import TickClock, delay_fraction, reduced, ticks_in_16_bits
from encoder_service.worker.containers.apng import ApngFrame, ApngHead, ApngWriter, FrameControl, read_apng
from encoder_service.worker.containers.png import PngError, PngPicture
from encoder_service.worker.images.frame_pool import FramePool, threads_for
from encoder_service.worker.images.options import resolve_options
from encoder_service.worker.images.pixels import FramePixels, PixelLimits, Pixels, as_rgb8, sampled_frames
from encoder_service.worker.images.png_frame import (
    ENCODER,
    OPTIONS,
    PngSettings,
    coded_format,
    decode_picture,
    encode_picture,
)
from encoder_service.worker.images.reuse import Change, Reuse, lossless_rule
from encoder_service.worker.libav.encoding import library_versions
from encoder_service.worker.quality import QualityMeter
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext

_KEY_INTERVAL = 17


class _Encoded(msgspec.Struct, frozen=True):
    control: FrameControl
    picture: PngPicture


class ApngOutput:
    """Writes one animation. At most `threads` + 1 frames are held."""

    def __init__(self, context: WriterContext, row: FormatRow) -> None:
        """Opens the file. Raises OutputError."""
        self._context = context
        encoder = row.candidates(context.output.codec or row.default_codec)[0]
        options = resolve_options(context.output, encoder, OPTIONS)
        limits = PixelLimits(can_be_gray=True, can_be_deep=True, can_tag_color=True)
        self._pixels = FramePixels(context, encoder, limits)
        self._settings = PngSettings(
            self._pixels.pixel_format, {name: str(value) for name, value in options.items()}
        )
        self._rate = context.output.frame_rate or context.video.frame_rate
        self._delay = delay_fraction(self._rate)
        self._ticks_per_second = ticks_in_16_bits(self._rate)
        self._clock = TickClock(self._rate, self._ticks_per_second)
        self._reuse = Reuse(lossless_rule(_KEY_INTERVAL, can_blend=False))
        self._prints: list[tuple[FrameControl, int]] = []
        self._path = context.directory / f"{context.output.stem}{row.extension}"
        self._file: BinaryIO = self._path.open("w+b")
        self._pool: FramePool[_Encoded] = FramePool(threads_for(context.threads, self._pixels.frame_bytes))
        try:
            self._muxer = ApngWriter(self._file, context.output.loop_count, self._pixels.color)
        except PngError as error:
            self.close()
            raise OutputError(FailureCode.INVALID_OPTION, str(error)) from error

    @property
    def bytes_written(self) -> int:
        """Bytes on disk so far."""
        return self._muxer.bytes_written

    def write(self, frame: SourceFrame) -> None:
        """Takes a frame in; waits while too many are being encoded. Raises OutputError."""
        pixels = self._pixels.array(frame)
        task = partial(
            _encode, pixels, self._reuse.plan(_samples(pixels)), self._seconds(frame.index), self._settings
        )
        self._mux(self._pool.submit(task))

    def finish(self) -> Finished:
        """Encodes what is left, closes the file and reads it back. Raises OutputError."""
        self._mux(self._pool.drain())
        began = time.monotonic()
        self._muxer.finish()
        self._file.close()
        closed = time.monotonic()
        try:
            readback, quality = self._read_back()
        except PngError as error:
            raise _broken(str(error)) from error
        file = ProducedFile(self._path.name, self._path.stat().st_size, sha256_file(self._path), "image/apng")
        return Finished(
            files=(file,),
            encoder=EncoderReport(
                encoder=ENCODER,
                codec="apng",
                container="apng",
                pixel_format=coded_format(self._pixels.pixel_format),
                options=self._settings.options,
                threads=self._context.threads,
                library_versions=library_versions(),
            ),
            readback=readback,
            quality=quality,
            frames_encoded=len(self._prints),
            frames_decoded=readback.frame_count,
            mux_seconds=closed - began,
            verify_seconds=time.monotonic() - closed,
        )

    def close(self) -> None:
        """Stops the threads and closes the file; idempotent."""
        self._pool.close()
        self._file.close()

    def _seconds(self, index: int) -> tuple[int, int]:
        return self._delay or (self._clock.duration(index), self._ticks_per_second)

    def _mux(self, frames: Iterable[_Encoded]) -> None:
        for frame in frames:
            try:
                self._muxer.add(frame.control, frame.picture)
            except PngError as error:
                raise OutputError(FailureCode.MUXING_FAILED, str(error)) from error
            self._prints.append((frame.control, zlib.crc32(frame.picture.data)))

    def _read_back(self) -> tuple[Readback, QualityReport | None]:
        """Holds each frame's bytes against those that were decoded when it was made."""
        meter, seconds, count = QualityMeter(), Fraction(0), 0
        wanted = set(sampled_frames(len(self._prints)))
        needed = self._needed(wanted)
        canvas: Pixels | None = None
        with self._path.open("rb") as file:
            entries = read_apng(file)
            head = next(entries, None)
            if not isinstance(head, ApngHead) or head.frame_count != len(self._prints):
                raise _broken("the head states another number of frames")
            for entry in entries:
                if not isinstance(entry, ApngFrame) or count >= len(self._prints):
                    raise _broken("there are more frames than were encoded")
                if (entry.control, zlib.crc32(entry.picture.data)) != self._prints[count]:
                    raise _broken(f"frame {count} is not the one that was encoded")
                seconds += Fraction(entry.control.delay_numerator, entry.control.delay_denominator)
                if count in needed:
                    canvas = self._drawn(canvas, entry)
                if canvas is not None and count in wanted:
                    sent = self._pixels.array(self._context.source.frame(count))
                    meter.add(count, as_rgb8(sent), as_rgb8(canvas))
                count += 1
        if count != len(self._prints) or (head.width, head.height) != (
            self._pixels.width,
            self._pixels.height,
        ):
            raise _broken(f"{count} frames of {head.width} x {head.height}")
        return self._found(head, seconds), meter.report()

    def _needed(self, wanted: set[int]) -> set[int]:
        """The wanted frames and those below them, back to the last one that covers the canvas."""
        needed: set[int] = set()
        for index in wanted:
            first = index
            while first and not self._is_whole(self._prints[first][0]):
                first -= 1
            needed.update(range(first, index + 1))
        return needed

    def _is_whole(self, control: FrameControl) -> bool:
        return (control.width, control.height) == (self._pixels.width, self._pixels.height)

    def _drawn(self, canvas: Pixels | None, entry: ApngFrame) -> Pixels:
        part = decode_picture(entry.picture)
        if canvas is None or self._is_whole(entry.control):
            return np.array(part)
        place = entry.control
        canvas[place.y : place.y + place.height, place.x : place.x + place.width] = part
        return canvas

    def _found(self, head: ApngHead, seconds: Fraction) -> Readback:
        return Readback(
            frame_count=head.frame_count,
            width=head.width,
            height=head.height,
            pixel_format=coded_format(self._pixels.pixel_format),
            duration_seconds=float(seconds),
            frame_rate=reduced(head.frame_count / seconds if seconds else Fraction(1)),
            color_container=head.color,
            has_alpha=self._pixels.keeps_alpha,
            loop_count=head.loop_count,
        )


def open_writer(context: WriterContext, row: FormatRow) -> ApngOutput:
    """Begins an animation. Raises OutputError."""
    return ApngOutput(context, row)


def _samples(pixels: Pixels) -> Pixels:
    """Pixels as bytes of shape (rows, columns, bytes): equal pixels have equal bytes, whatever the depth."""
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape[:2], -1)


def _encode(pixels: Pixels, change: Change, delay: tuple[int, int], settings: PngSettings) -> _Encoded:
    inside = pixels[change.y : change.y + change.height, change.x : change.x + change.width]
    control = FrameControl(change.x, change.y, change.width, change.height, *delay)
    return _Encoded(control, encode_picture(inside, settings))


def _broken(message: str) -> OutputError:
    return OutputError(FailureCode.VERIFICATION_FAILED, f"read back: {message}", is_retryable=True)
