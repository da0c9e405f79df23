"""Draws records, details and figures as styled text; what a record says is never read as markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from telecine.log_view.live_feed import Connection, Delivery
from telecine.log_view.quick_filters import QUICK_FILTERS, QuickFilter
from telecine.log_view.record_view import Details, Gap, Item, Row, details_of, row_of
from telecine.logging.catalogue import Level

_LEVEL_STYLES: Final = {
    Level.TRACE: "#7f8c98",
    Level.DEBUG: "#56b6c2",
    Level.INFO: "#7ec16e",
    Level.WARNING: "bold #e5c07b",
    Level.ERROR: "bold #ff6c6b",
    Level.CRITICAL: "bold white on #c0392b",
}
_DIM: Final = "#8b95a1"
_STATE_STYLES: Final = {
    Connection.CONNECTING: "#e5c07b",
    Connection.LIVE: "#7ec16e",
    Connection.WAITING: "bold #e5c07b",
    Connection.FAILED: "bold #ff6c6b",
    Connection.CLOSED: _DIM,
}
ALL_RECORDS: Final = QUICK_FILTERS[QuickFilter.ALL].label
_SERVICE_CHARS: Final = 12
_SOURCE_COLUMN: Final = 16
_SOURCE_CHARS: Final = 24


def row_text(item: Item, *, is_chosen: bool) -> Text:
    """One line; the chosen one has a mark at its beginning that is seen without colours too."""
    mark = "› " if is_chosen else "  "
    if isinstance(item, Gap):
        count = f"{item.missed:,} records" if item.missed else "records"
        return Text(f"{mark}──── {count} are missing here: {item.reason} ────", "bold #e5c07b")
    row: Row = row_of(item)
    style = _LEVEL_STYLES[row.level]
    text = Text(mark, no_wrap=True)
    text.append(row.time.ljust(23), _DIM).append(" ")
    text.append(row.level.name.ljust(8), style).append(" ")
    source = " ".join(filter(None, (_shortened(row.service, _SERVICE_CHARS), _shortened(row.source))))
    text.append(source.ljust(_SOURCE_COLUMN), _DIM).append(" ")
    text.append(row.message, style if row.level >= Level.WARNING else "")
    for name, value in row.fields:
        text.append(f" {name}=", _DIM).append(value)
    return text


def details_text(item: Item | None) -> Text:
    """A record's stack trace, and all of its fields with what they mean."""
    if item is None or isinstance(item, Gap):
        return Text("no record is chosen", _DIM)
    details: Details = details_of(item)
    width = min(24, max((len(name) for name, _, _ in details.fields), default=0))
    text = Text()
    if details.stack:
        text.append("\n".join(details.stack) + "\n\n", "#e5a07b")
    for name, value, meaning in details.fields:
        shown = value.replace("\n", "\n" + " " * (width + 2))
        text.append(name.ljust(width), "bold").append("  ").append(shown)
        text.append(f"  {meaning}\n" if meaning else "\n", _DIM)
    return text


def connection_text(name: str, delivery: Delivery, quick_label: str, filter_text: str = "") -> Text:
    """Where the records come from, how it stands with that, and which of them are shown."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    text.append(name, "bold").append("  ")
    text.append(f"● {delivery.connection}", _STATE_STYLES[delivery.connection])
    if delivery.problem:
        text.append(f": {delivery.problem}", _DIM)
    text.append("  showing ", _DIM)
    shown = [quick_label] if quick_label != ALL_RECORDS or not filter_text else []
    return text.append(", ".join([*shown, *([filter_text] if filter_text else [])]), "bold")


def counts_text(delivery: Delivery, losses: Mapping[str, int]) -> Text:
    """Records by level, what was missed here, and what the collector left out."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    for level in reversed(Level):
        count = delivery.by_level.get(level.name, 0)
        if count or level in (Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG):
            text.append(level.name, _LEVEL_STYLES[level] if count else _DIM).append(f" {count:,}  ")
    if delivery.missed:
        text.append(f"missed {delivery.missed:,}  ", "bold #e5c07b")
    if losses:
        counted = ", ".join(f"{reason} {count:,}" for reason, count in losses.items())
        text.append(f"│ collector: {counted}", _DIM)
    return text


def window_text(shown: int, chosen: int, waiting: int, *, is_paused: bool, note: str) -> Text:
    """How much is held, where one is, and what waits."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    if is_paused:
        text.append("PAUSED", "bold reverse").append(f"  {waiting:,} new wait  ")
    else:
        text.append("FOLLOWING  ", "#7ec16e")
    text.append(f"{chosen:,} of {shown:,} held", _DIM)
    return text.append(f"  {note}", "#e5c07b") if note else text


def _shortened(source: str, most: int = _SOURCE_CHARS) -> str:
    return source if len(source) <= most else "…" + source[-most + 1 :]
