"""Bounds on calls that are open at once, so that a few clients that say nothing cannot shut all others out.

Three kinds have room of their own: health checks, short calls, and streams. A stream that still owes its
first message is ended when its time is up, or when too many owe theirs: honest clients owe it for
milliseconds. When all streams are taken, one whose client has said nothing for long makes room; its client
may come back. Pure but for the timeouts that it reschedules.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.status.status import ServiceError

_PROBE = "/grpc.health.v1.Health/Check"
_PROBES_PER_CONNECTION = 16
_SILENT_SHARE = 4
"""One stream of so many may owe its first message."""
_FEWEST_SILENT = 8
"""So many may owe it in any case: honest clients open streams at the same time, too."""
QUIET_SECONDS = 30.0
"""A stream whose client said nothing for so long may have to make room for another."""

_current: ContextVar[Ticket | None] = ContextVar("call_ticket", default=None)


class Limits(msgspec.Struct, frozen=True):
    """How many of each kind, and how long a first message may take."""

    max_calls: int
    max_streams: int
    max_streams_per_connection: int
    first_message_seconds: float


class Ticket:
    """One call's place among the others. Lives on the event loop."""

    def __init__(self, peer: str, kind: str, now: float) -> None:
        self.peer = peer
        self.is_stream = kind != "unary"
        self.sends_much = kind in {"client_stream", "bidi_stream"}
        """Whether its client is expected to go on talking."""
        self.heard_at = now
        self.is_silent = True
        """Its first message has not come."""
        self.tenant: str | None = None
        """None: not known yet."""
        self.error: ServiceError | None = None
        """Why it was ended from outside."""
        self.scope: asyncio.Timeout | None = None

    def end(self, error: ServiceError) -> None:
        """Makes the call end with this error; the first one counts."""
        if self.error is None and self.scope is not None and not self.scope.expired():
            self.error = error
            self.scope.reschedule(asyncio.get_running_loop().time())


class CallBounds:
    """Counts the calls of one server. Lives on the event loop."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._calls = 0
        self._streams: dict[Ticket, None] = {}
        """In the order of their beginning."""
        self._streams_of: Counter[str] = Counter()
        self._probes_of: Counter[str] = Counter()

    @contextmanager
    def admit(self, method: str, kind: str, peer: str) -> Iterator[Ticket]:
        """A place for one call while the body runs. Raises ServiceError TOO_MANY_STREAMS."""
        ticket = Ticket(peer, kind, self._monotonic())
        if method == _PROBE:
            with _counted(self._probes_of, peer, _PROBES_PER_CONNECTION, "health checks on this connection"):
                yield ticket
            return
        if ticket.is_stream:
            self._make_room(ticket)
        if self._calls >= self._limits.max_calls:
            raise _too_many(f"{self._limits.max_calls} calls are open already")
        self._calls += 1
        try:
            if not ticket.is_stream:
                yield ticket
                return
            limit = self._limits.max_streams_per_connection
            with _counted(self._streams_of, _connection(peer), limit, "streams on this connection"):
                self._streams[ticket] = None
                try:
                    yield ticket
                finally:
                    self._streams.pop(ticket, None)
        finally:
            self._calls -= 1

    async def run(self, ticket: Ticket, body: Callable[[], object]) -> object:
        """Awaits `body()`, ending it when its first message does not come or room is needed.

        Raises ServiceError STREAM_SILENT or TOO_MANY_STREAMS, and whatever `body` raises.
        """
        seconds = self._limits.first_message_seconds
        scope = asyncio.timeout(seconds)
        token = _current.set(ticket)
        try:
            async with scope:
                ticket.scope = scope
                return await body()  # type: ignore[misc]  # whatever is awaitable
        except TimeoutError:
            if not scope.expired():
                raise
            raise ticket.error or _silent(seconds) from None
        finally:
            _current.reset(token)

    def hear(self) -> None:
        """A message of the call of this task has come."""
        ticket = _current.get()
        if ticket is None:
            return
        ticket.heard_at = self._monotonic()
        if ticket.is_silent:
            ticket.is_silent = False
            if ticket.scope is not None and ticket.error is None and not ticket.scope.expired():
                ticket.scope.reschedule(None)

    def settle(self, ticket: Ticket, tenant: str, share: int) -> None:
        """Its tenant is known now, which may hold one of `share` places of streams that only listen.

        Raises ServiceError TOO_MANY_STREAMS.
        """
        ticket.tenant = tenant
        if not ticket.is_stream or ticket.sends_much:
            return
        limit = max(1, self._limits.max_streams // 2 // share)
        if self._followers(tenant) > limit:
            raise _too_many(f"{limit} streams that only listen are open already for the same tenant")

    def _followers(self, tenant: str | None = None) -> int:
        return sum(
            not ticket.sends_much and (tenant is None or ticket.tenant == tenant) for ticket in self._streams
        )

    def _make_room(self, newcomer: Ticket) -> None:
        limit = max(1, self._limits.max_streams // 2)
        if not newcomer.sends_much and self._followers() >= limit:
            raise _too_many(f"{limit} streams that only listen are open already")
        silent = [ticket for ticket in self._streams if ticket.is_silent]
        if len(silent) >= max(_FEWEST_SILENT, self._limits.max_streams // _SILENT_SHARE):
            self._end(silent[0], _silent(self._monotonic() - silent[0].heard_at))
        if len(self._streams) < self._limits.max_streams:
            return
        quiet_since = self._monotonic() - QUIET_SECONDS
        talkers = (ticket for ticket in self._streams if ticket.sends_much)
        quietest = min(talkers, key=lambda ticket: ticket.heard_at, default=None)
        if quietest is None or (quietest.heard_at > quiet_since and not quietest.is_silent):
            raise _too_many(f"{self._limits.max_streams} streams are open already")
        self._end(quietest, _too_many("this stream said nothing for long and makes room for another"))

    def _end(self, ticket: Ticket, error: ServiceError) -> None:
        # Its place is free at once: the call itself ends within this turn of the event loop or the next.
        self._streams.pop(ticket, None)
        ticket.end(error)


def _connection(peer: str) -> str:
    """Unix sockets do not tell their clients apart: each stream counts as a connection's only one."""
    return "" if peer.startswith("unix") else peer


@contextmanager
def _counted(counter: Counter[str], key: str, limit: int, what: str) -> Iterator[None]:
    if not key:
        yield
        return
    if counter[key] >= limit:
        raise _too_many(f"{limit} {what} are open already")
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


def _too_many(message: str) -> ServiceError:
    return ServiceError(reasons.ERROR_REASON_TOO_MANY_STREAMS, f"{message}; try again later")


def _silent(seconds: float) -> ServiceError:
    message = f"no message came within {seconds:.3g} s; a call's first message is sent at once"
    return ServiceError(reasons.ERROR_REASON_STREAM_SILENT, message)
