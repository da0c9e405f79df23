"""The logger that applications hold: structlog's interface on a short path of our own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Self

from telecine.logging.bridges.capturing import are_tests_loaded
from telecine.logging.catalogue import Level, parse_level
from telecine.logging.pipeline import Pipeline
from telecine.logging.record.line import MERGED_FIELDS
from telecine.logging.record.plain import plain

_EMPTY: dict[str, Any] = {}


class Source:
    """What all loggers of one name share; changed at run time by `set_log_level` and `configure_logging`."""

    __slots__ = ("level", "name", "pipeline", "rendered", "threshold")

    def __init__(self, name: str, pipeline: Pipeline, level: int) -> None:
        self.name = name
        self.attach(pipeline, level)

    def attach(self, pipeline: Pipeline, level: int) -> None:
        """Sends the records of this name through another pipeline."""
        self.rendered = pipeline.source(self.name)
        self.pipeline = pipeline
        self.set_level(level)

    def set_level(self, level: int) -> None:
        """The lowest level that is written; tests may capture what is below."""
        self.level = level
        self.threshold = 0 if are_tests_loaded() else level


class Logger:
    """Immutable: `bind` returns another. Methods take an event, %-arguments for it, and fields.

    `logger.info("chunk persisted", job_id=job_id, frames=81)`. A known stage as the event becomes the
    field `stage`: `logger.info("pipeline:start", msg="processing started")`. Nothing raises.
    """

    __slots__ = ("bound", "bound_json", "bound_pipeline", "source")

    def __init__(self, source: Source, bound: dict[str, Any] | None = None) -> None:
        self.source = source
        """What it shares with the loggers of the same name."""
        self.bound = bound or _EMPTY
        """The fields that it carries."""
        self.bound_pipeline: Pipeline | None = source.pipeline
        """For which pipeline `bound_json` was rendered; another one came with `configure_logging`."""
        self.bound_json = source.pipeline.bound(bound) if bound else b""
        if bound and not MERGED_FIELDS.isdisjoint(bound):
            # What is rendered for the source has a field of that name: each record is put together anew.
            self.bound_pipeline = None

    def bind(self, **fields: Any) -> Self:
        """A logger that carries these fields too."""
        return type(self)(self.source, {**self.bound, **fields})

    def unbind(self, *names: str) -> Self:
        """A logger without these fields.

        Raises:
            KeyError: a field is not bound.
        """
        fields = dict(self.bound)
        for name in names:
            del fields[name]
        return type(self)(self.source, fields)

    def try_unbind(self, *names: str) -> Self:
        """A logger without these fields, bound or not."""
        return type(self)(self.source, {k: v for k, v in self.bound.items() if k not in names})

    def new(self, **fields: Any) -> Self:
        """A logger that carries only these fields."""
        return type(self)(self.source, fields)

    def __reduce__(self) -> tuple[Callable[..., Logger], tuple[Any, ...]]:
        # By name: a copy, and what another process unpickles, logs where that process logs.
        # What is bound may be anything, such as a lock; it goes as the text that it is shown as.
        return _unpickled, (
            type(self),
            self.source.name,
            {name: plain(value) for name, value in self.bound.items()},
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @property
    def name(self) -> str:
        """The logger's dotted name."""
        return self.source.name

    @property
    def _context(self) -> dict[str, Any]:
        """What is bound; structlog's name for it."""
        return dict(self.bound)

    def is_enabled_for(self, level: int) -> bool:
        """Whether a record of this level would be taken."""
        return level >= self.source.level

    isEnabledFor = is_enabled_for  # noqa: N815 - the name in stdlib logging

    def get_effective_level(self) -> int:
        """The lowest level that is written."""
        return self.source.level

    getEffectiveLevel = get_effective_level  # noqa: N815 - the name in stdlib logging

    def trace(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """More detail than `debug`."""
        source = self.source
        if source.threshold <= 5:
            source.pipeline.emit(5, event, args, self, fields)

    def debug(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Detail for finding faults."""
        source = self.source
        if source.threshold <= 10:
            source.pipeline.emit(10, event, args, self, fields)

    def info(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """What happens in normal operation."""
        source = self.source
        if source.threshold <= 20:
            source.pipeline.emit(20, event, args, self, fields)

    def warning(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Something may go wrong, or is not as it should be."""
        source = self.source
        if source.threshold <= 30:
            source.pipeline.emit(30, event, args, self, fields)

    def error(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Something failed; the program goes on."""
        source = self.source
        if source.threshold <= 40:
            source.pipeline.emit(40, event, args, self, fields)

    def critical(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """The service may not go on."""
        source = self.source
        if source.threshold <= 50:
            source.pipeline.emit(50, event, args, self, fields)

    def exception(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """`error`, with the exception that is being handled."""
        source = self.source
        if source.threshold <= 40:
            fields.setdefault("exc_info", True)
            source.pipeline.emit(40, event, args, self, fields)

    def log(self, level: Any, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """At a level given as a number or a name; what is none counts as INFO."""
        known = known_level(level)
        if self.source.threshold <= known:
            self.source.pipeline.emit(known, event, args, self, fields)

    warn = warning
    err = failure = error
    fatal = critical
    msg = info

    async def atrace(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `trace`. It does not block, so nothing is awaited."""
        self.trace(event, *args, **fields)

    async def adebug(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `debug`. It does not block, so nothing is awaited."""
        self.debug(event, *args, **fields)

    async def ainfo(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `info`. It does not block, so nothing is awaited."""
        self.info(event, *args, **fields)

    async def awarning(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `warning`. It does not block, so nothing is awaited."""
        self.warning(event, *args, **fields)

    async def aerror(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `error`. It does not block, so nothing is awaited."""
        self.error(event, *args, **fields)

    async def acritical(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `critical`. It does not block, so nothing is awaited."""
        self.critical(event, *args, **fields)

    async def aexception(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `exception`. It does not block, so nothing is awaited."""
        self.exception(event, *args, **fields)

    async def alog(self, level: Any, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Logs like `log`. It does not block, so nothing is awaited."""
        self.log(level, event, *args, **fields)

    awarn = awarning
    afatal = acritical
    amsg = ainfo


def _unpickled(kind: type[Logger], name: str, bound: dict[str, Any]) -> Logger:
    """The logger of that name in this process, with the fields that it carried."""
    setup = importlib.import_module("telecine.logging.setup")  # it imports this module
    return kind(setup.STATE.logger(name).source, bound)


def known_level(level: Any) -> Level:
    """The catalogue's level for a number or a name; INFO for what is unknown."""
    return parse_level(level) or Level.INFO
