"""Poster: one frame of the clip as a JPEG or PNG file."""

from __future__ import annotations

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.worker.images.picture_file import PictureFile, StillPicture
from encoder_service.worker.images.pixels import FramePixels
from encoder_service.worker.writer import Finished, SourceFrame, WriterContext


class PosterWriter:
    """Counts the frames, and takes the one that was asked for when all are known."""

    def __init__(self, context: WriterContext, row: FormatRow) -> None:
        """Checks the options. Raises OutputError."""
        self._context = context
        encoder = row.candidates(context.output.codec or row.default_codec)[0]
        self._file = PictureFile(context, encoder)
        self._pixels = FramePixels(context, encoder, self._file.limits)
        self._frames = 0
        self._finished: Finished | None = None

    @property
    def bytes_written(self) -> int:
        """Bytes of the picture, once it is there."""
        return self._finished.files[0].size_bytes if self._finished else 0

    def write(self, frame: SourceFrame) -> None:
        """Writes the poster when its frame comes. Raises OutputError."""
        self._frames = frame.index + 1
        if frame.index == self._context.output.frame_index:
            self._finished = self._write(frame)

    def finish(self) -> Finished:
        """Returns the poster; one that was counted from the end is written now. Raises OutputError."""
        wanted = self._context.output.frame_index
        if self._finished is None:
            index = wanted + self._frames if wanted < 0 else wanted
            if not 0 <= index < self._frames:
                raise OutputError(
                    FailureCode.INVALID_FRAME_INDEX,
                    f"frame_index is {wanted} and the clip has {self._frames} frames; "
                    f"expected {-self._frames} to {self._frames - 1}",
                )
            self._finished = self._write(self._context.source.frame(index))
        return self._finished

    def close(self) -> None:
        """Does nothing, as nothing is held."""

    def _write(self, frame: SourceFrame) -> Finished:
        pixels = self._pixels.array(frame)
        return self._file.write(
            StillPicture(pixels, self._pixels.pixel_format, self._pixels.color, frame.index)
        )


def open_writer(context: WriterContext, row: FormatRow) -> PosterWriter:
    """Begins a poster. Raises OutputError."""
    return PosterWriter(context, row)
