"""What is known of one call when it has ended, and who is notified."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Protocol

import grpc
import msgspec


class CallRecord(msgspec.Struct, frozen=True):
    """One call that has ended."""

    method: str
    """The full method, such as "/telecine.encoder.v1.EncoderService/Encode"."""
    kind: str
    """"unary", "client_stream", "server_stream" or "bidi_stream"."""
    peer: str
    request_id: str
    code: grpc.StatusCode
    duration_seconds: float
    reason: str = ""
    """ErrorInfo.reason of a call that failed by our table; else empty."""
    error: BaseException | None = None
    """The exception behind INTERNAL, for the log alone."""


class CallObserver(Protocol):
    """Is notified of every call, on the event loop; must neither block nor raise."""

    def call_started(self, method: str, kind: str) -> None:
        """A call of a known method has begun."""
        ...

    def call_ended(self, record: CallRecord) -> None:
        """The call has ended, whichever way."""
        ...


_FORM = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


_CURRENT: ContextVar[str] = ContextVar("telecine_request_id", default="")


def current_request_id() -> str:
    """The id of the call that is being handled; empty outside of one."""
    return _CURRENT.get()


def set_request_id(request_id: str) -> None:
    """Makes the id current for the rest of this task."""
    _CURRENT.set(request_id)


def request_id_of(metadata: Iterable[tuple[str, str | bytes]], key: str) -> str:
    """The caller's id where it is one that can stand in a log and in metadata; else a new one."""
    for name, value in metadata:
        if name == key and isinstance(value, str) and _FORM.fullmatch(value):
            return value
    return secrets.token_hex(16)
