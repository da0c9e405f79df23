"""The client of a log collector: stored records, live records, a job's story, and the counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from telecine.channel.arguments import Target
from telecine.channel.bearer import refused_token
from telecine.channel.calls import current_request_id
from telecine.channel.log_calls import LogChannel, TailCall
from telecine.exceptions import InvalidRequestError
from telecine.logging.catalogue import Level
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2
from telecine.request.options import KeepAlive, Tls
from telecine.settings.loading import ConfigError
from telecine.settings.token import TokenError, token_of
from telecine.tls.settings import common_tls, tls_for

_PAGE_RECORDS: Final = 1000
_LEVELS: Final = {level: logs_pb2.Level.Value(f"LEVEL_{level.name}") for level in Level}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Selects records; every condition that is given must hold."""

    since: datetime | None = None
    """Records at this time or later; without a time zone it is local time."""
    until: datetime | None = None
    """Records before this time."""
    min_level: Level | None = None
    """This level or above."""
    services: Sequence[str] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    """Catalogue ids and their values, such as {"job_id": "42"}."""
    stages: Sequence[str] = ()
    """Any of these; "encode:*" takes every stage that begins so."""
    loggers: Sequence[str] = ()
    """Any of these or loggers below them."""
    text: str = ""
    """Text anywhere in the record; case is ignored."""
    expression: str = ""
    """Such as `level >= WARNING and duration_ms > 500`."""

    def message(self) -> logs_pb2.RecordFilter:
        """The filter as a message of the contract. Raises InvalidRequestError."""
        message = logs_pb2.RecordFilter(
            min_level=_LEVELS[self.min_level] if self.min_level else logs_pb2.LEVEL_UNSPECIFIED,
            services=self.services,
            ids=dict(self.ids),
            stages=self.stages,
            loggers=self.loggers,
            text=self.text,
            expression=self.expression,
        )
        if self.since is not None:
            message.since.CopyFrom(_timestamp(self.since))
        if self.until is not None:
            message.until.CopyFrom(_timestamp(self.until))
        return message


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a job, as the records show it."""

    stage: str
    service: str
    attempt: int
    """0 is the first."""
    started: datetime
    duration_seconds: float
    records: int
    errors: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one producer contributed to a job."""

    producer: str
    service: str
    records: int
    missing: int
    """Records that it declared lost."""


@dataclass(frozen=True, slots=True)
class JobStory:
    """The story of a job, drawn from the records of all services."""

    job_id: str
    stages: Sequence[Stage]
    receipts: Sequence[Receipt]
    record_count: int
    expected_record_count: int
    """Equal to `record_count` when all records arrived."""
    error_count: int
    last_attempt: int
    started: datetime
    duration_seconds: float
    records: Sequence[bytes]
    """JSON lines, the oldest first; fewer than `record_count` where only some were asked for."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many records there are over time."""

    buckets: Sequence[tuple[datetime, Mapping[str, int]]]
    """Where each begins, and its records by the name of their level; UNSPECIFIED: none of ours."""
    total: int
    is_complete: bool
    """False: the history was too long; the oldest records are missing."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of stored records."""

    records: Sequence[bytes]
    """JSON lines."""
    next_token: str
    """Asks for the page behind it, with the same filter. Empty: this was the last."""


class LogTail:
    """Records as they arrive; made by `LogClient.tail`. Read by one thread, closed by any."""

    def __init__(self, call: TailCall) -> None:
        self._call = call
        self._records = self._read()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self._records

    def __next__(self) -> tuple[int, bytes]:
        return next(self._records)

    def close(self) -> None:
        """Ends the call: the reader gets no more records. Idempotent."""
        self._call.close()

    def _read(self) -> Iterator[tuple[int, bytes]]:
        missed = 0
        for answer in self._call:
            missed += answer.missed
            for record in answer.records:
                yield missed, record
                missed = 0


class LogClient:
    """Reads from a log collector. Thread-safe; not to be used after a fork.

    Args:
        server: "host:port", "tls://host:port" or "unix:/path" of the collector.
        tls: PEM files of a secure connection, which are read again when they change. None: what
            TELECINE_TLS_* or section `tls` of a configuration file say, by default a plain connection.
        token: A token or an API key, shown with each call. None: `token_file`, or TELECINE_TOKEN.
        token_file: A file with one, read again at each call. None: TELECINE_TOKEN_FILE, by default none.
        keep_alive: How a dead or frozen collector is noticed. None: the defaults of `KeepAlive`.
        call_timeout_seconds: Limit of one call in seconds, retries included; `tail` has none.

    Raises:
        TelecineError: Every method may raise one, such as UnavailableError once the collector could not be
            reached for `call_timeout_seconds`.
    """

    def __init__(
        self,
        server: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        keep_alive: KeepAlive | None = None,
        call_timeout_seconds: float = 30.0,
    ) -> None:
        try:
            tls = tls_for(server, tls, common_tls())
        except ConfigError as error:
            raise InvalidRequestError(str(error)) from error
        try:
            shown = token_of(token, token_file)
        except TokenError as error:
            raise refused_token(error) from error
        self._channel = LogChannel(Target(server, tls, keep_alive or KeepAlive(), shown))
        self._timeout_seconds = call_timeout_seconds
        self.damaged_files: list[str] = []
        """Files that the collector could not read to their end, in the calls so far; each with its fault."""

    def query(
        self, wanted: LogFilter | None = None, *, is_oldest_first: bool = False, limit: int | None = None
    ) -> Iterator[bytes]:
        """Iterates over stored records as JSON lines; pages are fetched as they are needed.

        Args:
            wanted: Which records. None: all of them.
            is_oldest_first: Whether the oldest record comes first; by default the newest does.
            limit: The most records to yield. None: no limit.

        Raises:
            InvalidRequestError: The filter is wrong.
        """
        left = limit
        token = ""
        while left is None or left > 0:
            size = _PAGE_RECORDS if left is None else min(left, _PAGE_RECORDS)
            found = self.page(wanted, is_oldest_first=is_oldest_first, size=size, token=token)
            yield from found.records
            token = found.next_token
            if not token:
                return
            left = None if left is None else left - len(found.records)

    def page(
        self,
        wanted: LogFilter | None = None,
        *,
        is_oldest_first: bool = False,
        size: int = _PAGE_RECORDS,
        token: str = "",
    ) -> RecordPage:
        """Returns one page of stored records, for readers that go on at another time or place.

        Args:
            wanted: Which records. None: all of them.
            is_oldest_first: Whether the oldest record comes first; by default the newest does.
            size: The most records of the page; the collector may give fewer.
            token: `next_token` of the page before it. Empty: the first page.

        Raises:
            InvalidRequestError: The filter or the token is wrong.
        """
        order = pb.SORT_ORDER_OLDEST_FIRST if is_oldest_first else pb.SORT_ORDER_NEWEST_FIRST
        message = (wanted or LogFilter()).message()
        request = pb.QueryRequest(filter=message, order=order, page_size=size, page_token=token)
        answer = self._channel.query(request, self._timeout_seconds, current_request_id())
        self._note_damages(answer.damaged_files)
        return RecordPage(list(answer.records), answer.next_page_token)

    def tail(self, wanted: LogFilter | None = None, *, last: int = 0) -> LogTail:
        """Follows records as they arrive.

        Yields each with the number of records that were skipped right before it. Records are skipped when
        they are read too slowly. Any thread may close the tail to end it. `wanted`: which records; None: all.
        `last`: begin with so many of the newest stored records; 0: with none.

        Raises:
            InvalidRequestError: The filter is wrong.
        """
        request = pb.TailRequest(filter=(wanted or LogFilter()).message(), last=last)
        return LogTail(self._channel.tail(request, current_request_id()))

    def job_story(self, job_id: str, *, max_records: int | None = None) -> JobStory:
        """Returns the story of a job: stages, durations, losses, and its records.

        `max_records`: the most records to fetch, oldest first; None: all of them.

        Raises:
            JobNotFoundError: The collector has no record of that job.
        """
        first = self._story_page(job_id, "")
        self._note_damages(first.damaged_files)
        records = list(first.records)
        token = first.next_page_token
        while token and (max_records is None or len(records) < max_records):
            page = self._story_page(job_id, token)
            records += page.records
            token = page.next_page_token
        return story_of(first, records[:max_records])

    def histogram(self, wanted: LogFilter, *, buckets: int = 60) -> Histogram:
        """Counts the stored records that pass a filter, over time and by level.

        `wanted`: which records; its `since` and `until` must be set. `buckets`: 1 to 500 of the same length.

        Raises:
            InvalidRequestError: The filter or the number of buckets is wrong.
        """
        request = pb.GetHistogramRequest(filter=wanted.message(), buckets=buckets)
        answer = self._channel.histogram(request, self._timeout_seconds, current_request_id())
        self._note_damages(answer.damaged_files)
        counts = [
            (
                bucket.start.ToDatetime(UTC),
                {
                    logs_pb2.Level.Name(level).removeprefix("LEVEL_"): count  # type: ignore[arg-type]  # a map's keys are plain
                    for level, count in sorted(bucket.counts.items())
                },
            )
            for bucket in answer.buckets
        ]
        return Histogram(counts, answer.total, answer.is_complete)

    def stats(self) -> Mapping[str, Any]:
        """Returns the counters of ingest, journal, producers and sinks, named as in the contract."""
        return stats_of(self._channel.stats(self._timeout_seconds, current_request_id()))

    def close(self) -> None:
        """Closes the connection. Calls that are under way end. Idempotent."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note_damages(self, damages: Iterable[str]) -> None:
        self.damaged_files += [damage for damage in damages if damage not in self.damaged_files]

    def _story_page(self, job_id: str, token: str) -> pb.GetJobStoryResponse:
        request = pb.GetJobStoryRequest(job_id=job_id, page_token=token)
        return self._channel.job_story(request, self._timeout_seconds, current_request_id())


def story_of(first: pb.GetJobStoryResponse, records: Sequence[bytes]) -> JobStory:
    """Makes the story from its first page and the records of all pages."""
    return JobStory(
        job_id=first.job_id,
        stages=[
            Stage(
                stage.stage,
                stage.service,
                stage.attempt,
                stage.started.ToDatetime(UTC),
                stage.duration.ToTimedelta().total_seconds(),
                stage.records,
                stage.errors,
            )
            for stage in first.stages
        ],
        receipts=[Receipt(r.producer, r.service, r.records, r.missing) for r in first.receipts],
        record_count=first.record_count,
        expected_record_count=first.expected_record_count,
        error_count=first.error_count,
        last_attempt=first.last_attempt,
        started=first.started.ToDatetime(UTC),
        duration_seconds=first.duration.ToTimedelta().total_seconds(),
        records=records,
    )


def stats_of(answer: pb.GetStatsResponse) -> Mapping[str, Any]:
    """The counters as plain values: numbers are numbers, durations are seconds."""
    return _plain_message(answer)


def _plain_message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in message.DESCRIPTOR.fields:
        if entry.message_type is not None and entry.has_presence and not message.HasField(entry.name):
            continue
        value = getattr(message, entry.name)
        if isinstance(value, Mapping):
            found[entry.name] = {str(key): _plain_value(item) for key, item in value.items()}
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            found[entry.name] = [_plain_value(item) for item in value]
        else:
            found[entry.name] = _plain_value(value)
    return found


def _plain_value(value: Any) -> Any:
    if isinstance(value, Duration):
        return value.ToTimedelta().total_seconds()
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    return _plain_message(value) if isinstance(value, Message) else value


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    try:
        timestamp.FromDatetime(moment.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(f"{moment} cannot be used as a time: {error}") from error
    return timestamp
