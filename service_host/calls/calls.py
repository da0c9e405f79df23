"""What is known of one call when it has ended, and who is told of it."""

from __future__ import annotations

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
    """Is told of every call, on the event loop; must neither block nor raise."""

    def call_started(self, method: str, kind: str) -> None:
        """A call of a known method has begun."""
        ...

    def call_ended(self, record: CallRecord) -> None:
        """The call has ended, whichever way."""
        ...
