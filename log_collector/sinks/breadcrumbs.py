"""Remembers the latest records of each job, for what came before an error."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from telecine.logging.catalogue import ID_FIELDS

_MAX_CHARS: Final = 500
_OVERHEAD_BYTES: Final = 200
_DATA: Final = frozenset({"stage", "event", "attempt", "duration_ms", "error", "error_type", "output"})
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
    """A ring for each job. Lost when the process ends: an event is worth sending without them."""

    def __init__(self, per_job: int, jobs: int, size_bytes: int) -> None:
        self._per_job = per_job
        self._jobs = jobs
        self._size_limit_bytes = size_bytes
        self._rings: OrderedDict[str, deque[Breadcrumb]] = OrderedDict()
        self.size_bytes = 0
        """Of all that is remembered, about."""

    def add(self, fields: Mapping[str, Any]) -> None:
        """Remembers one record, if it belongs to a job or a request."""
        job = _job_of(fields)
        if not job or not self._per_job:
            return
        ring = self._rings.setdefault(job, deque())
        self._rings.move_to_end(job)
        crumb = _crumb(fields)
        ring.append(crumb)
        self.size_bytes += _size(crumb)
        if len(ring) > self._per_job:
            self.size_bytes -= _size(ring.popleft())
        while len(self._rings) > self._jobs or (
            self.size_bytes > self._size_limit_bytes and len(self._rings) > 1
        ):
            _, forgotten = self._rings.popitem(last=False)
            self.size_bytes -= sum(map(_size, forgotten))

    def of(self, fields: Mapping[str, Any]) -> list[Breadcrumb]:
        """What is remembered of a record's job, the oldest first."""
        return list(self._rings.get(_job_of(fields), ()))


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


def _size(crumb: Breadcrumb) -> int:
    texts = (crumb.message, crumb.category, *crumb.data, *crumb.data.values())
    return _OVERHEAD_BYTES + sum(map(len, texts))
