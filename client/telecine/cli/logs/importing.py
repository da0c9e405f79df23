"""Reads old log files, JSON or plain text of the usual forms, as records to be shipped."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import msgspec

from telecine.cli.logs.old_text import message_fields, stack_fields
from telecine.cli.show.failures import UnavailableHereError
from telecine.logging.catalogue import LEVEL_ALIASES
from telecine.logging.shipping.messages import Acknowledged, Broken, Refused, Rejected, ShipStream
from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch

_TIME: Final = r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
_WORD: Final = r"[A-Za-z]{3,9}"
_FORMS: Final = (
    # 2025-11-11 22:30:45 - job_processor - INFO - Processing job
    re.compile(rf"{_TIME} - (?P<logger>[^ ]+) - (?P<level>{_WORD}) - (?P<msg>.*)"),
    # [2025-11-27 14:09:15] [pipeline] [INFO] Stage demux: STARTING
    re.compile(rf"\[{_TIME}\] \[(?P<logger>[^\]]+)\] \[(?P<level>{_WORD})\] ?(?P<msg>.*)"),
    # 2026-11-21 03:51:14.123 INFO     worker.denoise step finished
    re.compile(rf"{_TIME} +\[?(?P<level>{_WORD})\]?:? +(?P<logger>[A-Za-z_][\w.]*)[: ] *(?P<msg>.*)"),
    re.compile(rf"{_TIME}[ -]+\[?(?P<level>{_WORD})\]?[ :-]+(?P<msg>.*)"),
)
_MAX_STACK_CHARS: Final = 64_000
_BATCH_RECORDS: Final = 1000


def read_records(
    lines: Iterator[bytes], service: str, now: Callable[[], datetime], zone: tzinfo | None = None
) -> Iterator[bytes]:
    """Yields a JSON line for each record; a line that begins none belongs to the record before it.

    Args:
        lines: The file.
        service: For records that name none.
        now: The time of records without one.
        zone: Of times that name none. None: this machine's.
    """
    pending: dict[str, Any] | None = None
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text.strip():
            continue
        fields = _json_fields(text) if text.startswith("{") else _text_fields(text, zone)
        if fields is None:
            if pending is None:
                pending = {"timestamp": now().isoformat(), "level": "INFO", "msg": text}
            else:
                pending["stack"] = f"{pending.get('stack', '')}{text}\n"[:_MAX_STACK_CHARS]
            continue
        if pending is not None:
            yield _line(pending, service)
        pending = fields
    if pending is not None:
        yield _line(pending, service)


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


def _json_fields(text: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def _text_fields(text: str, zone: tzinfo | None) -> dict[str, Any] | None:
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        found = match.groupdict()
        if found["level"].upper() not in LEVEL_ALIASES:
            continue
        moment = datetime.fromisoformat(found["time"].replace(",", "."))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        fields = {
            "timestamp": moment.astimezone(UTC).isoformat(),
            "level": found["level"],
            "msg": found["msg"],
        }
        if found.get("logger"):
            fields["logger"] = found["logger"]
        return fields
    return None


def _line(fields: dict[str, Any], service: str) -> bytes:
    said = stack_fields(str(fields.get("stack", "")))
    msg = fields.get("msg", fields.get("message"))
    if isinstance(msg, str) and fields.keys().isdisjoint(("duration_ms", "stage")):
        said |= message_fields(msg)
    for name, value in said.items():
        fields.setdefault(name, value)
    fields.setdefault("service", service)
    return msgspec.json.encode(fields)
