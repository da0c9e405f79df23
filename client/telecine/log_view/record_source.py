"""What a viewer needs of a source of records, be it a collector or files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from telecine.clients.logs import JobStory, LogFilter


class Tail(Protocol):
    """Records as they arrive, each with the number of those missed right before it."""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Blocks until there is one; ends when it is closed."""
        ...

    def close(self) -> None:
        """Ends it, from any thread. Idempotent."""
        ...


class RecordSource(Protocol):
    """Reads records, blocking; any thread may call. Raises TelecineErrors and the like."""

    @property
    def damaged_files(self) -> Sequence[str]:
        """Files that could not be read to their end in the calls so far, each with its fault."""
        ...

    def query(self, wanted: LogFilter, *, is_oldest_first: bool, limit: int | None) -> Iterator[bytes]:
        """Stored records, as JSON lines; a page is asked for when its first record is."""
        ...

    def tail(self, wanted: LogFilter, *, last: int) -> Tail:
        """Records as they arrive, after the newest `last` that are stored."""
        ...

    def job_story(self, job_id: str, *, max_records: int | None = None) -> JobStory:
        """The story of a job, from its records."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """The counters of the collector."""
        ...

    def close(self) -> None:
        """Releases what is open."""
        ...


@dataclass(frozen=True, slots=True)
class WatchedPlace:
    """One collector, or one directory of files."""

    name: str
    """For people: its address or path."""
    open: Callable[[float], RecordSource]
    """A source of its own each time, with the seconds that a call may take; the caller closes it."""
    has_counters: bool
    """Whether `stats` answers: a directory has none."""
