"""Reads backwards from where a window begins, a page at a time, without showing a record twice."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from telecine.clients.logs import LogFilter
from telecine.log_view.record_source import RecordSource
from telecine.log_view.record_view import Item, RecordView, view_of

_SKEW: Final = timedelta(seconds=2)
"""Records arrive about so much out of the order of their times: each process ships for itself."""
_MAX_SKIPPED: Final = 50_000


class OlderPages:
    """Any thread may ask, one at a time. Raises what the source raises."""

    def __init__(self, source: RecordSource, wanted: LogFilter, held: Iterable[Item]) -> None:
        """`held`: what is shown now, the oldest first."""
        records = [item for item in held if isinstance(item, RecordView)]
        self._known = Counter(record.line for record in records)
        self.is_at_beginning = False
        """Whether nothing older is stored."""
        self._lines = self._read(source, wanted, records[0].timestamp if records else "")

    def next_page(self, count: int) -> list[RecordView]:
        """The next `count` records backwards, the oldest first; fewer at the beginning of the history."""
        page: list[RecordView] = []
        skipped = 0
        while len(page) < count and skipped < _MAX_SKIPPED:
            lines = list(islice(self._lines, count - len(page)))
            if not lines:
                self.is_at_beginning = True
                break
            for line in lines:
                if self._known.get(line):
                    self._known[line] -= 1
                    skipped += 1
                else:
                    page.append(view_of(line))
        page.reverse()
        return page

    @staticmethod
    def _read(source: RecordSource, wanted: LogFilter, oldest: str) -> Iterator[bytes]:
        until = wanted.until
        try:
            moment = datetime.fromisoformat(oldest) + _SKEW
            until = moment if until is None else min(moment, until)
        except (ValueError, OverflowError, TypeError):
            # Without a time to begin at, all that is held is passed over.
            pass
        return source.query(dataclasses.replace(wanted, until=until), is_oldest_first=False, limit=None)
