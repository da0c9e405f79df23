"""Keeps the number of files that records can make within bounds: what is beyond goes into files for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import msgspec

from log_collector.files import names

_MINUTE_SECONDS = 60.0
_ALLOWANCES = 10_000


class Reason(StrEnum):
    """Why lines are not in a file of their own."""

    TOO_MANY_NEW = "too_many_new"
    """More services or jobs began than may in a minute."""
    BLOCKED = "blocked"
    """Something stands in the file's place that is no file of the collector's."""


class Allowance(msgspec.Struct):
    """So many a minute, and at most those of one minute at once."""

    per_minute: int
    left: float
    at_seconds: float

    def take(self, now_seconds: float) -> bool:
        """Whether one more may be made now."""
        # A clock that was set back gives nothing, and takes nothing.
        passed = max(0.0, now_seconds - self.at_seconds)
        self.left = min(self.per_minute, self.left + passed * self.per_minute / _MINUTE_SECONDS)
        self.at_seconds = now_seconds
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Diversion:
    """Belongs to one thread; `counts` may be read by any."""

    def __init__(
        self,
        services_per_minute: int,
        jobs_per_minute: int,
        clock: Callable[[], float],
        report: Callable[[str, str], None],
    ) -> None:
        """`report` hears an event and a reason, for the first of a kind in a row."""
        self._per_minute = (services_per_minute, jobs_per_minute)
        self._allowances: dict[tuple[str, int], Allowance] = {}
        """By home: no tenant uses up what another may begin."""
        self._clock = clock
        self._report = report
        self._told: set[str] = set()
        self._left_out: set[str] = set()
        """Directories of jobs whose records of this write are elsewhere."""
        self._granted: set[str] = set()
        self._pending: Counter[Reason] = Counter()
        self.counts: Counter[Reason] = Counter()
        """Files that were not made, or not written, by reason; once for each write."""

    def may_begin(self, file: str) -> bool:
        """Whether a file that is not there may be made now."""
        home, name_there = names.split_home(file)
        return self._may_begin(home, name_there)

    def _may_begin(self, home: str, file: str) -> bool:
        if file.startswith(f"{names.JOBS_DIRECTORY}/"):
            directory, _, name = file.rpartition("/")
            # Receipts come after their job's records, and go where these go.
            if name != names.JOB_FILE:
                return home + directory not in self._left_out
            return self._grant(self._allowance(home, 1), home + file)
        if names.is_service_stream(file) and file != names.OVERFLOW_FILE:
            return self._grant(self._allowance(home, 0), home + file)
        return True

    def _allowance(self, home: str, kind: int) -> Allowance:
        allowance = self._allowances.get((home, kind))
        if allowance is None:
            if len(self._allowances) >= _ALLOWANCES:
                self._allowances.clear()
            most = self._per_minute[kind]
            allowance = self._allowances[home, kind] = Allowance(most, most, self._clock())
        return allowance

    def _grant(self, allowance: Allowance, file: str) -> bool:
        """A write may be prepared more than once before it is done: what it was given it keeps."""
        if file not in self._granted and not allowance.take(self._clock()):
            return False
        self._granted.add(file)
        return True

    def begin_write(self) -> None:
        """To be called before the files of a write are asked for."""
        self._left_out.clear()
        self._pending.clear()

    def end_write(self) -> None:
        """To be called when the write is done."""
        self._granted.clear()
        self.counts.update(self._pending)
        self._pending.clear()

    def divert(self, file: str, reason: Reason) -> str:
        """Where the lines of a file go instead; empty: nowhere, for they are only about others."""
        self._pending[reason] += 1
        if file.endswith(f"/{names.JOB_FILE}"):
            self._left_out.add(file.rpartition("/")[0])
        key = f"{reason}:{file}" if reason is Reason.BLOCKED else reason
        if key not in self._told:
            if len(self._told) > 1000:
                self._told.clear()
            self._told.add(key)
            self._report("file_diverted", f"{reason}: {file[:200]}")
        home, file = names.split_home(file)
        if file.startswith(f"{names.JOBS_DIRECTORY}/"):
            return home + names.OVERFLOW_JOBS_FILE if file.endswith(f"/{names.JOB_FILE}") else ""
        is_service = names.is_service_stream(file) and file != names.OVERFLOW_FILE
        return home + names.OVERFLOW_FILE if is_service else ""
