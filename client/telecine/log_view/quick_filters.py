"""The quick filters: one key press that leaves only records of some levels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telecine.clients.logs import LogFilter
from telecine.log_view.filter_text import joined
from telecine.logging.catalogue import Level


class QuickFilter(StrEnum):
    """Which levels are shown, on top of the filter that was typed."""

    ALL = "all"
    ERRORS = "errors"
    """ERROR and CRITICAL."""
    WARNINGS = "warnings"
    """WARNING alone."""
    INFO = "info"
    """INFO alone."""
    DEBUG = "debug"
    """DEBUG and TRACE."""


@dataclass(frozen=True, slots=True)
class QuickFilterSpec:
    """What a quick filter is called and what it lets pass."""

    label: str
    """For people."""
    key: str
    """The key that chooses it."""
    min_level: Level | None
    condition: str
    """In the collector's language; empty: none."""


QUICK_FILTERS: Final[dict[QuickFilter, QuickFilterSpec]] = {
    QuickFilter.ALL: QuickFilterSpec("all", "a", None, ""),
    QuickFilter.ERRORS: QuickFilterSpec("errors only", "e", Level.ERROR, ""),
    QuickFilter.WARNINGS: QuickFilterSpec("warnings", "w", Level.WARNING, "level = WARNING"),
    QuickFilter.INFO: QuickFilterSpec("info", "i", Level.INFO, "level = INFO"),
    QuickFilter.DEBUG: QuickFilterSpec("debug", "d", None, "level <= DEBUG"),
}
"""Every quick filter, in the order in which they are offered."""


def narrowed(wanted: LogFilter, quick: QuickFilter) -> LogFilter:
    """The filter with the quick filter on top: a record must pass both."""
    spec = QUICK_FILTERS[quick]
    levels = [level for level in (wanted.min_level, spec.min_level) if level is not None]
    conditions = [condition for condition in (wanted.expression, spec.condition) if condition]
    return dataclasses.replace(
        wanted, min_level=max(levels, default=None), expression=joined(conditions) if conditions else ""
    )
