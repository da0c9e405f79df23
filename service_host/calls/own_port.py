"""A port that a service serves by itself beside gRPC's, within the host's life."""

from __future__ import annotations

import ssl
from typing import Protocol

import msgspec

from service_host.calls.calls import CallObserver
from service_host.calls.guard import Guard


class Ground(msgspec.Struct, frozen=True):
    """What the host lends to such a port, so that its calls are treated as gRPC's are."""

    observers: tuple[CallObserver, ...]
    """To be notified of each call."""
    guard: Guard
    """Says who calls and what each may; to be asked for each call."""
    tls: ssl.SSLContext | None
    """The service's certificate, renewed by itself. None: the port speaks plain text, as gRPC's does."""


class OwnPort(Protocol):
    """Everything is called on the host's event loop: `bind`, `open`, and always `close`."""

    async def bind(self, ground: Ground) -> str:
        """Takes the address, answers nothing yet, and returns "host:port". Raises AddressError."""
        ...

    async def open(self) -> None:
        """Begins to answer; the service has started. Raises AddressError."""
        ...

    async def close(self, grace_seconds: float) -> None:
        """Takes no new request, ends those under way within the time, and gives the address back.

        Called after the service's `drain` and before its `close`, or without both after a start that
        failed. Idempotent.
        """
        ...
