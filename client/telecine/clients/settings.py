"""What the blocking and the asyncio client share: where the server is, patience, limits, rules of use."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from typing import TypeVar

from telecine import exceptions as errors
from telecine.clients.sdk_config import load_sdk_config
from telecine.host_id import host_id
from telecine.request.options import KeepAlive, Tls
from telecine.retry import Backoff, BreakerPolicy, CircuitBreaker, Decision, Retry, RetryPolicy
from telecine.retry.report import report_decision
from telecine.sharing.secret import ServerSecret

_Value = TypeVar("_Value")

DOWNLOAD_ATTEMPT_SECONDS = 300.0
"""A download that takes longer goes on with a new call."""
RING_PATIENCE_SECONDS = 0.05
"""How long a push waits for room in the ring, and the first one for the ring itself: frames that go through
other memory are copied twice. A server that works answers sooner."""
CANCEL_SECONDS = 5.0
"""Nobody who presses Ctrl-C waits longer for a server that does not answer; it expires the job itself."""
CIRCUIT = BreakerPolicy(failures_to_open=10, open_seconds=1.0)
"""When the unary calls of a client leave a dead server alone: together they ask it once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client behaves."""

    server: str | None
    """None: an embedded one."""
    tls: Tls | None = None
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    calls: Retry = field(default_factory=Retry)
    """How unary calls are tried again: one budget and one circuit for all of them."""
    retained_bytes: int = 256 << 20
    call_timeout_seconds: float = 30.0
    shares_memory: bool = True
    """Lay frames into memory that a server on this machine offers, and copy artifacts from its disk, in
    place of sending them."""
    secret: ServerSecret = field(default_factory=ServerSecret)
    """Of a server on this machine, once it has been read: proof of being there."""
    process_id: int = field(default_factory=os.getpid)

    @property
    def host_id(self) -> str:
        """What a server on this machine knows it by; empty: nothing is shared with one."""
        return host_id() if self.shares_memory else ""

    def stream_backoff(self) -> Backoff:
        """Patience of a stream."""
        return Backoff(self.retry)

    def report_lost(
        self, decision: Decision | None, error: errors.TelecineError, job_id: str, connection: int
    ) -> None:
        """Logs what follows from a lost connection of an upload; None: nothing."""
        if decision is not None:
            level = _level(error)
            report_decision(
                decision, self.retry, error, call="Encode", level=level, job_id=job_id, connection=connection
            )

    def check_process(self) -> None:
        """Raises OutOfOrderError in a process that was forked after the client was made."""
        if os.getpid() != self.process_id:
            raise errors.OutOfOrderError(
                "this client was made before a fork, which gRPC does not survive; make one in this process"
            )


def settings_of(
    server: str | None,
    tls: Tls | None,
    keep_alive: KeepAlive | None,
    retry: RetryPolicy | None,
    retained_bytes: int | None,
    call_timeout_seconds: float | None,
    *,
    shares_memory: bool | None = None,
) -> ClientSettings:
    """Fills in what the caller left out. Raises InvalidRequestError where the configuration is wrong."""
    configured = load_sdk_config().value
    server = server or configured.server or None
    retry = retry or configured.retry.options()
    circuit = CircuitBreaker(
        f"encoder {server or 'embedded'}", CIRCUIT, counts=_speaks_against_the_server, level="INFO"
    )
    return ClientSettings(
        server=server,
        tls=tls or configured.tls.options(),
        keep_alive=keep_alive or configured.keep_alive.options(),
        retry=retry,
        calls=Retry(retry, breaker=circuit, level="INFO"),
        retained_bytes=_or(retained_bytes, configured.retained_bytes),
        call_timeout_seconds=_or(call_timeout_seconds, configured.call_timeout_seconds),
        shares_memory=_or(shares_memory, configured.shares_memory),
    )


def _or(said: _Value | None, configured: _Value) -> _Value:
    return configured if said is None else said


def _speaks_against_the_server(error: Exception) -> bool:
    return isinstance(error, errors.UnavailableError | errors.TimedOutError)


def pause_seconds(backoff: Backoff, error: errors.TelecineError, call: str) -> float:
    """How long to wait before the next try; raises `error` when the patience is at its end.

    `call`: what was tried, for the record of the decision.
    """
    decision = backoff.decide(error, time.monotonic(), random.random())  # noqa: S311 -- jitter
    report_decision(decision, backoff.policy, error, call=call, level=_level(error))
    if not decision.is_again:
        raise error
    return decision.delay_seconds


def _level(error: errors.TelecineError) -> str:
    """A lost connection comes back by itself; for room on a disk somebody may have to do something."""
    return "WARNING" if isinstance(error, errors.DiskFullError | errors.SpoolFullError) else "INFO"
