"""One client's connection: it must get on, and gives way when there are too many.

uvicorn waits for ever for a head that does not end, and for a client that takes no answer; here both are
closed.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CERTIFICATE = "certificate_pem"
"""Where the state of a connection has the client's certificate."""
_QUIET_SECONDS = 5.0
"""A connection whose client has sent nothing of its body for so long may have to make room."""


class Connection(H11Protocol):
    """Belongs to the event loop, like the table of all connections that it stands in."""

    head_seconds = 10.0
    limit = 256

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self.since = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Takes a place, perhaps another's."""
        has_room = len(self.connections) < self.limit or self._make_room()
        super().connection_made(transport)
        self.app_state = {CERTIFICATE: _certificate_of(transport)}
        if not has_room:
            transport.abort()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives the place up."""
        self._stop_waiting()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes a piece of a request, or of several."""
        self.since = time.monotonic()
        super().data_received(data)

    def handle_events(self) -> None:
        """Begins what has come as a whole."""
        super().handle_events()
        if self._is_busy:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Waits for the next request, or begins it where it is there already."""
        self.since = time.monotonic()
        self._expect_head()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, unless an answer has begun already."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.abort()

    def shutdown(self) -> None:
        """Ends the connection once the request under way is answered."""
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.abort()

    def pause_writing(self) -> None:
        """Waits for the client to take what was sent, though not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.head_seconds, self.abort)

    def resume_writing(self) -> None:
        """Goes on: the client has taken it."""
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def abort(self) -> None:
        """Ends the connection without a word."""
        self._stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

    @property
    def is_quiet(self) -> bool:
        """Whether its client owes something and has been silent."""
        owes_body = self.cycle is not None and self.cycle.more_body
        is_silent = time.monotonic() - self.since > _QUIET_SECONDS
        return not self._is_busy or (owes_body and is_silent)

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> bool:
        quiet = [one for one in self.connections if isinstance(one, Connection) and one.is_quiet]
        if not quiet:
            return False
        min(quiet, key=lambda one: one.since).abort()
        return True

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(self.head_seconds, self.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _certificate_of(transport: asyncio.Transport) -> bytes:
    """The client's certificate, which TLS has checked, as PEM; empty: none."""
    connection = transport.get_extra_info("ssl_object")
    found = connection.getpeercert(binary_form=True) if connection is not None else None
    return ssl.DER_cert_to_PEM_cert(found).encode() if found else b""
