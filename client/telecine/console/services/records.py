"""Records as the console needs them: what a query line selects, pages, one record, live ones, an export."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from telecine.clients.logs import LogClient, LogFilter, RecordPage
from telecine.console.services.access import Access
from telecine.log_view.filter_text import FilterTextError, format_filter, parse_filter
from telecine.log_view.live_feed import LiveFeed
from telecine.log_view.quick_filters import QuickFilter, narrowed
from telecine.log_view.record_source import RecordSource, WatchedPlace
from telecine.log_view.record_view import RecordView, view_of
from telecine.log_view.record_window import WindowLimits
from telecine.logging.catalogue import LEVEL_ALIASES

PAGE_RECORDS: Final = 200
MAX_EXPORTED: Final = 1_000_000
LIVE_RECORDS: Final = 300
"""Held of what came since a page last took some; of more, the page says how many it left out."""
MAX_QUERY_CHARS: Final = 4096
_EXPORT_PAGE: Final = 1000
_MAX_LOOKED_AT: Final = 5000
_LIVE_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a logs page says, as it stands there."""

    query: str = ""
    quick: str = "all"
    since: str = ""
    until: str = ""

    @staticmethod
    def of(values: Mapping[str, str]) -> Asked:
        """Reads the parameters of an address. Lengths are bounded here, forms by `wanted`."""
        texts = [values.get(name, "")[:MAX_QUERY_CHARS].strip() for name in ("q", "quick", "since", "until")]
        return Asked(texts[0], texts[1] or "all", texts[2], texts[3])

    @property
    def parameters(self) -> dict[str, str]:
        """As an address says it: what is empty is left out."""
        quick = "" if self.quick == "all" else self.quick
        every = {"q": self.query, "quick": quick, "since": self.since, "until": self.until}
        return {name: value for name, value in every.items() if value}

    def wanted(self) -> LogFilter:
        """The filter. Raises FilterTextError with what is wrong, in words."""
        if self.quick not in set(QuickFilter):
            raise FilterTextError(f"no quick filter {self.quick!r}: one of {', '.join(QuickFilter)}")
        asked = dataclasses.replace(
            parse_filter(self.query), since=moment(self.since, "from"), until=moment(self.until, "to")
        )
        return narrowed(asked, QuickFilter(self.quick))


def moment(text: str, name: str) -> datetime | None:
    """A time of a form; without a zone it is UTC, as the pages show it. Raises FilterTextError."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise FilterTextError(f"{name}: write a time as 2026-01-31T12:00, UTC") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def page(client: LogClient, wanted: LogFilter, token: str = "") -> RecordPage:
    """A page of stored records, the newest first. Blocks."""
    return client.page(wanted, size=PAGE_RECORDS, token=token)


def key_of(line: bytes) -> str:
    """What a record is called in an address."""
    return hashlib.sha256(line).hexdigest()[:24]


def find(client: LogClient, timestamp: str, key: str) -> RecordView | None:
    """The record of a time and a key; None: it is not stored (any more). Blocks."""
    at = moment(timestamp, "t")
    if at is None:
        return None
    wanted = LogFilter(since=at - timedelta(milliseconds=1), until=at + timedelta(milliseconds=1))
    for line in client.query(wanted, limit=_MAX_LOOKED_AT):
        if key_of(line) == key:
            return view_of(line)
    return None


def lines(client: LogClient, wanted: LogFilter) -> Iterator[bytes]:
    """What is selected as NDJSON, the newest first, in pieces of a page. Blocks."""
    token, left = "", MAX_EXPORTED
    while left > 0:
        found = client.page(wanted, size=min(_EXPORT_PAGE, left), token=token)
        yield b"".join(line + b"\n" for line in found.records)
        left -= len(found.records)
        token = found.next_token
        if not token:
            return


def more_like(fields: Mapping[str, str]) -> str:
    """The query line that selects records like one: of its service, logger, stage and level."""
    return format_filter(
        LogFilter(
            services=_one(fields, "service"),
            loggers=_one(fields, "logger"),
            stages=_one(fields, "stage"),
            min_level=LEVEL_ALIASES.get(fields.get("level", "").upper()),
        )
    )


def live_feed(access: Access, wanted: LogFilter, last: int) -> LiveFeed:
    """Records as they arrive, after the newest `last` of the stored ones. The caller starts and stops it."""

    def opened(timeout_seconds: float) -> RecordSource:
        return access.another_collector(timeout_seconds)

    limits = WindowLimits(records=LIVE_RECORDS, size_bytes=_LIVE_BYTES)
    place = WatchedPlace(access.services.collector, opened, has_counters=False)
    return LiveFeed(place, wanted, last=last, limits=limits)


def _one(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    return (fields[name],) if fields.get(name) else ()
