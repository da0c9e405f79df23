"""Answers queries from a directory of log files: which files to read, a page of records, a job's story."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from telecine.logging.catalogue import Level
from telecine.logging.outputs.rendering import Format
from telecine.logs.v1 import log_collector_service_pb2 as pb

from log_collector import errors
from log_collector.files import names
from log_collector.files.config import FilesConfig
from log_collector.query.histogram import Histogram
from log_collector.query.page_token import make_token, read_token
from log_collector.query.reading_files import MAX_NAMED_FILES, Prepare
from log_collector.query.scan import Found, Scanner, TimeIndex
from log_collector.query.selector import Selector
from log_collector.query.story import tell_story

_PAGE_RECORDS: Final = 100
_STORY_RECORDS: Final = 1000
_MAX_PAGE_RECORDS: Final = 10_000
_MAX_PAGE_BYTES: Final = 3 << 20
"""Stock gRPC clients take answers of 4 MiB."""
_MAX_JOB_ID_CHARS: Final = 256


class Library:
    """All calls block on the disk; any thread may call. Raises ServiceError.

    Of a damaged file all is read that can be, and the answer names it.
    """

    def __init__(self, root: Path, config: FilesConfig, prepare: Prepare | None = None) -> None:
        """`prepare`: see `Scanner`."""
        self._root = root
        self._config = config
        self._index = TimeIndex()
        self._prepare = prepare
        self._scanner = Scanner(self._index, prepare)

    def query(self, request: pb.QueryRequest, tenant: str | None = None) -> pb.QueryResponse:
        """As the rpc of this name, of one tenant's records ("" is the root one's; None: of all)."""
        selector = Selector(request.filter)
        is_newest_first = request.order != pb.SORT_ORDER_OLDEST_FIRST
        question = request.filter.SerializeToString(deterministic=True) + bytes([is_newest_first])
        question += b"" if tenant is None else b"/" + tenant.encode()
        page = self._scanner.page(
            self._files(selector, tenant),
            selector,
            _page_size(request.page_size, _PAGE_RECORDS),
            read_token(request.page_token, question),
            is_newest_first=is_newest_first,
        )
        records, token = _fitting(page.found, has_more=page.has_more, question=question)
        return pb.QueryResponse(
            records=records,
            next_page_token=token,
            scanned_bytes=page.scanned_bytes,
            damaged_files=page.damaged[:MAX_NAMED_FILES],
        )

    def histogram(
        self, request: pb.GetHistogramRequest, tenant: str | None = None
    ) -> pb.GetHistogramResponse:
        """As GetHistogram, of one tenant's records; None: of all."""
        selector = Selector(request.filter)
        counting = Histogram(request, self._index, self._prepare)
        return counting.count(self._files(selector, tenant), selector)

    def newest(self, selector: Selector, count: int, tenant: str | None = None) -> list[bytes]:
        """The newest records of a tenant (None: of all) that pass, in the order of their times."""
        if not count:
            return []
        page = self._scanner.page(self._files(selector, tenant), selector, count, None, is_newest_first=True)
        return [found.line for found in reversed(page.found)]

    def story(self, request: pb.GetJobStoryRequest, tenant: str = "") -> pb.GetJobStoryResponse:
        """As GetJobStory, of one tenant's records; "" is the root one."""
        job_id = request.job_id
        if not 1 <= len(job_id) <= _MAX_JOB_ID_CHARS:
            raise errors.invalid_field("job_id", f"expected 1 to {_MAX_JOB_ID_CHARS} characters")
        self._require_json("jobs")
        home = names.home_of(tenant)
        directory = home + names.job_directory(job_id)
        files = names.files_in(self._root, directory)
        records = [f for f in files if f.stream == f"{directory}/{names.JOB_FILE}"]
        if not records:
            raise errors.job_not_found(job_id)
        question = f"{home}{job_id}".encode()
        after = read_token(request.page_token, question)
        selector = Selector(pb.QueryRequest().filter)
        size = _page_size(request.page_size, _STORY_RECORDS)
        page = self._scanner.page(records, selector, size, after, is_newest_first=False)
        story = pb.GetJobStoryResponse(job_id=job_id)
        lines, story.next_page_token = _fitting(page.found, has_more=page.has_more, question=question)
        story.records.extend(lines)
        damaged = page.damaged
        if after is None:
            receipts = [f for f in files if f.stream == f"{directory}/{names.RECEIPTS_FILE}"]
            beside = names.files_in(self._root, home.rstrip("/"))
            gaps = [f for f in beside if f.stream == home + names.GAPS_FILE]
            tell_story(story, records, receipts, gaps, damaged)
        story.damaged_files.extend(damaged[:MAX_NAMED_FILES])
        return story

    def _files(self, selector: Selector, tenant: str | None) -> list[names.LogFile]:
        """The smallest set of files that holds every record of a tenant that can pass, each once."""
        homes = names.homes_in(self._root) if tenant is None else [names.home_of(tenant)]
        return [file for home in homes for file in self._files_of(home, selector)]

    def _files_of(self, home: str, selector: Selector) -> list[names.LogFile]:
        top = names.files_in(self._root, home.rstrip("/"))
        job_id = selector.ids.get("job_id")
        if job_id is not None and self._config.jobs.is_on:
            self._require_json("jobs")
            directory = home + names.job_directory(job_id)
            stream = f"{directory}/{names.JOB_FILE}"
            found = [f for f in names.files_in(self._root, directory) if f.stream == stream]
            return found or [f for f in top if f.stream == home + names.OVERFLOW_JOBS_FILE]
        is_errors_file_enough = self._config.errors.is_on and self._config.errors.format is Format.JSON
        if selector.min_level >= Level.ERROR and is_errors_file_enough:
            return [f for f in top if f.stream == home + names.ERRORS_FILE]
        self._require_json("services")
        services = {names.service_file(service) for service in selector.services}
        if services:
            services.add(names.OVERFLOW_FILE)
        named = [(f, f.stream.removeprefix(home)) for f in top]
        return [
            f for f, name in named if names.is_service_stream(name) and (not services or name in services)
        ]

    def _require_json(self, name: str) -> None:
        kind = getattr(self._config, name)
        if not (self._config.is_on and kind.is_on and kind.format is Format.JSON):
            raise errors.not_readable(f"files.{name}")


def _page_size(asked: int, default: int) -> int:
    if asked < 0:
        raise errors.invalid_field("page_size", "expected 0 or more")
    return min(asked or default, _MAX_PAGE_RECORDS)


def _fitting(found: list[Found], *, has_more: bool, question: bytes) -> tuple[list[bytes], str]:
    """As many records as one answer may carry, and the token of the next page; empty: it is the last."""
    size = 0
    for number, record in enumerate(found):
        size += len(record.line) + 8
        if number and size > _MAX_PAGE_BYTES:
            return [f.line for f in found[:number]], make_token(found[number - 1].place, question)
    token = make_token(found[-1].place, question) if has_more and found else ""
    return [f.line for f in found], token
