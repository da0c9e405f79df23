"""How Elasticsearch takes records: the bulk API, a data stream, and ids by which it knows what it has."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from log_collector.sinks.elastic.config import ElasticsearchConfig
from log_collector.sinks.elastic.ecs import ecs_document
from log_collector.sinks.http.door import HttpResponse, Request
from log_collector.sinks.http.responses import (
    Fate,
    Piece,
    Refused,
    Verdict,
    fate_of,
    fault_of,
    judge_whole,
    wait_of,
)
from log_collector.sinks.journal_record import JournalRecord
from log_collector.sinks.sink import SinkError

_WANTED: Final = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_IS_THERE: Final = 409
_MAX_REASONS: Final = 32
_MAX_DETAIL_CHARS: Final = 500
_REASON: Final = re.compile(r"[a-z0-9_]{1,64}")


class _Error(msgspec.Struct):
    type: str = ""
    reason: str = ""


class _Result(msgspec.Struct):
    status: int
    error: _Error | None = None


class _Bulk(msgspec.Struct):
    items: list[dict[str, _Result]] = []
    """One for each document, in its order."""


_decode: Final = msgspec.json.Decoder(_Bulk).decode


class ElasticsearchWire:
    """A `Wire`. `create` with an id: what is sent again is answered with 409, and stands there once."""

    kind = "elasticsearch"
    read_bytes = 512 << 10

    def __init__(self, config: ElasticsearchConfig, clock: Callable[[], float] = time.time) -> None:
        stream = {"type": "logs", "dataset": config.dataset, "namespace": config.namespace}
        self._stream = stream
        pipeline = f"&pipeline={quote(config.pipeline, safe='')}" if config.pipeline else ""
        self._url = (
            f"{config.url.rstrip('/')}/{quote('-'.join(stream.values()), safe='-')}/_bulk?{_WANTED}{pipeline}"
        )
        self._headers = {"Content-Type": "application/x-ndjson"}
        if config.api_key:
            self._headers["Authorization"] = f"ApiKey {config.api_key}"
        self._clock = clock
        self._reasons: set[str] = set()

    def piece(self, record: JournalRecord) -> Piece:
        """See `Wire`."""
        document = ecs_document(record.fields or {}, record.id)
        document["data_stream"] = self._stream
        document.setdefault("event", {})["dataset"] = self._stream["dataset"]
        action = b'{"create":{"_id":"%s"}}\n' % record.id.encode()
        return Piece(record, action + msgspec.json.encode(document) + b"\n")

    def passed(self, record: JournalRecord) -> None:
        """See `Wire`."""

    def request(self, pieces: Sequence[Piece]) -> Request:
        """See `Wire`."""
        return Request(self._url, b"".join(piece.body for piece in pieces), self._headers)

    def judge(self, answer: HttpResponse, pieces: Sequence[Piece]) -> Verdict:
        """See `Wire`."""
        if fate_of(answer.status) is not Fate.TAKEN:
            return judge_whole(answer, pieces, self._clock())
        try:
            results = [result for item in _decode(answer.body).items for result in item.values()]
        except msgspec.MsgspecError as error:
            raise SinkError("the answer is not that of a bulk request") from error
        if len(results) != len(pieces):
            raise SinkError(f"the answer is about {len(results)} documents, expected {len(pieces)}")
        again: list[Piece] = []
        refused: list[Refused] = []
        fault = ""
        for piece, result in zip(pieces, results, strict=True):
            fate = Fate.TAKEN if result.status == _IS_THERE else fate_of(result.status)
            if fate is Fate.AGAIN:
                again.append(piece)
                fault = fault or fault_of(HttpResponse(result.status, {}))
            elif fate is not Fate.TAKEN:
                said = result.error or _Error()
                refused.append(Refused(piece, self._reason(said.type), said.reason[:_MAX_DETAIL_CHARS]))
        if again:
            fault = f"{len(again)} of {len(pieces)} documents: {fault}"
        return Verdict(again, refused, fault=fault, wait_seconds=wait_of(answer, self._clock()))

    def _reason(self, kind: str) -> str:
        """The type of an error as the name of a counter; there is a bound to how many names there are."""
        if kind in self._reasons:
            return kind
        if len(self._reasons) < _MAX_REASONS and _REASON.fullmatch(kind):
            self._reasons.add(kind)
            return kind
        return "rejected"
