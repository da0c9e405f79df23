"""Pieces of work in the log: one record at the end of each, with its events, duration and outcome."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from telecine.logging.catalogue import EVENT_PROGRESS, OPERATION_FAMILY, Level
from telecine.logging.logger import Logger
from telecine.logging.operations.watched import watched
from telecine.logging.record.context import LogContext

_P = ParamSpec("_P")
_R = TypeVar("_R")

MAX_EVENTS: Final = 200
"""Further events of one operation are counted and left out of its record."""
PROGRESS_SECONDS: Final = 1.0
"""Progress that comes sooner after the last that was logged at INFO is logged at DEBUG."""
_NOT_BOUND: Final = frozenset({"stage"})
"""Belongs to the operation's own record, not to those within."""


class OperationStatus(StrEnum):
    """How an operation ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """By an interruption or a cancelled task."""
    SKIPPED = "skipped"
    """There was nothing to do; said by `skip`."""
    STOPPED = "stopped"
    """A generator whose consumer did not want the rest."""


_WORDS: Final = {
    "success": OperationStatus.SUCCEEDED,
    "ok": OperationStatus.SUCCEEDED,
    "failure": OperationStatus.FAILED,
    "error": OperationStatus.FAILED,
}
"""What others call a status."""
_LEVELS: Final = {OperationStatus.FAILED: Level.ERROR, OperationStatus.CANCELLED: Level.WARNING}
_current: ContextVar[Operation | None] = ContextVar("telecine_operation", default=None)


def current_operation() -> Operation | None:
    """The innermost operation that is under way in this thread or task; None outside of any."""
    return _current.get()


class Operation:
    """One piece of work; made by `telecine.logging.operation`.

    Args:
        name: What is done.
        context: Stands on its records.
        log: Returns the logger of its records.
        clock: Seconds that only go forward.
        utc: The time of day, for `operation_started`.
    """

    def __init__(
        self,
        name: str,
        context: dict[str, Any],
        log: Callable[[], Logger],
        clock: Callable[[], float] = time.perf_counter,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.id = ""
        """8 hex digits, once it has begun; names it in its records and as the parent of others."""
        self.parent_id = ""
        """Of the operation that it began in; empty: none."""
        self.status = OperationStatus.SUCCEEDED
        """What it ends with, unless an exception says otherwise."""
        self._context = context
        self._log_of = log
        self._clock = clock
        self._utc = utc
        self._fields: dict[str, Any] = {}
        self._events: list[dict[str, Any]] = []
        self._left_out = 0
        self._began_at: float | None = None
        self._progress_at: float | None = None
        self._has_ended = False
        self._started = ""
        self._step: AbstractContextManager[None] | None = None

    # --- while it runs ---------------------------------------------------------------------------

    @property
    def duration_ms(self) -> float:
        """How long it has run so far; 0 before it begins."""
        return 0.0 if self._began_at is None else round((self._clock() - self._began_at) * 1000, 3)

    def event(self, name: str, /, **fields: Any) -> Self:
        """Notes something that happened; it stands in the final record, and at DEBUG in one of its own."""
        noted = {"event": name, "after_ms": self.duration_ms, **fields}
        if len(self._events) < MAX_EVENTS:
            self._events.append(noted)
        else:
            self._left_out += 1
        self._log_of().debug(f"{self.name}: {name}", **{**noted, **self._identity()})
        return self

    def add_event(self, name: str, data: Mapping[str, Any] | None = None) -> Self:
        """Notes something that happened, as `event` does, with its data in a mapping. None: no data."""
        return self.event(name, **{str(key): value for key, value in (data or {}).items()})

    def progress(self, done: float, message: str = "", /, *, total: float = 1.0, **fields: Any) -> Self:
        """Logs how far it has come, with `progress_percent`, `progress_done`, `progress_total`.

        One record a second is INFO, and so is the last, at `total`; those between are DEBUG.

        Args:
            done: How much is done, in the unit of `total`: 0.5 is half, or 3 with `total=8`.
            message: What goes on. Empty: the operation's name and the percentage.
            total: How much there is to do. 0: unknown; there is no percentage then.
            **fields: Stand on the record too.
        """
        percent = _percent(done, total)
        now = self._clock()
        is_due = self._progress_at is None or now - self._progress_at >= PROGRESS_SECONDS
        is_shown = is_due or percent == 100
        if is_shown:
            self._progress_at = now
        known: dict[str, Any] = {"stage": self._stage(), "event": EVENT_PROGRESS, "progress": self.name}
        if percent is not None:
            known["progress_percent"] = percent
        known |= {"progress_done": done, "progress_total": total or None, "after_ms": self.duration_ms}
        shown = "" if percent is None else f"{percent:g} %"
        self._log_of().log(
            Level.INFO if is_shown else Level.DEBUG,
            message or f"{self.name}: {shown or done}",
            **{**self._context, **known, **self._identity(), **fields},
        )
        return self

    def set(self, **fields: Any) -> Self:
        """Adds fields to the final record."""
        self._fields.update(fields)
        return self

    def fail(self, reason: str) -> Self:
        """It will end as failed, without an exception."""
        self.status = OperationStatus.FAILED
        return self.set(error=reason)

    def skip(self, reason: str) -> Self:
        """It will end as skipped."""
        self.status = OperationStatus.SKIPPED
        return self.set(reason=reason)

    # --- beginning and end -----------------------------------------------------------------------

    def begin(self) -> None:
        """It begins; a block and a decorated call do this themselves.

        Raises:
            RuntimeError: it has begun before.
        """
        if self._began_at is not None:
            raise RuntimeError(f"operation {self.name!r} has begun already; make one for each piece of work")
        parent = _current.get()
        self.parent_id = parent.id if parent is not None else ""
        self.id = secrets.token_hex(4)
        self._started = self._utc().isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._began_at = self._clock()
        self._log_of().debug(f"{self.name} started", **{**self._context, **self._identity()})

    def start(self) -> Self:
        """Begins it where a block does not fit; `end` ends it, in any function, thread or task.

        Other than a block it binds nothing: records between do not carry its context.

        Raises:
            RuntimeError: It has begun before.
        """
        self.begin()
        return self

    def end(
        self,
        status: OperationStatus | str = OperationStatus.SUCCEEDED,
        error: BaseException | str | None = None,
    ) -> None:
        """Ends what `start` began, and writes its record. An operation ends once: later calls do nothing.

        Args:
            status: How it ended: a status, or "success" or "failure".
            error: What went wrong; with one, an operation that "succeeded" has failed. None: nothing.

        Raises:
            ValueError: There is no such status.
        """
        known = _status(status)
        if error is not None and known is OperationStatus.SUCCEEDED:
            known = OperationStatus.FAILED
        self.status = known
        if isinstance(error, str):
            self.set(error=error)
        self.ended(error if isinstance(error, BaseException) else None, known)

    @contextmanager
    def step(self) -> Iterator[None]:
        """A stretch in which records and operations belong to it."""
        token = _current.set(self)
        bound = {name: value for name, value in self._context.items() if name not in _NOT_BOUND}
        try:
            with LogContext(**{**bound, "operation": self.name, "operation_id": self.id}):
                yield
        finally:
            _current.reset(token)

    def ended(self, error: BaseException | None, status: OperationStatus | None = None) -> None:
        """It ends, with `error` or as `status` says: this writes the record, once.

        `status`: what an error means. None: failed, cancelled or stopped, by its class.
        """
        if self._has_ended:
            return
        self._has_ended = True
        if status is not None:
            self.status = status
        elif isinstance(error, GeneratorExit):
            self.status = OperationStatus.STOPPED
        elif error is not None:
            is_fault = isinstance(error, Exception)
            self.status = OperationStatus.FAILED if is_fault else OperationStatus.CANCELLED
        fields = {
            **self._context,
            "stage": self._stage(),
            **{name: value for name, value in self._context.items() if name in _NOT_BOUND},
            **self._identity(),
            "status": str(self.status),
            "operation_started": self._started,
            "duration_ms": self.duration_ms,
            **self._fields,
        }
        if self._events:
            fields["events"] = self._events
        if self._left_out:
            fields["events_left_out"] = self._left_out
        if error is not None and self.status is not OperationStatus.STOPPED:
            fields["exc_info"] = error
        self._log_of().log(_LEVELS.get(self.status, Level.INFO), f"{self.name} {self.status}", **fields)

    def __enter__(self) -> Self:
        self.begin()
        self._step = self.step()
        self._step.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
        self.ended(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """As a decorator: each call is an operation of its own, generators included."""
        return watched(
            function, lambda: Operation(self.name, self._context, self._log_of, self._clock, self._utc)
        )

    def _stage(self) -> str:
        return self.name if ":" in self.name else f"{OPERATION_FAMILY}:{self.name}"

    def _identity(self) -> dict[str, Any]:
        known = {"operation": self.name, "operation_id": self.id}
        return {**known, "parent_operation_id": self.parent_id} if self.parent_id else known


def _status(status: OperationStatus | str) -> OperationStatus:
    word = str(status).lower()
    try:
        return _WORDS.get(word) or OperationStatus(word)
    except ValueError:
        known = ", ".join((*(each.value for each in OperationStatus), "success", "failure"))
        raise ValueError(f"there is no status {status!r} of an operation; expected one of {known}") from None


def _percent(done: float, total: float) -> float | None:
    """How much of the whole is done, from 0 to 100; None where that cannot be said."""
    try:
        percent = 100 * done / total
    except (TypeError, ZeroDivisionError, OverflowError):
        return None
    return min(100.0, max(0.0, round(percent, 2))) if math.isfinite(percent) else None


class Timer:
    """Watches one call; see `telecine.logging.watched.Watch`."""

    def __init__(
        self,
        name: str,
        fields: dict[str, Any],
        log: Logger,
        level: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock`: seconds."""
        self._name = name
        self._fields = fields
        self._log = log
        self._level = level
        self._clock = clock
        self._began_at = 0.0
        self._started = ""
        self._own_seconds = 0.0
        self._steps = 0

    def begin(self) -> None:
        """See `Watch`."""
        self._started = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._began_at = self._clock()

    @contextmanager
    def step(self) -> Iterator[None]:
        """See `Watch`."""
        before = self._clock()
        try:
            yield
        finally:
            self._own_seconds += self._clock() - before
            self._steps += 1

    def ended(self, error: BaseException | None) -> None:
        """See `Watch`. The error is named, and its stack left to the code that handles it."""
        fields = {
            "stage": f"{OPERATION_FAMILY}:{self._name}",
            "operation_started": self._started,
            "duration_ms": round(self._own_seconds * 1000, 3),
            **self._fields,
        }
        if self._steps > 1:
            fields["elapsed_ms"] = round((self._clock() - self._began_at) * 1000, 3)
        if error is not None and not isinstance(error, GeneratorExit):
            fields |= {"error": str(error), "error_type": type(error).__name__}
        self._log.log(self._level, f"{self._name} executed", **fields)
