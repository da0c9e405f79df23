"""A job's story from its records: stages with durations, attempts, errors, and whether all arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from telecine.logging.record.reading import LineReader
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.files.names import LogFile
from log_collector.files.routing import Gap, Receipt
from log_collector.journal.ownership import shown_producer
from log_collector.query.reading_files import read_sound_blocks

StructT = TypeVar("StructT", bound=msgspec.Struct)


class _Record(msgspec.Struct, gc=False):
    timestamp: str = ""
    level: str = "INFO"
    service: str = ""
    stage: str | None = None
    operation_started: str | None = None
    attempt: int | None = None
    duration_ms: float | int | None = None


class _Stage(msgspec.Struct):
    first: str
    last: str
    records: int = 0
    errors: int = 0
    duration_ms: float | None = None


def tell_story(
    story: pb.GetJobStoryResponse,
    records: Sequence[LogFile],
    receipts: Sequence[LogFile],
    gaps: Sequence[LogFile],
    damaged: list[str],
) -> None:
    """Fills in everything of the first page but the records themselves, and adds to `damaged` what is."""
    stages: dict[tuple[str, str, int], _Stage] = {}
    first, last = "", ""
    for record in _structs(records, _Record, damaged):
        story.record_count += 1
        is_error = record.level in ("ERROR", "CRITICAL")
        story.error_count += is_error
        attempt = min(max(record.attempt or 0, 0), 2**31 - 1)
        story.last_attempt = max(story.last_attempt, attempt)
        began = _began(record)
        first = min(first or began, began)
        last = max(last, record.timestamp)
        if record.stage:
            _note(stages, (record.stage, record.service, attempt), record, is_error=is_error)
    story.started.CopyFrom(_timestamp(first))
    story.duration.CopyFrom(_between(first, last))
    story.stages.extend(
        _stage_story(key, stage) for key, stage in sorted(stages.items(), key=lambda item: item[1].first)
    )
    story.receipts.extend(_receipts(receipts, gaps, damaged))
    story.expected_record_count = story.record_count + sum(receipt.missing for receipt in story.receipts)


def _note(
    stages: dict[tuple[str, str, int], _Stage],
    key: tuple[str, str, int],
    record: _Record,
    *,
    is_error: bool,
) -> None:
    stage = stages.get(key)
    if stage is None:
        stage = stages[key] = _Stage(record.timestamp, record.timestamp)
    stage.first = min(stage.first, _began(record))
    stage.last = max(stage.last, record.timestamp)
    stage.records += 1
    stage.errors += is_error
    if record.duration_ms is not None:
        stage.duration_ms = max(stage.duration_ms or 0.0, record.duration_ms)


def _began(record: _Record) -> str:
    """When the work began that the record ends; most records say nothing but their own time."""
    began = record.operation_started or ""
    return began if len(began) == len(record.timestamp) and began < record.timestamp else record.timestamp


def _stage_story(key: tuple[str, str, int], stage: _Stage) -> logs_pb2.StageStory:
    name, service, attempt = key
    duration = _between(stage.first, stage.last)
    if stage.duration_ms is not None:
        duration = Duration()
        duration.FromMicroseconds(int(min(max(stage.duration_ms, 0.0), 1e12) * 1000))
    return logs_pb2.StageStory(
        stage=name,
        service=service,
        attempt=attempt,
        started=_timestamp(stage.first),
        ended=_timestamp(stage.last),
        duration=duration,
        records=stage.records,
        errors=stage.errors,
    )


def _receipts(
    receipts: Sequence[LogFile], gaps: Sequence[LogFile], damaged: list[str]
) -> list[logs_pb2.ProducerReceipt]:
    joined: dict[str, Receipt] = {}
    for receipt in _structs(receipts, Receipt, damaged):
        # Files of release 0.1.0 have the ids themselves.
        known = joined.setdefault(shown_producer(receipt.producer), receipt)
        if known is not receipt:
            known.records += receipt.records
            known.first_seq = min(known.first_seq, receipt.first_seq)
            known.last_seq = max(known.last_seq, receipt.last_seq)
    missing = dict.fromkeys(joined, 0)
    for gap in _structs(gaps, Gap, damaged):
        name = shown_producer(gap.producer)
        of = joined.get(name)
        if of is not None and of.first_seq < gap.first_missing_seq < of.last_seq:
            missing[name] += gap.count
    return [
        logs_pb2.ProducerReceipt(producer=name, service=r.service, records=r.records, missing=missing[name])
        for name, r in sorted(joined.items())
    ]


def _structs(files: Sequence[LogFile], kind: type[StructT], damaged: list[str]) -> Iterator[StructT]:
    reader = LineReader(kind)
    for file in files:
        for _, block in read_sound_blocks(file.path, damaged):
            for line in block[:-1].split(b"\n"):
                found = reader.read(line)
                # What others wrote into our files is no record of ours.
                if found is not None:
                    yield found


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _timestamp(text: str) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(_moment(text))
    return timestamp


def _between(first: str, last: str) -> Duration:
    duration = Duration()
    duration.FromTimedelta(_moment(last) - _moment(first))
    return duration
