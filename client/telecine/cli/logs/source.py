"""Where the `logs` commands read: a running collector, or a directory of log files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from telecine.cli.connection import collector_of, open_collector
from telecine.cli.logs.forms.any_lines import record_pieces
from telecine.cli.show.failures import SourceError, UnavailableHereError, UsageError
from telecine.clients.logs import JobStory, LogFilter, story_of
from telecine.exceptions import JobNotFoundError
from telecine.installation import install_command
from telecine.log_view.record_source import RecordSource

if TYPE_CHECKING:
    from log_collector.query.library import Library
    from telecine.cli.logs.following import FileTail

_PAGE_RECORDS: Final = 10_000


def open_source(
    server: str | None, directory: Path | None, call_timeout_seconds: float = 30.0
) -> RecordSource:
    """The directory where one is named, else the collector (`collector_of`).

    Raises UsageError and SourceError.
    """
    if directory is None:
        return open_collector(collector_of(server), call_timeout_seconds)
    if server is not None:
        raise UsageError("--server and --dir are both given", "name one of them")
    return DirectorySource(directory)


def log_files_root(directory: Path) -> Path:
    """Where the log files lie of a directory that was named.

    That is `logs` in a collector's data directory, `logs/logs` in the one of `telecine serve all`, which
    holds the collector's own, and any other directory itself.
    """
    from log_collector.files.names import files_in

    inner = directory / "logs"
    if not inner.is_dir():
        return directory
    innermost = inner / "logs"
    return innermost if innermost.is_dir() and not files_in(inner) else inner


class DirectorySource:
    """Log files without a server: the data directory of a collector or of `serve all`, or any other."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise SourceError(f"{directory} is no directory", "name a directory of log files")
        self._library, self._root = _library(directory)
        self.damaged_files: list[str] = []
        """Files that could not be read to their end, each with its fault."""

    def query(self, wanted: LogFilter, *, is_oldest_first: bool, limit: int | None) -> Iterator[bytes]:
        """See `RecordSource`."""
        from telecine.logs.v1 import log_collector_service_pb2 as pb

        order = pb.SORT_ORDER_OLDEST_FIRST if is_oldest_first else pb.SORT_ORDER_NEWEST_FIRST
        token = ""
        left = limit
        while left is None or left > 0:
            size = _PAGE_RECORDS if left is None else min(left, _PAGE_RECORDS)
            request = pb.QueryRequest(filter=wanted.message(), order=order, page_size=size, page_token=token)
            page = _asked(self._library.query, request)
            self._note_damages(page.damaged_files)
            yield from page.records
            token = page.next_page_token
            if not token:
                return
            left = None if left is None else left - len(page.records)

    def lines(self) -> Iterator[bytes]:
        """Every record, in the order of the files: quicker than `query` where the order does not count."""
        from log_collector.files.names import files_in, is_service_stream
        from log_collector.query.reading_files import read_sound_blocks

        for file in files_in(self._root):
            if is_service_stream(file.stream):
                for _, block in read_sound_blocks(file.path, self.damaged_files, record_pieces):
                    yield from block[:-1].split(b"\n")

    def tail(self, wanted: LogFilter, *, last: int) -> FileTail:
        """See `RecordSource`; looks at the files a few times a second."""
        from log_collector.query.selector import Selector
        from telecine.cli.logs.following import FileTail

        selector = _asked(lambda message: Selector(message, has_times=False), wanted.message())
        return FileTail(self._root, selector, lambda: self._library.newest(selector, last))

    def job_story(self, job_id: str, *, max_records: int | None = None) -> JobStory:
        """See `RecordSource`."""
        from telecine.logs.v1 import log_collector_service_pb2 as pb

        records: list[bytes] = []
        first = page = _asked(self._library.story, pb.GetJobStoryRequest(job_id=job_id))
        self._note_damages(first.damaged_files)
        records += page.records
        while page.next_page_token and (max_records is None or len(records) < max_records):
            request = pb.GetJobStoryRequest(job_id=job_id, page_token=page.next_page_token)
            page = _asked(self._library.story, request)
            records += page.records
        return story_of(first, records[:max_records])

    def stats(self) -> Mapping[str, Any]:
        """Raises UsageError: files have no counters."""
        raise UsageError("a directory has no counters", "name a running collector with --server")

    def close(self) -> None:
        """Nothing is open between calls."""

    def _note_damages(self, damages: Iterable[str]) -> None:
        self.damaged_files += [damage for damage in damages if damage not in self.damaged_files]


def _library(directory: Path) -> tuple[Library, Path]:
    """Opens the log files of a directory; returns where they lie too."""
    try:
        from log_collector.files.config import FileClass, FilesConfig
        from log_collector.query.library import Library
    except ModuleNotFoundError as error:
        raise UnavailableHereError(
            f"reading files needs a package that is not installed: {error.name}",
            f"Install it with: {install_command('collector')}, or name a running collector with --server",
        ) from error
    root = log_files_root(directory)
    config = FilesConfig(
        jobs=FileClass(is_on=(root / "jobs").is_dir()), errors=FileClass(is_on=(root / "errors.log").exists())
    )
    return Library(root, config, record_pieces), root


def _asked(call: Callable[[Any], Any], request: Any) -> Any:
    """Calls the library; what it raises becomes what a server's answer would."""
    from service_host.status.status import ServiceError

    try:
        return call(request)
    except ServiceError as error:
        if error.reason_name == "JOB_NOT_FOUND":
            raise JobNotFoundError(error.message) from error
        raise UsageError(error.message, "fix what is named") from error
