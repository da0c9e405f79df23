"""Animated WebP: frames are encoded as stills side by side and muxed into one file as they come."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from functools import partial
from typing import BinaryIO

from encoder_service.evidence.facts import EncoderReport
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.encoders import EncoderRow
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.timing import TickClock
from encoder_service.worker.containers.webp import AnimationWriter, WebpError
from encoder_service.worker.images.frame_pool import FramePool, threads_for
from encoder_service.worker.images.options import OptionRange, resolve_options
from encoder_service.worker.images.pixels import FramePixels, PixelLimits
from encoder_service.worker.images.reuse import Reuse, ReuseRule, lossless_rule, lossy_rule
from encoder_service.worker.images.webp_frame import CodedFrame, WebpSettings, encode_frame
from encoder_service.worker.images.webp_readback import FramePrint, WebpEvidence, read_back
from encoder_service.worker.libav.encoding import library_versions
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext

OPTIONS = {
    "quality": OptionRange(0, 100, 75),
    "compression_level": OptionRange(0, 6, 4),
    "lossless": OptionRange(0, 1, 0),
    "kmax": OptionRange(1, 10_000),
}
"""FFmpeg's names, and libwebp's `kmax`: every how many frames one is coded whole (1: each)."""
ALIASES = {"method": "compression_level"}
"""libwebp's names for the same."""
_KEY_INTERVAL_LOSSY = 5
_KEY_INTERVAL_LOSSLESS = 17
_TICKS_PER_SECOND = 1000
_SHORTEST_SECONDS = 0.011
"""Browsers show frames of 10 ms or less for 100 ms."""


class WebpWriter:
    """Writes one animation. At most `threads` + 1 frames are held."""

    def __init__(self, context: WriterContext, row: FormatRow) -> None:
        """Opens the file. Raises OutputError."""
        self._context = context
        self._began = time.monotonic()
        self._row: EncoderRow = row.candidates(context.output.codec or row.default_codec)[0]
        self._options = resolve_options(context.output, self._row, OPTIONS, ALIASES)
        self._settings = WebpSettings(
            quality=self._options["quality"],
            method=self._options["compression_level"],
            is_lossless=bool(self._options["lossless"]),
        )
        self._pixels = FramePixels(context, self._row, PixelLimits())
        self._reuse = Reuse(self._reuse_rule())
        self._clock = TickClock(context.output.frame_rate or context.video.frame_rate, _TICKS_PER_SECOND)
        if self._clock.shortest_seconds < _SHORTEST_SECONDS:
            context.warn(
                WarningCode.FRAME_DURATION_TOO_SHORT,
                "browsers show WebP frames of 10 ms or less for 100 ms; choose a frame rate of at most 90",
            )
        self._prints: list[FramePrint] = []
        self._is_opaque = True
        self._path = context.directory / f"{context.output.stem}{row.extension}"
        self._file: BinaryIO = self._path.open("w+b")
        self._pool: FramePool[CodedFrame] = FramePool(threads_for(context.threads, self._pixels.frame_bytes))
        self._muxer = self._open_muxer()

    @property
    def bytes_written(self) -> int:
        """Bytes on disk so far."""
        return self._muxer.bytes_written

    def write(self, frame: SourceFrame) -> None:
        """Takes a frame in; waits while too many are being encoded. Raises OutputError."""
        pixels = self._pixels.array(frame)
        task = partial(
            encode_frame,
            pixels,
            self._reuse.plan(pixels),
            self._clock.duration(frame.index),
            self._settings,
        )
        self._mux(self._pool.submit(task))

    def finish(self) -> Finished:
        """Encodes what is left, closes the file and reads it back. Raises OutputError."""
        self._mux(self._pool.drain())
        began = time.monotonic()
        self._muxer.finish()
        self._file.close()
        closed = time.monotonic()
        evidence = WebpEvidence(
            path=self._path,
            width=self._pixels.width,
            height=self._pixels.height,
            loop_count=self._context.output.loop_count,
            has_alpha=not self._is_opaque,
            pixel_format=self._pixels.pixel_format,
            prints=self._prints,
        )
        found = read_back(evidence, self._context, self._pixels)
        return Finished(
            files=found.files,
            encoder=self._report(),
            readback=found.readback,
            quality=found.quality,
            frames_encoded=len(self._prints),
            frames_decoded=found.readback.frame_count,
            mux_seconds=closed - began,
            verify_seconds=time.monotonic() - closed,
        )

    def close(self) -> None:
        """Stops the threads and closes the file; idempotent."""
        self._pool.close()
        self._file.close()

    def _mux(self, frames: Iterable[CodedFrame]) -> None:
        for frame in frames:
            try:
                self._muxer.add(frame.placement, frame.still)
            except WebpError as error:
                raise OutputError(FailureCode.MUXING_FAILED, str(error)) from error
            self._prints.append(FramePrint(frame.placement, zlib.crc32(frame.still.chunks)))
            self._is_opaque = self._is_opaque and frame.is_opaque

    def _open_muxer(self) -> AnimationWriter:
        try:
            return AnimationWriter(
                self._file, self._pixels.width, self._pixels.height, self._context.output.loop_count
            )
        except WebpError as error:
            self.close()
            raise OutputError(FailureCode.UNSUPPORTED_SIZE, str(error)) from error

    def _reuse_rule(self) -> ReuseRule:
        can_blend = not self._pixels.keeps_alpha
        if self._settings.is_lossless:
            interval = self._options.get("kmax", _KEY_INTERVAL_LOSSLESS)
            return lossless_rule(interval, can_blend=can_blend)
        interval = self._options.get("kmax", _KEY_INTERVAL_LOSSY)
        return lossy_rule(self._settings.quality, interval, can_blend=can_blend)

    def _report(self) -> EncoderReport:
        return EncoderReport(
            encoder=self._row.encoder,
            codec=self._row.codec,
            container="webp",
            pixel_format=self._pixels.pixel_format,
            options={name: str(value) for name, value in self._options.items()},
            threads=self._context.threads,
            library_versions=library_versions(),
        )


def open_writer(context: WriterContext, row: FormatRow) -> WebpWriter:
    """Begins an animation. Raises OutputError."""
    return WebpWriter(context, row)
