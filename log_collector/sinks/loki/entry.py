"""One record as Loki keeps it: a stream's labels, a time, a line and its structured metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from log_collector.sinks.journal_record import JournalRecord
from log_collector.sinks.loki.config import LokiConfig

OTHER: Final = "_other"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")
_LABELS: Final = ("service", "env")
_TAKEN: Final = frozenset({"timestamp", "level", "msg", *_LABELS})
_MAX_DEPTH: Final = 4

Stream = tuple[tuple[str, str], ...]
"""Names and values of the labels."""


class LokiEntry(msgspec.Struct, frozen=True):
    """An entry of one stream."""

    stream: Stream
    unix_nano: str
    line: str
    metadata: dict[str, str]

    def as_json(self) -> bytes:
        """The entry as the push API takes it."""
        parts = (self.unix_nano, self.line, self.metadata) if self.metadata else (self.unix_nano, self.line)
        return msgspec.json.encode(parts)


class LokiEntries:
    """Makes entries. Remembers which values have become labels, so that there are few streams."""

    def __init__(self, config: LokiConfig) -> None:
        self._config = config
        self._fixed: Stream = tuple(config.labels.items())
        self._known: dict[str, set[str]] = {name: set() for name in _LABELS}

    def entry(self, record: JournalRecord) -> LokiEntry:
        """The entry of one record.

        Loki takes equal lines of one time for one. A record's time ends with its microsecond, so its place in
        its batch stands in the three digits below that.
        """
        fields = record.fields or {}
        stream = self._stream(fields)
        nano = _unix_micro(str(fields.get("timestamp", ""))) * 1000 + record.index % 1000
        metadata = self._metadata(fields, stream)
        if metadata is None:
            return LokiEntry(stream, str(nano), record.line.decode("utf-8", "replace"), {})
        return LokiEntry(stream, str(nano), str(fields.get("msg", "")), metadata)

    def _stream(self, fields: Mapping[str, Any]) -> Stream:
        labels = [*self._fixed, ("level", str(fields.get("level", "INFO")).lower())]
        for name in _LABELS:
            value = fields.get(name)
            if not value:
                continue
            known = self._known[name]
            if value not in known and len(known) < self._config.label_values:
                known.add(str(value))
            labels.append((name, str(value) if value in known else OTHER))
        return tuple(sorted(labels))

    def _metadata(self, fields: Mapping[str, Any], stream: Stream) -> dict[str, str] | None:
        """None: it is too much."""
        found: dict[str, str] = {}
        _flatten({k: v for k, v in fields.items() if k not in _TAKEN}, "", 0, found)
        found |= {name: str(fields[name]) for name, value in stream if value == OTHER and name in fields}
        size = sum(len(name) + len(value.encode("utf-8", "replace")) for name, value in found.items())
        is_too_much = size > self._config.metadata_bytes or len(found) > self._config.metadata_fields
        return None if is_too_much else found


def _flatten(values: Mapping[str, Any], prefix: str, depth: int, found: dict[str, str]) -> None:
    for name, value in values.items():
        key = _NOT_A_NAME.sub("_", f"{prefix}{name}")
        key = f"_{key}" if not key or key[0].isdigit() else key
        if isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
            _flatten(value, f"{key}_", depth + 1, found)
        elif value is not None:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            # Two names that are the same to Loki: neither value may be lost.
            found[key] = f"{found[key]} {text}" if key in found else text


def _unix_micro(timestamp: str) -> int:
    try:
        return (datetime.fromisoformat(timestamp) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        return 0
