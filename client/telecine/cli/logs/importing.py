"""Reads old log files, JSON or plain text of the usual forms, as records to be shipped."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import msgspec

from telecine.cli.logs.forms.json_lines import understood
from telecine.cli.logs.forms.text_lines import guessed_level, read_text
from telecine.cli.logs.old_text import message_fields, stack_fields
from telecine.cli.show.failures import UnavailableHereError
from telecine.logging.shipping.messages import Acknowledged, Broken, Refused, Rejected, ShipStream
from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch

_MAX_STACK_CHARS: Final = 64_000
"""Of lines that follow a record; those behind begin a record of their own."""
_TRACEBACK: Final = "Traceback (most recent call last):"
_ERROR: Final = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?")
_FOLLOWS: Final = (
    " ", "\t", _TRACEBACK, "Caused by:", "During handling of", "The above exception",
    "}", "]", ")", "| ", "+-",
)  # fmt: skip
"""What a line begins with that belongs to the record before it."""
_BATCH_RECORDS: Final = 1000


def read_records(
    lines: Iterator[bytes], service: str, now: Callable[[], datetime], zone: tzinfo | None = None
) -> Iterator[bytes]:
    """Yields a JSON line for each record.

    Lines that are indented, and those of a traceback, belong to the record before them. Every other line is a
    record, be its form known or not; one without a time has that of the record before it.

    Args:
        lines: The file.
        service: For records that name none.
        now: The time of the first records, where they have none.
        zone: Of times that name none. None: this machine's.
    """
    reading = _Reading(service, now, zone)
    for line in lines:
        yield from reading.take(line)
    yield from reading.end()


class _Reading:
    """The lines of one file; the record at hand waits for what may belong to it."""

    def __init__(self, service: str, now: Callable[[], datetime], zone: tzinfo | None) -> None:
        self._zone = zone
        self._service = service
        self._now = now
        self._pending: dict[str, Any] | None = None
        self._following: list[str] = []
        self._following_chars = 0
        self._is_in_traceback = False
        self._last_time: object = None
        self._parts: list[str] = []

    def take(self, line: bytes) -> Iterator[bytes]:
        """Takes a line, and yields the record that it ends."""
        text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        if not text.strip():
            return
        if not text.startswith("{") and self._follows(text):
            self._following.append(text)
            self._following_chars += len(text) + 1
            return
        fields = self._read(text)
        if fields is None:
            return
        yield from self.end()
        if "timestamp" in fields:
            self._last_time = fields["timestamp"]
        else:
            fields["timestamp"] = self._last_time or self._now().isoformat()
        self._pending = fields

    def end(self) -> Iterator[bytes]:
        """Yields the record at hand."""
        fields, self._pending = self._pending, None
        if fields is None:
            return
        if self._following:
            stack = "\n".join(self._following)
            before = fields.get("stack")
            fields["stack"] = f"{before}\n{stack}" if isinstance(before, str) else stack
        said = stack_fields(str(fields.get("stack", "")))
        msg = fields.get("msg")
        if isinstance(msg, str) and fields.keys().isdisjoint(("duration_ms", "stage")):
            said |= message_fields(msg)
        for name, value in said.items():
            fields.setdefault(name, value)
        self._following, self._following_chars, self._is_in_traceback = [], 0, False
        fields.setdefault("service", self._service)
        yield _encoded(fields)

    def _follows(self, text: str) -> bool:
        if self._pending is None or self._following_chars + len(text) > _MAX_STACK_CHARS:
            return False
        if text.startswith(_FOLLOWS):
            self._is_in_traceback |= text == _TRACEBACK
            return True
        if not self._is_in_traceback or read_text(text, self._now(), self._zone) is not None:
            return False
        # The error itself ends a traceback.
        self._is_in_traceback = False
        return _ERROR.fullmatch(text) is not None

    def _fields_of(self, text: str) -> dict[str, Any] | None:
        if not text.startswith("{"):
            return read_text(text, self._now(), self._zone)
        try:
            tree: dict[str, Any] = _decoder.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            return None
        return understood(tree, self._inner, self._zone)

    def _read(self, text: str) -> dict[str, Any] | None:
        """The fields of a line; None: it is a part of a line that goes on."""
        fields = self._fields_of(text)
        if fields is None:
            return {"level": guessed_level(text), "msg": text}
        if "inner" in fields and "part" in fields:
            self._parts.append(fields.pop("inner"))
            if fields.pop("part") == "P" and sum(map(len, self._parts)) < _MAX_STACK_CHARS:
                return None
            inner, self._parts = "".join(self._parts), []
            return fields | self._inner(inner)
        return fields

    def _inner(self, text: str) -> dict[str, Any]:
        """A line that another one wraps; its own time counts, where it has one."""
        fields = self._fields_of(text)
        if fields is None or "inner" in fields:
            return {"level": guessed_level(text), "msg": text}
        return fields


def _encoded(fields: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(fields)
    except (ValueError, OverflowError, RecursionError):
        # A value that no JSON line of ours can hold, such as a number of a hundred digits, stays as its text.
        return msgspec.json.encode({name: _held(value) for name, value in fields.items()})


def _held(value: object) -> object:
    try:
        msgspec.json.encode(value)
    except (ValueError, OverflowError, RecursionError):
        return str(value)
    return value


def ship_records(stream: ShipStream, path: Path, service: str, records: Iterator[bytes]) -> tuple[int, int]:
    """Ships all; returns how many were taken and rejected. The same file shipped again is stored once.

    Raises UnavailableHereError when the collector does not take them.
    """
    digest = hashlib.blake2b(f"{path.resolve()}|{path.stat().st_ino}".encode(), digest_size=10).hexdigest()
    producer = f"import-{digest}"
    shipping = _Shipping(stream, producer)
    stream.resume(producer)
    last = shipping.wait(lambda: shipping.known)
    seq = 0
    batch: list[bytes] = []
    for record in records:
        seq += 1
        if seq > last:
            batch.append(record)
        if len(batch) == _BATCH_RECORDS:
            shipping.send(service, seq, batch)
            batch = []
    if batch:
        shipping.send(service, seq, batch)
    return max(0, seq - last), shipping.rejected


class _Shipping:
    """One batch under way at a time: an import need not be fast, but whole."""

    _PATIENCE_SECONDS = 30.0

    def __init__(self, stream: ShipStream, producer: str) -> None:
        self._stream = stream
        self._producer = producer
        self.known: int | None = None
        self.rejected = 0

    def send(self, service: str, last_seq: int, batch: list[bytes]) -> None:
        lines = b"\n".join((*batch, b""))
        made = SpooledBatch(first_seq=last_seq - len(batch) + 1, count=len(batch), lines=lines, lost_before=0)
        self._stream.send(self._producer, Resource(service), made)
        self.wait(lambda: self.known if (self.known or 0) >= last_seq else None)

    def wait(self, found: Callable[[], int | None]) -> int:
        deadline = time.monotonic() + self._PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for answer in self._stream.answers(0.2):
                if isinstance(answer, Acknowledged):
                    self.known = max(self.known or 0, answer.last_seq)
                elif isinstance(answer, Rejected):
                    self.rejected += answer.count
                elif isinstance(answer, Broken | Refused):
                    reason = answer.reason if isinstance(answer, Broken) else "it is full or stops"
                    raise UnavailableHereError(
                        f"the collector does not take the records: {reason}",
                        "repeat the command later; what was taken is not stored twice",
                    )
            value = found()
            if value is not None:
                return value
        raise UnavailableHereError("the collector does not answer", "check --server, then repeat the command")


# Numbers stay as they were written: 1.10 is not 1.1 for who compares.
_decoder: Final = msgspec.json.Decoder(dict[str, Any], float_hook=lambda text: msgspec.Raw(text.encode()))
