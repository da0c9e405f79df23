"""Contact sheet: evenly spaced frames in a grid, each with its number and time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import numpy as np
import numpy.typing as npt

from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.sheet_layout import SheetLayout, label, plan_sheet
from encoder_service.spec.spec import AlphaMode, Scale, ScaleMode
from encoder_service.worker import pillow
from encoder_service.worker.images.picture_file import PictureFile, StillPicture
from encoder_service.worker.images.pixels import FramePixels, PixelLimits, as_rgb8
from encoder_service.worker.libav.pictures import Converter, PictureFormat, planes_of, wrap
from encoder_service.worker.writer import Finished, FrameSource, SourceFrame, WriterContext

_GROUND = 24
_TEXT = np.array([220, 220, 220], np.float32)

Sheet = npt.NDArray[np.uint8]
"""Shape (rows, columns, 3)."""


class ContactSheetWriter:
    """Counts the frames, and draws the sheet when all are known."""

    def __init__(self, context: WriterContext, row: FormatRow) -> None:
        """Checks the options. Raises OutputError."""
        self._context = context
        self._encoder = row.candidates(context.output.codec or row.default_codec)[0]
        self._file = PictureFile(context, self._encoder)
        self._limits = PixelLimits(can_tag_color=self._file.limits.can_tag_color)
        _decide_alpha(context)
        # The frame as it would be without the grid: its size, and warnings of what is lost.
        self._full = FramePixels(_flattened(context), self._encoder, self._limits)
        self._frames = 0
        self._bytes = 0

    @property
    def bytes_written(self) -> int:
        """Bytes of the sheet, once it is there."""
        return self._bytes

    def write(self, frame: SourceFrame) -> None:
        """Counts the frame; its picture is read when the sheet is laid out."""
        self._frames = frame.index + 1

    def finish(self) -> Finished:
        """Draws the sheet, writes it and reads it back. Raises OutputError."""
        output = self._context.output
        try:
            layout = plan_sheet(
                self._frames, (self._full.width, self._full.height), output.columns, output.rows
            )
        except ValueError as error:
            raise OutputError(FailureCode.INVALID_GRID, str(error)) from error
        finished = self._file.write(StillPicture(self._draw(layout), "rgb24", self._full.color, -1))
        self._bytes = finished.files[0].size_bytes
        quality = finished.quality
        if quality is not None:
            finished = msgspec.structs.replace(
                finished, quality=msgspec.structs.replace(quality, sampled_frames=layout.frames)
            )
        return finished

    def close(self) -> None:
        """Does nothing, as nothing is held."""

    def _draw(self, layout: SheetLayout) -> Sheet:
        sheet = np.full((layout.height, layout.width, 3), _GROUND, np.uint8)
        tiles = self._tiles(layout)
        rate = self._context.output.frame_rate or self._context.video.frame_rate
        for tile, frame in enumerate(layout.frames):
            x, y = layout.corner(tile)
            sheet[y : y + layout.tile_height, x : x + layout.tile_width] = tiles(frame)
            below = sheet[y + layout.tile_height :, x:][: layout.label_height, : layout.tile_width]
            _write_text(below, label(frame, rate))
        return sheet

    def _tiles(self, layout: SheetLayout) -> Callable[[int], Sheet]:
        """What gives a frame at the size of a tile: the source scaled at once, where nothing is drawn."""
        context, source = _flattened(self._context), self._context.source
        if self._full.is_drawn:
            full = PictureFormat("rgb24", self._full.width, self._full.height)
            tile = PictureFormat("rgb24", layout.tile_width, layout.tile_height)
            return partial(_shrunk, self._full, source, Converter(full, tile))
        scale = Scale(layout.tile_width, layout.tile_height, ScaleMode.STRETCH)
        output = msgspec.structs.replace(context.output, scale=scale)
        # Whatever there was to warn of was said when the output was opened.
        context = msgspec.structs.replace(context, output=output, warn=lambda _code, _message: None)
        pixels = FramePixels(context, self._encoder, self._limits)
        return lambda frame: as_rgb8(pixels.array(source.frame(frame)))


def open_writer(context: WriterContext, row: FormatRow) -> ContactSheetWriter:
    """Begins a contact sheet. Raises OutputError."""
    return ContactSheetWriter(context, row)


def _decide_alpha(context: WriterContext) -> None:
    if not context.video.pixel_format.has_alpha or context.output.alpha == AlphaMode.FLATTEN:
        return
    if context.output.alpha == AlphaMode.KEEP:
        raise OutputError(FailureCode.ALPHA_UNSUPPORTED, "a contact sheet has no alpha; choose alpha flatten")
    background = context.output.background or "#000000"
    context.warn(WarningCode.ALPHA_FLATTENED, f"a contact sheet has no alpha; flattened over {background}")


def _flattened(context: WriterContext) -> WriterContext:
    return msgspec.structs.replace(
        context, output=msgspec.structs.replace(context.output, alpha=AlphaMode.FLATTEN)
    )


def _shrunk(full: FramePixels, source: FrameSource, converter: Converter, frame: int) -> Sheet:
    pixels = np.ascontiguousarray(as_rgb8(full.array(source.frame(frame))))
    shrunk: Sheet = planes_of(converter.convert(wrap([pixels], converter.source)))[0]
    return shrunk


def _write_text(area: Sheet, text: str) -> None:
    """Writes one line, cut where the area ends."""
    coverage = pillow.draw_text(text, max(8, area.shape[0] - 4))[: area.shape[0] - 2, : area.shape[1]]
    inside = area[2 : 2 + coverage.shape[0], : coverage.shape[1]]
    share = coverage[..., None].astype(np.float32) / 255
    inside[...] = np.rint(inside * (1 - share) + _TEXT * share).astype(np.uint8)
