"""Tables that break no id and no path: too wide for a terminal, they lose columns or become blocks."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

_ANY_WIDTH = 100_000
_LEAST_COLUMN = 8
"""A column that may be folded is not made narrower."""
_GAP = 2


class HouseTable(Table):
    """A table in the house style.

    Args:
        *columns: The headings.
        numbers: Those whose values are set flush right.
        whole: Those whose values are never broken over lines: ids, paths, names.
        spare: Those that are left out first, the last one first, where there is no room.
    """

    def __init__(
        self,
        *columns: str,
        numbers: tuple[str, ...] = (),
        whole: tuple[str, ...] = (),
        spare: tuple[str, ...] = (),
    ) -> None:
        super().__init__(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
        self.whole = whole
        self.spare = spare
        for column in columns:
            self.add_column(
                column,
                justify="right" if column in numbers else "left",
                overflow="ignore" if column in whole else "fold",
                no_wrap=column in whole,
            )


def fitted(table: HouseTable, console: Console) -> Table | list[Text]:
    """The table as the console has room for it: itself, with fewer columns, or as a block of lines a row."""
    width = console.width
    if not table.whole or _natural_width(table, console) <= width:
        return table
    columns = list(table.columns)
    for name in reversed(table.spare):
        columns = [column for column in columns if column.header != name]
        smaller = _with_columns(table, columns)
        if _natural_width(smaller, console) <= width:
            return smaller
    if _folded_width(columns, table.whole) <= width:
        return _with_columns(table, columns)
    return list(_blocks(table))


def plain_lines(table: Table) -> Iterator[str]:
    """The table for a file or a pipe: as wide as it needs to be, nothing folded."""
    columns = [[_text(column.header), *map(_text, column.cells)] for column in table.columns]
    widths = [max(map(cell_len, cells)) for cells in columns]
    for row in zip(*columns, strict=True):
        places = zip(row, widths, table.columns, strict=True)
        cells = (_set(cell, width, column) for cell, width, column in places)
        yield (" " * _GAP).join(cells).rstrip()


def _set(cell: str, width: int, column: Column) -> str:
    padding = " " * (width - cell_len(cell))
    return padding + cell if column.justify == "right" else cell + padding


def _natural_width(table: Table, console: Console) -> int:
    options = console.options.update(width=_ANY_WIDTH)
    return Measurement.get(console, options, table).maximum


def _folded_width(columns: list[Column], whole: tuple[str, ...]) -> int:
    """The least width in which nothing whole is broken and all else can still be read."""
    widths = 0
    for column in columns:
        widest = max((cell_len(_text(cell)) for cell in (column.header, *column.cells)), default=0)
        widths += _GAP + (widest if column.header in whole else min(widest, _LEAST_COLUMN))
    return widths


def _with_columns(table: HouseTable, columns: list[Column]) -> HouseTable:
    headers = tuple(str(column.header) for column in columns)
    numbers = tuple(str(column.header) for column in columns if column.justify == "right")
    made = HouseTable(*headers, numbers=numbers, whole=table.whole)
    for row in zip(*(column.cells for column in columns), strict=True):
        made.add_row(*row)
    return made


def _blocks(table: HouseTable) -> Iterator[Text]:
    headers = [str(column.header) for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        yield Text(_text(row[0]), "bold")
        named = [(header, _text(cell)) for header, cell in zip(headers[1:], row[1:], strict=True)]
        yield Text("  " + ", ".join(f"{header} {cell}".strip() for header, cell in named if cell))


def _text(cell: RenderableType) -> str:
    return Text.from_markup(cell).plain if isinstance(cell, str) else str(cell)
