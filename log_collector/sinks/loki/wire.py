"""How Grafana Loki takes records: the push API, as JSON, each request sorted into streams."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from log_collector.sinks.http.door import HttpResponse, Request
from log_collector.sinks.http.responses import (
    Fate,
    Piece,
    Refused,
    Verdict,
    fate_of,
    halves,
    judge_whole,
    text_of,
)
from log_collector.sinks.journal_record import JournalRecord
from log_collector.sinks.loki.config import LokiConfig
from log_collector.sinks.loki.entry import LokiEntries, Stream

_REASONS: Final = (
    ("too far behind", "too_far_behind"),
    ("out of order", "out_of_order"),
    ("timestamp too old", "too_old"),
    ("timestamp too new", "too_new"),
    ("max entry size", "line_too_long"),
    ("line too long", "line_too_long"),
    ("structured metadata", "metadata_not_taken"),
)
"""What the answer says, and how such records are counted."""
_REJECTED: Final = "rejected"
_ALL_IGNORED: Final = re.compile(r"total ignored: (\d+) out of (\d+)")
_OLDEST: Final = re.compile(r"oldest acceptable timestamp is: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_DISALLOWED: Final = "feature is disallowed"
_DISALLOWED_FAULT: Final = (
    "structured metadata is not allowed there: "
    "set allow_structured_metadata in Loki, or metadata_bytes = 0 here"
)


class _LokiPiece(Piece, frozen=True):
    """A piece that knows its stream and its time."""

    stream: Stream = ()
    unix_nano: int = 0


class LokiWire:
    """A `Wire`. Loki keeps what it can of a request and refuses the rest, without always saying which: then
    the request is parted until a record stands alone. A line that it has already is the same line to it."""

    kind = "loki"
    read_bytes = 512 << 10

    def __init__(self, config: LokiConfig, clock: Callable[[], float] = time.time) -> None:
        self._url = f"{config.url.rstrip('/')}/loki/api/v1/push"
        self._headers = {"Content-Type": "application/json"}
        if config.tenant:
            self._headers["X-Scope-OrgID"] = config.tenant
        self._entries = LokiEntries(config)
        self._clock = clock

    def piece(self, record: JournalRecord) -> Piece:
        """See `Wire`."""
        entry = self._entries.entry(record)
        return _LokiPiece(record, entry.as_json(), stream=entry.stream, unix_nano=int(entry.unix_nano))

    def passed(self, record: JournalRecord) -> None:
        """See `Wire`."""

    def request(self, pieces: Sequence[Piece]) -> Request:
        """See `Wire`. The order within each stream is that of the journal."""
        streams: dict[Stream, list[bytes]] = {}
        for piece in pieces:
            streams.setdefault(_stream_of(piece), []).append(piece.body)
        parts = [
            b'{"stream":%s,"values":[%s]}' % (msgspec.json.encode(dict(stream)), b",".join(values))
            for stream, values in streams.items()
        ]
        return Request(self._url, b'{"streams":[%s]}' % b",".join(parts), self._headers)

    def judge(self, answer: HttpResponse, pieces: Sequence[Piece]) -> Verdict:
        """See `Wire`."""
        if fate_of(answer.status) is not Fate.NEVER:
            return judge_whole(answer, pieces, self._clock())
        text = answer.body.decode("utf-8", "replace")
        if _DISALLOWED in text:
            return Verdict(again=pieces, fault=_DISALLOWED_FAULT)
        streams: dict[Stream, list[Piece]] = {}
        for piece in pieces:
            streams.setdefault(_stream_of(piece), []).append(piece)
        if len(streams) > 1:
            return Verdict(parts=list(streams.values()))
        ignored = _ignored(text, pieces)
        if not ignored and len(pieces) > 1:
            return Verdict(parts=halves(pieces))
        reason = next((name for words, name in _REASONS if words in text), _REJECTED)
        refused = [Refused(piece, reason, text_of(answer)) for piece in ignored or pieces]
        known = {id(piece) for piece in ignored or pieces}
        rest = [piece for piece in pieces if id(piece) not in known]
        return Verdict(refused=refused, parts=[rest] if rest else [])


def _stream_of(piece: Piece) -> Stream:
    return piece.stream if isinstance(piece, _LokiPiece) else ()


def _ignored(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces of one stream that Loki says it ignored, as after an outage; none: it does not say."""
    counted = _ALL_IGNORED.search(text)
    if counted is not None and int(counted[1]) == int(counted[2]) == len(pieces):
        return list(pieces)
    oldest = _OLDEST.search(text)
    if oldest is None:
        return []
    limit_nano = int(datetime.fromisoformat(oldest[1]).timestamp()) * 10**9
    return [piece for piece in pieces if isinstance(piece, _LokiPiece) and piece.unix_nano < limit_nano]
