"""Reports aloud that a server does not answer: which one, why, and for how long it is tried."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from telecine.exceptions import LaterError, TelecineError, TimedOutError, UnavailableError

if TYPE_CHECKING:
    from telecine.logging import Logger
    from telecine.retry import Attempt, Retry

_R = TypeVar("_R")

SAY_AFTER_SECONDS = 1.0
"""Shorter outages (a server that restarts, a connection that moves) are nobody's business."""
QUIET_AFTER_ANSWER_SECONDS = 5.0
"""A server that has answered sends something once a second; a busy machine may be late with it."""
SLOW_ANSWER_SECONDS = 10.0
"""A server proves what it can make by encoding, which takes seconds right after its start."""
SAY_EVERY_SECONDS = 10.0
STAGE = "server:unreachable"
_LOGGER = "telecine.connection"
_END_SECONDS = 1.0
"""For a line that is being written."""
_NO_ANSWER = "does not answer"
_GRPC_PREFIX = "Failed to connect to remote host: "
_LEAST_SECONDS = 0.05
_LOOK_SECONDS = 0.1
_IDLE_SECONDS = 2.0


class Outage:
    """What is said while one server does not answer: made for one call or one upload. Thread-safe.

    Time counts from when it was made, later from the last answer. The first WARNING comes after
    SAY_AFTER_SECONDS (after an answer: QUIET_AFTER_ANSWER_SECONDS), the next every SAY_EVERY_SECONDS, and an
    INFO when the server answers again. Nothing is logged while a lock of the caller's is held, provided that
    none is held around these methods.

    Args:
        server: The name of the server, such as "encoder 127.0.0.1:50051".
        give_up_after_seconds: How long it is tried, counted from the beginning of the outage.
        clock: Seconds, monotonic.
        job_id: The job that waits, for the records. Empty: none does.
        is_slow: An answer may take its time: silence alone is reported after SLOW_ANSWER_SECONDS.
        log: Where the records go. None: the logger `telecine.connection`.
    """

    def __init__(
        self,
        server: str,
        give_up_after_seconds: float,
        *,
        job_id: str = "",
        is_slow: bool = False,
        clock: Callable[[], float] = time.monotonic,
        log: Logger | None = None,
    ) -> None:
        self._server = server
        self._give_up_after_seconds = give_up_after_seconds
        self._clock = clock
        self._log = log
        self._fields: dict[str, str] = {"job_id": job_id} if job_id else {}
        self._lock = threading.Lock()
        self._saying = threading.Lock()
        self._since = clock()
        self._next = self._since + (SLOW_ANSWER_SECONDS if is_slow else SAY_AFTER_SECONDS)
        self._problem = _NO_ANSWER
        self._has_said = False
        self._has_answered = False
        self._unreached: UnavailableError | None = None

    @property
    def wait_seconds(self) -> float:
        """How long from now until something would be said."""
        return max(0.0, self._next - self._clock())

    def failed(self, error: TelecineError) -> None:
        """A try has failed: remembers why, and says so where it is time."""
        if isinstance(error, LaterError):
            now = self._clock()
            with self._lock:
                if isinstance(error, UnavailableError):
                    self._unreached = error
                if self._has_answered and not self._has_said:
                    self._since, self._next = now, now + SAY_AFTER_SECONDS
                elif not self._has_said:
                    self._next = min(self._next, self._since + SAY_AFTER_SECONDS)
                self._has_answered = False
                self._problem = problem_of(error)
            self.look()

    def run(self, retrying: Retry, call: Callable[[], _R]) -> _R:
        """Tries the call until it returns, as `retrying` says, and says what is due meanwhile."""

        def tried(_: Attempt) -> _R:
            with self._noting():
                return call()

        with self._watched():
            found = retrying.run(tried)
        self.answered()
        return found

    async def run_async(self, retrying: Retry, call: Callable[[], Awaitable[_R]]) -> _R:
        """Does as `run`, on the running event loop."""

        async def tried(_: Attempt) -> _R:
            with self._noting():
                return await call()

        watching = asyncio.create_task(self._watch_async(), name="telecine-outage")
        try:
            found = await retrying.run_async(tried)
        finally:
            watching.cancel()
        self.answered()
        return found

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except TelecineError as error:
            self.failed(error)
            if isinstance(error, TimedOutError) and self._unreached is not None:
                raise self._unreached from error  # the time ran out because nobody could be reached
            raise

    def answered(self) -> None:
        """The server has answered; a silence from here on counts anew."""
        now = self._clock()
        with self._lock:
            seconds, has_said = now - self._since, self._has_said
            self._since, self._next = now, now + QUIET_AFTER_ANSWER_SECONDS
            self._problem, self._has_said, self._has_answered = _NO_ANSWER, False, True
        if has_said:
            text = f"{self._server} answers again, after {seconds:.0f} s"
            self._logger().info(text, stage=STAGE, **self._fields)

    def look(self) -> None:
        """Says what is due."""
        now = self._clock()
        with self._lock:
            if now < self._next:
                return
            self._next = now + SAY_EVERY_SECONDS
            self._has_said = True
            waited, problem = now - self._since, self._problem
        left = max(0.0, self._give_up_after_seconds - waited)
        self._logger().warning(
            f"{self._server} {problem}; waited {waited:.0f} s, trying for {left:.0f} s more",
            stage=STAGE,
            waited_seconds=round(waited, 1),
            gives_up_in_seconds=round(left, 1),
            **self._fields,
        )

    @contextmanager
    def _watched(self) -> Iterator[None]:
        _watch.add(self)
        try:
            yield
        finally:
            _watch.remove(self)
            # Python aborts where it ends while another thread writes to standard error.
            if self._saying.acquire(timeout=_END_SECONDS):
                self._saying.release()

    def look_beside(self) -> None:
        """Does as `look`, in the thread that watches."""
        if not self.wait_seconds:
            with self._saying:
                self.look()

    async def _watch_async(self) -> None:
        while True:
            await asyncio.sleep(max(_LEAST_SECONDS, self.wait_seconds))
            self.look()

    def _logger(self) -> Logger:
        from telecine.logging import get_logger  # late: the logging itself may use the channel

        return self._log or get_logger(_LOGGER)


class _Watch:
    """One thread that looks after every blocking call under way; it ends when none has been for a while.

    A thread for each call would double what a call costs.
    """

    def __init__(self) -> None:
        self._outages: set[Outage] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def add(self, outage: Outage) -> None:
        with self._lock:
            self._outages.add(outage)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="telecine-outage", daemon=True)
                with suppress(RuntimeError):  # the program is ending, or may have no more threads
                    thread.start()
                    self._thread = thread

    def remove(self, outage: Outage) -> None:
        with self._lock:
            self._outages.discard(outage)

    def _run(self) -> None:
        idle_until = time.monotonic() + _IDLE_SECONDS
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                outages = tuple(self._outages)
                if not outages and time.monotonic() > idle_until:
                    self._thread = None
                    return
            if outages:
                idle_until = time.monotonic() + _IDLE_SECONDS
            for outage in outages:
                outage.look_beside()

    def _begin_anew(self) -> None:
        """The thread and the calls of the parent are not this process's."""
        self._outages, self._lock, self._thread = set(), threading.Lock(), None


_watch = _Watch()


def problem_of(error: TelecineError) -> str:
    """What stands in the way, without the parts of gRPC's messages that repeat themselves."""
    if not isinstance(error, UnavailableError):
        return f"cannot take it now ({error.message})"
    text = error.message.rpartition("last error: ")[2].removeprefix("UNKNOWN: ")
    return f"does not answer ({text.rpartition(_GRPC_PREFIX)[2] or text})"
