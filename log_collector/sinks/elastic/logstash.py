"""How Logstash takes records: its `http` input, as an array of documents with ECS names."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from log_collector.sinks.elastic.config import LogstashConfig
from log_collector.sinks.elastic.ecs import ecs_document
from log_collector.sinks.http.door import HttpResponse, Request
from log_collector.sinks.http.responses import Piece, Verdict, judge_whole
from log_collector.sinks.journal_record import JournalRecord


class LogstashWire:
    """A `Wire`. Logstash knows no ids: `event.id` is what a pipeline can use as `document_id`."""

    kind = "logstash"
    read_bytes = 512 << 10

    def __init__(self, config: LogstashConfig, clock: Callable[[], float] = time.time) -> None:
        self._url = config.url
        self._clock = clock

    def piece(self, record: JournalRecord) -> Piece:
        """See `Wire`."""
        return Piece(record, msgspec.json.encode(ecs_document(record.fields or {}, record.id)))

    def passed(self, record: JournalRecord) -> None:
        """See `Wire`."""

    def request(self, pieces: Sequence[Piece]) -> Request:
        """See `Wire`."""
        body = b"[" + b",".join(piece.body for piece in pieces) + b"]"
        return Request(self._url, body, {"Content-Type": "application/json"})

    def judge(self, answer: HttpResponse, pieces: Sequence[Piece]) -> Verdict:
        """See `Wire`."""
        return judge_whole(answer, pieces, self._clock())
