"""Writes one structured record for each call that has ended."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import structlog

from service_host.calls.calls import CallRecord

LogCall = Callable[[str, CallRecord], None]
"""Takes the level ("debug", "info", "warning" or "error") and the call."""

_QUIET_PREFIXES = ("/grpc.health.", "/grpc.reflection.")
_OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
_NOTABLE = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS}


class AccessLog:
    """A call observer that logs; probes are logged at debug, for they come every few seconds."""

    def __init__(self, log_call: LogCall | None = None) -> None:
        self._log_call = log_call or log_through_structlog

    def call_started(self, method: str, kind: str) -> None:
        """Says nothing: one record per call, at its end."""

    def call_ended(self, record: CallRecord) -> None:
        """Logs the call at the level its status deserves."""
        self._log_call(level_of(record), record)


def level_of(record: CallRecord) -> str:
    """error: ours to fix; warning: refused for now, or corrupted; debug: a probe; info: all else."""
    if record.code in _OURS:
        return "error"
    if record.code in _NOTABLE:
        return "warning"
    return "debug" if record.method.startswith(_QUIET_PREFIXES) else "info"


def log_through_structlog(level: str, record: CallRecord) -> None:
    """The default: a record "rpc" of the logger "service_host.access"."""
    extra = {"reason": record.reason} if record.reason else {}
    structlog.get_logger("service_host.access").log(
        _LEVELS[level],
        "rpc",
        method=record.method,
        rpc_kind=record.kind,
        peer=record.peer,
        status=record.code.name,
        duration_ms=round(record.duration_seconds * 1000, 3),
        request_id=record.request_id,
        exc_info=record.error,
        **extra,
    )


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
