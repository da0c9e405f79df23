"""What the blocking and the asyncio client share: where the server is, patience, limits, rules of use."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field

from telecine import exceptions as errors
from telecine.options import KeepAlive, Tls
from telecine.retry import Backoff, BreakerPolicy, CircuitBreaker, Decision, Retry, RetryPolicy
from telecine.retry.report import report_decision

SERVER_VARIABLE = "TELECINE_SERVER"
"""Environment variable that names the server when the caller does not."""
DOWNLOAD_ATTEMPT_SECONDS = 300.0
"""A download that takes longer goes on with a new call."""
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
    """Lay frames into memory that a server on this machine offers, in place of sending them."""
    process_id: int = field(default_factory=os.getpid)

    def stream_backoff(self) -> Backoff:
        """Patience of a stream."""
        return Backoff(self.retry)

    def report_lost(
        self, decision: Decision | None, error: errors.TelecineError, job_id: str, connection: int
    ) -> None:
        """Logs what follows from a lost connection of an upload; None: nothing."""
        if decision is not None:
            report_decision(
                decision, self.retry, error, call="Encode", level="INFO", job_id=job_id, connection=connection
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
    retained_bytes: int,
    call_timeout_seconds: float,
    *,
    shares_memory: bool = True,
) -> ClientSettings:
    """Fills in what the caller left out."""
    server = server or os.environ.get(SERVER_VARIABLE) or None
    retry = retry or RetryPolicy()
    circuit = CircuitBreaker(f"encoder {server or 'embedded'}", CIRCUIT, counts=_speaks_against_the_server)
    return ClientSettings(
        server=server,
        tls=tls,
        keep_alive=keep_alive or KeepAlive(),
        retry=retry,
        calls=Retry(retry, breaker=circuit, level="INFO"),
        retained_bytes=retained_bytes,
        call_timeout_seconds=call_timeout_seconds,
        shares_memory=shares_memory,
    )


def _speaks_against_the_server(error: Exception) -> bool:
    return isinstance(error, errors.UnavailableError | errors.TimedOutError)


def pause_seconds(backoff: Backoff, error: errors.TelecineError, call: str) -> float:
    """How long to wait before the next try; raises `error` when the patience is at its end.

    `call`: what was tried, for the record of the decision.
    """
    decision = backoff.decide(error, time.monotonic(), random.random())  # noqa: S311 -- jitter
    report_decision(decision, backoff.policy, error, call=call, level="INFO")
    if not decision.is_again:
        raise error
    return decision.delay_seconds
