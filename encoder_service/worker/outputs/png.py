"""PNG sequence: one file per frame below `frames/`, encoded side by side, and all of them in one zip."""

from __future__ import annotations

import hashlib
import time
import zipfile
import zlib
from collections.abc import Iterable
from functools import partial

import msgspec

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import ColorTags, EncoderReport, ProducedFile, QualityReport, Readback
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.spec import Color
from encoder_service.worker.containers.png import join_png, read_color
from encoder_service.worker.images.frame_pool import FramePool, threads_for
from encoder_service.worker.images.options import resolve_options
from encoder_service.worker.images.pixels import FramePixels, PixelLimits, Pixels, as_rgb8, sampled_frames
from encoder_service.worker.images.png_frame import (
    ENCODER,
    OPTIONS,
    PngSettings,
    coded_format,
    decode_file,
    encode_picture,
)
from encoder_service.worker.libav.encoding import library_versions
from encoder_service.worker.quality import QualityMeter
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext

DIRECTORY = "frames"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_ZIP_MODE = 0o644 << 16


class _Encoded(msgspec.Struct, frozen=True):
    data: bytes
    sha256: str
    crc32: int


class _Entry(msgspec.Struct, frozen=True):
    file: ProducedFile
    crc32: int


class PngWriter:
    """Writes one sequence. At most `threads` + 1 frames are held."""

    def __init__(self, context: WriterContext, row: FormatRow) -> None:
        """Opens the zip. Raises OutputError."""
        self._context = context
        encoder = row.candidates(context.output.codec or row.default_codec)[0]
        options = resolve_options(context.output, encoder, OPTIONS)
        limits = PixelLimits(can_be_gray=True, can_be_deep=True, can_tag_color=True)
        self._pixels = FramePixels(context, encoder, limits)
        self._settings = PngSettings(
            self._pixels.pixel_format, {name: str(value) for name, value in options.items()}
        )
        self._entries: list[_Entry] = []
        (context.directory / DIRECTORY).mkdir()
        self._zip_path = context.directory / f"{context.output.stem}{row.extension}"
        self._zip = zipfile.ZipFile(self._zip_path, "w", zipfile.ZIP_STORED)
        self._pool: FramePool[_Encoded] = FramePool(threads_for(context.threads, self._pixels.frame_bytes))
        self._bytes = 0

    @property
    def bytes_written(self) -> int:
        """Bytes of the single files so far."""
        return self._bytes

    def write(self, frame: SourceFrame) -> None:
        """Takes a frame in; waits while too many are being encoded. Raises OutputError."""
        pixels = self._pixels.array(frame)
        self._store(self._pool.submit(partial(_encode, pixels, self._settings, self._pixels.color)))

    def finish(self) -> Finished:
        """Encodes what is left, closes the zip and reads everything back. Raises OutputError."""
        self._store(self._pool.drain())
        began = time.monotonic()
        self._zip.close()
        closed = time.monotonic()
        self._check_files()
        archive = ProducedFile(
            path=self._zip_path.name,
            size_bytes=self._zip_path.stat().st_size,
            sha256=self._check_zip(),
            media_type="application/zip",
        )
        tags, quality = self._compare()
        rate = self._context.output.frame_rate or self._context.video.frame_rate
        count = len(self._entries)
        return Finished(
            files=(archive, *(entry.file for entry in self._entries)),
            encoder=self._report(),
            readback=Readback(
                frame_count=count,
                width=self._pixels.width,
                height=self._pixels.height,
                pixel_format=coded_format(self._pixels.pixel_format),
                duration_seconds=count * rate.denominator / rate.numerator,
                frame_rate=rate,
                color_container=tags,
                has_alpha=self._pixels.keeps_alpha,
            ),
            quality=quality,
            frames_encoded=count,
            frames_decoded=count,
            mux_seconds=closed - began,
            verify_seconds=time.monotonic() - closed,
        )

    def close(self) -> None:
        """Stops the threads and closes the zip; idempotent."""
        self._pool.close()
        self._zip.close()

    def _store(self, pictures: Iterable[_Encoded]) -> None:
        for picture in pictures:
            path = f"{DIRECTORY}/{self._context.output.prefix}_{len(self._entries):05d}.png"
            (self._context.directory / path).write_bytes(picture.data)
            entry = zipfile.ZipInfo(path, _ZIP_TIME)
            entry.external_attr = _ZIP_MODE
            entry.create_system = 3
            self._zip.writestr(entry, picture.data)
            self._bytes += len(picture.data)
            file = ProducedFile(path, len(picture.data), picture.sha256, "image/png", is_primary=False)
            self._entries.append(_Entry(file, picture.crc32))

    def _check_files(self) -> None:
        """Each frame was decoded when it was made; here its file must hold those very bytes."""
        for entry in self._entries:
            if zlib.crc32((self._context.directory / entry.file.path).read_bytes()) != entry.crc32:
                raise _broken(f"{entry.file.path} is not the file that was written")

    def _check_zip(self) -> str:
        try:
            with zipfile.ZipFile(self._zip_path) as archive:
                found = [(info.filename, info.file_size, info.CRC) for info in archive.infolist()]
                damaged = archive.testzip()
        except (zipfile.BadZipFile, OSError) as error:
            raise _broken(f"the zip cannot be read: {error}") from error
        expected = [(entry.file.path, entry.file.size_bytes, entry.crc32) for entry in self._entries]
        if damaged or found != expected:
            raise _broken(
                f"the zip does not hold the frames that were written ({damaged or 'its directory'})"
            )
        return sha256_file(self._zip_path)

    def _compare(self) -> tuple[ColorTags, QualityReport | None]:
        meter, tags = QualityMeter(), ColorTags()
        for index in sampled_frames(len(self._entries)):
            data = (self._context.directory / self._entries[index].file.path).read_bytes()
            tags = read_color(data)
            sent = self._pixels.array(self._context.source.frame(index))
            meter.add(index, as_rgb8(sent), as_rgb8(decode_file(data)))
        return tags, meter.report()

    def _report(self) -> EncoderReport:
        return EncoderReport(
            encoder=ENCODER,
            codec="png",
            container="png",
            pixel_format=coded_format(self._pixels.pixel_format),
            options=self._settings.options,
            threads=self._context.threads,
            library_versions=library_versions(),
        )


def open_writer(context: WriterContext, row: FormatRow) -> PngWriter:
    """Begins a sequence. Raises OutputError."""
    return PngWriter(context, row)


def _encode(pixels: Pixels, settings: PngSettings, color: Color) -> _Encoded:
    data = join_png(encode_picture(pixels, settings), color)
    return _Encoded(data, hashlib.sha256(data).hexdigest(), zlib.crc32(data))


def _broken(message: str) -> OutputError:
    return OutputError(FailureCode.VERIFICATION_FAILED, f"read back: {message}", is_retryable=True)
