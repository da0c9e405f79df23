"""Lays a contact sheet out: which frames, how many tiles, how large, and what stands below them."""

from __future__ import annotations

import math

import msgspec

from encoder_service.spec.spec import Rational
from encoder_service.spec.timing import clock_text

MAX_TILES = 400
_DEFAULT_TILES = 16
_WIDEST_SHEET = 1920
_SMALLEST_TILE = 16
GAP = 8
"""Pixels between tiles and around them."""


class SheetLayout(msgspec.Struct, frozen=True):
    """Where each tile and label of a contact sheet lies, in pixels."""

    columns: int
    rows: int
    tile_width: int
    tile_height: int
    label_height: int
    """Below each tile."""
    frames: tuple[int, ...]
    """The frame of each tile, row by row."""

    @property
    def width(self) -> int:
        """Columns of the whole sheet, in pixels."""
        return self.columns * (self.tile_width + GAP) + GAP

    @property
    def height(self) -> int:
        """Rows of the whole sheet, in pixels."""
        return self.rows * (self.tile_height + self.label_height + GAP) + GAP

    def corner(self, tile: int) -> tuple[int, int]:
        """Left and top of a tile."""
        row, column = divmod(tile, self.columns)
        return (
            GAP + column * (self.tile_width + GAP),
            GAP + row * (self.tile_height + self.label_height + GAP),
        )


def plan_sheet(frame_count: int, frame_size: tuple[int, int], columns: int = 0, rows: int = 0) -> SheetLayout:
    """Plans a sheet; 0 columns or rows are chosen. Tiles are evenly spaced frames, first and last included.

    A grid never has more tiles than the clip has frames, nor an empty row.
    What is chosen keeps to MAX_TILES. Raises ValueError where more are asked for.
    """
    columns, rows = _grid(frame_count, columns, rows)
    if columns * rows > MAX_TILES:
        raise ValueError(f"a contact sheet has at most {MAX_TILES} tiles, not {columns} x {rows}")
    tiles = min(columns * rows, frame_count)
    room = (_WIDEST_SHEET - GAP) // columns - GAP
    tile_width = max(min(frame_size[0], room), min(frame_size[0], _SMALLEST_TILE))
    tile_height = max(1, round(frame_size[1] * tile_width / frame_size[0]))
    return SheetLayout(
        columns=columns,
        rows=math.ceil(tiles / columns),
        tile_width=tile_width,
        tile_height=tile_height,
        label_height=max(14, min(24, tile_width // 12)),
        frames=_evenly(frame_count, tiles),
    )


def label(frame: int, frame_rate: Rational) -> str:
    """The frame's number and the time at which it is shown."""
    return f"{frame}  {clock_text(frame, frame_rate)}"


def _grid(frame_count: int, columns: int, rows: int) -> tuple[int, int]:
    if columns and rows:
        return min(columns, frame_count), rows
    if columns:
        columns = min(columns, frame_count)
        return columns, min(columns, math.ceil(frame_count / columns), MAX_TILES // columns)
    if rows:
        columns = min(rows, math.ceil(frame_count / rows), MAX_TILES // rows)
        return columns, rows
    columns = math.ceil(math.sqrt(min(_DEFAULT_TILES, frame_count)))
    return columns, columns


def _evenly(frame_count: int, tiles: int) -> tuple[int, ...]:
    if tiles == 1:
        return (0,)
    return tuple(round(tile * (frame_count - 1) / (tiles - 1)) for tile in range(tiles))
