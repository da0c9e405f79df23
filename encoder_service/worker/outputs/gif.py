"""GIF: about a second at a time gets the 256 colours that suit it best, dithered; seconds side by side."""

from __future__ import annotations

import time
from collections.abc import Iterable
from fractions import Fraction
from functools import partial

import numpy as np

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import ColorTags, EncoderReport, ProducedFile, QualityReport, Readback
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.spec import AlphaMode, Quality
from encoder_service.spec.timing import TickClock, reduced
from encoder_service.worker.containers.gif import GifError, GifFacts, read_gif, set_last_delay
from encoder_service.worker.images.frame_pool import FramePool, threads_for
from encoder_service.worker.images.options import OptionRange, resolve_options
from encoder_service.worker.images.pixels import FramePixels, PixelLimits, Pixels, as_rgb8, sampled_frames
from encoder_service.worker.libav.encoding import (
    ContainerSettings,
    EncoderSettings,
    VideoFileEncoder,
    library_versions,
)
from encoder_service.worker.libav.palettes import PaletteSettings, to_palette
from encoder_service.worker.libav.pictures import Picture, PictureFormat
from encoder_service.worker.libav.stills import decode_animation
from encoder_service.worker.quality import QualityMeter
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext

DITHERS = (
    "none",
    "bayer",
    "heckbert",
    "floyd_steinberg",
    "sierra2",
    "sierra2_4a",
    "sierra3",
    "burkes",
    "atkinson",
)
OPTIONS = {
    "max_colors": OptionRange(2, 256, 256),
    "dither": OptionRange(0, len(DITHERS) - 1, DITHERS.index("sierra2_4a"), words=DITHERS),
    "bayer_scale": OptionRange(0, 5, 2),
}
"""FFmpeg's names, of palettegen and paletteuse."""
MAX_PLAYS = 65536
_TICKS_PER_SECOND = 100
_SHORTEST_SECONDS = Fraction(2, 100)
_GROUP_BYTES = 32 << 20
_MOST_FRAMES, _LEAST_FRAMES = 25, 2


class GifWriter:
    """Writes one animation. At most `threads` + 2 groups of frames are held, 32 MiB each."""

    def __init__(self, context: WriterContext, row: FormatRow) -> None:
        """Opens the file. Raises OutputError."""
        self._context = context
        encoder = row.candidates(context.output.codec or row.default_codec)[0]
        options = resolve_options(context.output, encoder, OPTIONS)
        self._settings = PaletteSettings(
            options["max_colors"], DITHERS[options["dither"]], options["bayer_scale"]
        )
        self._pixels = FramePixels(context, encoder, PixelLimits())
        self._rate = context.output.frame_rate or context.video.frame_rate
        self._clock = TickClock(self._rate, _TICKS_PER_SECOND)
        self._warn()
        frame_bytes = self._pixels.frame_bytes
        self._group_frames = min(_MOST_FRAMES, max(_LEAST_FRAMES, _GROUP_BYTES // frame_bytes))
        self._group: list[Pixels] = []
        self._is_alpha_hard = False  # and that was reported
        self._encoded = 0
        self._path = context.directory / f"{context.output.stem}{row.extension}"
        self._pool: FramePool[list[Picture]] = FramePool(
            threads_for(context.threads, self._group_frames * frame_bytes)
        )
        self._encoder = VideoFileEncoder(
            self._path,
            ContainerSettings(row.container, {"loop": str(_repeats(context.output.loop_count))}),
            EncoderSettings(
                encoder=encoder.encoder,
                picture=PictureFormat("pal8", self._pixels.width, self._pixels.height),
                frame_rate=Fraction(self._rate.numerator, self._rate.denominator),
                options={},
                threads=1,
            ),
        )

    @property
    def bytes_written(self) -> int:
        """Bytes on disk so far."""
        return self._path.stat().st_size if self._path.exists() else 0

    def write(self, frame: SourceFrame) -> None:
        """Takes a frame in; waits while too many are being reduced. Raises OutputError."""
        pixels = self._pixels.array(frame)
        if self._pixels.keeps_alpha and not self._is_alpha_hard:
            self._check_alpha(pixels)
        self._group.append(pixels)
        if len(self._group) == self._group_frames:
            self._submit()

    def finish(self) -> Finished:
        """Encodes what is left, closes the file and reads it back. Raises OutputError."""
        if self._group:
            self._submit()
        self._encode(self._pool.drain())
        began = time.monotonic()
        self._encoder.flush()
        self._encoder.close()
        self._mend_last_delay()
        closed = time.monotonic()
        readback = self._read_back()
        decoded, quality = self._compare()
        if not decoded == readback.frame_count == self._encoded:
            raise _broken(f"{self._encoded} frames were encoded and {decoded} were decoded")
        file = ProducedFile(self._path.name, self._path.stat().st_size, sha256_file(self._path), "image/gif")
        return Finished(
            files=(file,),
            encoder=self._report(),
            readback=readback,
            quality=quality,
            frames_encoded=self._encoded,
            frames_decoded=decoded,
            mux_seconds=closed - began,
            verify_seconds=time.monotonic() - closed,
        )

    def close(self) -> None:
        """Stops the threads and closes the file; idempotent."""
        self._pool.close()
        self._encoder.close(is_abandoned=True)

    def _warn(self) -> None:
        output = self._context.output
        if output.loop_count > MAX_PLAYS:
            raise OutputError(
                FailureCode.INVALID_OPTION, f"GIF plays 0 to {MAX_PLAYS} times, not {output.loop_count}"
            )
        if output.quality == Quality.LOSSLESS:
            self._context.warn(
                WarningCode.LOSSLESS_NOT_EXACT, "GIF has 256 colours a frame; the frames are dithered"
            )
        if self._clock.shortest_seconds < _SHORTEST_SECONDS:
            self._context.warn(
                WarningCode.FRAME_DURATION_TOO_SHORT,
                "browsers show GIF frames of less than 20 ms for 100 ms; choose a frame rate of at most 50",
            )

    def _check_alpha(self, pixels: Pixels) -> None:
        alpha = pixels[..., -1]
        if not np.any((alpha > 0) & (alpha < np.iinfo(alpha.dtype).max)):
            return
        if self._context.output.alpha is AlphaMode.KEEP:
            raise OutputError(
                FailureCode.ALPHA_UNSUPPORTED,
                "a pixel of a GIF is there or not, and these frames have half-transparent ones; choose alpha "
                "flatten, or WebP or APNG",
            )
        self._is_alpha_hard = True
        self._context.warn(
            WarningCode.ALPHA_REDUCED,
            "half-transparent pixels became fully transparent or opaque, as GIF knows",
        )

    def _submit(self) -> None:
        frames, self._group = self._group, []
        self._encode(self._pool.submit(partial(to_palette, frames, self._settings)))

    def _encode(self, groups: Iterable[list[Picture]]) -> None:
        for group in groups:
            for picture in group:
                self._encoder.encode(picture, self._encoded)
                self._encoded += 1

    def _mend_last_delay(self) -> None:
        try:
            with self._path.open("r+b") as file:
                set_last_delay(file, self._clock.duration(self._encoded - 1))
        except GifError as error:
            raise _broken(str(error)) from error

    def _read_back(self) -> Readback:
        try:
            with self._path.open("rb") as file:
                facts = read_gif(file)
        except GifError as error:
            raise _broken(str(error)) from error
        self._check(facts)
        seconds = Fraction(sum(facts.delays_centiseconds), _TICKS_PER_SECOND)
        count = len(facts.delays_centiseconds)
        return Readback(
            frame_count=count,
            width=facts.width,
            height=facts.height,
            pixel_format="pal8",
            duration_seconds=float(seconds),
            frame_rate=reduced(count / seconds if seconds else Fraction(_TICKS_PER_SECOND)),
            color_container=ColorTags(),
            has_alpha=self._pixels.keeps_alpha and facts.has_transparency,
            loop_count=facts.play_count,
        )

    def _check(self, facts: GifFacts) -> None:
        expected = tuple(self._clock.duration(index) for index in range(self._encoded))
        if facts.delays_centiseconds != expected:
            raise _broken("the frames are not shown as long as they should be")
        if (facts.width, facts.height) != (self._pixels.width, self._pixels.height):
            raise _broken(f"the canvas is {facts.width} x {facts.height}")
        if facts.play_count != self._context.output.loop_count:
            raise _broken(f"it is played {facts.play_count} times")

    def _compare(self) -> tuple[int, QualityReport | None]:
        meter, count = QualityMeter(), 0
        wanted = set(sampled_frames(self._encoded))
        for pixels in decode_animation(self._path, has_alpha=self._pixels.keeps_alpha):
            if count in wanted:
                sent = self._pixels.array(self._context.source.frame(count))
                meter.add(count, as_rgb8(sent), as_rgb8(pixels()))
            count += 1
        return count, meter.report()

    def _report(self) -> EncoderReport:
        return EncoderReport(
            encoder="gif",
            codec="gif",
            container="gif",
            pixel_format="pal8",
            options={
                "max_colors": str(self._settings.max_colors),
                "dither": self._settings.dither,
                "bayer_scale": str(self._settings.bayer_scale),
            },
            threads=self._context.threads,
            library_versions=library_versions(),
        )


def open_writer(context: WriterContext, row: FormatRow) -> GifWriter:
    """Begins an animation. Raises OutputError."""
    return GifWriter(context, row)


def _repeats(plays: int) -> int:
    """FFmpeg's number for it: -1 once, 0 for ever, else how often it is repeated."""
    return 0 if plays == 0 else plays - 1 or -1


def _broken(message: str) -> OutputError:
    return OutputError(FailureCode.VERIFICATION_FAILED, f"read back: {message}", is_retryable=True)
