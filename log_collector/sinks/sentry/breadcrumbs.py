"""Remembers the latest records of each job, for what came before an error."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from telecine.logging.catalogue import ID_FIELDS

_MAX_CHARS: Final = 500
_OVERHEAD_BYTES: Final = 100
_DATA: Final = frozenset({"stage", "event", "attempt", "duration_ms", "error", "error_type", "output"})
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_LEVELS: Final = {"TRACE": "debug", "CRITICAL": "fatal"}


class Breadcrumb(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step on the way, with Sentry's names."""

    timestamp: str
    level: str
    category: str
    message: str
    data: dict[str, str] = {}
    type: str = ""


class Breadcrumbs:
    """A ring of lines for each job; few are ever asked for, so only those are read again. Lost when the
    process ends: an event is worth sending without them."""

    def __init__(self, per_job: int, jobs: int, size_bytes: int) -> None:
        self._per_job = per_job
        self._jobs = jobs
        self._size_limit_bytes = size_bytes
        self._rings: OrderedDict[str, deque[bytes]] = OrderedDict()
        self.size_bytes = 0
        """Of all that is remembered, about."""

    def add(self, fields: Mapping[str, Any], line: bytes) -> None:
        """Remembers one record, if it belongs to a job or a request."""
        job = _job_of(fields)
        if not job or not self._per_job:
            return
        ring = self._rings.get(job)
        if ring is None:
            ring = self._rings[job] = deque()
        else:
            self._rings.move_to_end(job)
        ring.append(line)
        self.size_bytes += len(line) + _OVERHEAD_BYTES
        if len(ring) > self._per_job:
            self._forget_oldest(ring)
        while len(self._rings) > self._jobs:
            self._forget_job()
        while self.size_bytes > self._size_limit_bytes and len(self._rings) > 1:
            self._forget_job()
        while self.size_bytes > self._size_limit_bytes and ring:
            self._forget_oldest(ring)

    def of(self, fields: Mapping[str, Any]) -> list[Breadcrumb]:
        """What is remembered of a record's job, the oldest first."""
        return [_crumb(_decode(line)) for line in self._rings.get(_job_of(fields), ())]

    def _forget_job(self) -> None:
        _, ring = self._rings.popitem(last=False)
        while ring:
            self._forget_oldest(ring)

    def _forget_oldest(self, ring: deque[bytes]) -> None:
        self.size_bytes -= len(ring.popleft()) + _OVERHEAD_BYTES


def sentry_level(level: object) -> str:
    """A level's name for Sentry, which has neither TRACE nor CRITICAL."""
    name = str(level)
    return _LEVELS.get(name, name.lower())


def _job_of(fields: Mapping[str, Any]) -> str:
    for kind in ("job_id", "request_id"):
        value = fields.get(kind)
        if value not in (None, ""):
            return f"{kind}:{value}"
    return ""


def _crumb(fields: Mapping[str, Any]) -> Breadcrumb:
    data = {
        n: _cut(v) for n, v in fields.items() if n in _DATA or (n in ID_FIELDS and n not in ("job_id", "uid"))
    }
    return Breadcrumb(
        timestamp=str(fields.get("timestamp", "")),
        level=sentry_level(fields.get("level", "INFO")),
        category=_cut(fields.get("logger") or fields.get("service", "")),
        message=_cut(fields.get("msg", "")),
        data=data,
        type="error" if fields.get("level") in ("ERROR", "CRITICAL") else "",
    )


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 1]}…"
