"""The logger that applications hold: structlog's interface on a short path of our own."""

from __future__ import annotations

from typing import Any, Self

from telecine.logging.catalogue import Level
from telecine.logging.pipeline import Pipeline

_EMPTY: dict[str, Any] = {}


class Source:
    """What all loggers of one name share; changed at run time by `set_log_level` and `configure_logging`."""

    __slots__ = ("has_own_level", "name", "pipeline", "rendered", "threshold")

    def __init__(self, name: str, pipeline: Pipeline, threshold: int) -> None:
        self.name = name
        self.has_own_level = False
        self.attach(pipeline, threshold)

    def attach(self, pipeline: Pipeline, threshold: int) -> None:
        """Sends the records of this name through another pipeline."""
        self.rendered = pipeline.source(self.name)
        self.pipeline = pipeline
        self.threshold = threshold


class Logger:
    """Immutable: `bind` returns another. Methods take an event, %-arguments for it, and fields.

    `logger.info("chunk persisted", job_id=job_id, frames=81)`. A known stage as the event becomes the
    field `stage`: `logger.info("pipeline:start", msg="processing started")`. Nothing raises.
    """

    __slots__ = ("_bound", "_bound_json", "_bound_pipeline", "_source")

    def __init__(self, source: Source, bound: dict[str, Any] | None = None) -> None:
        self._source = source
        self._bound = bound or _EMPTY
        self._bound_pipeline = source.pipeline
        self._bound_json = source.pipeline.bound(bound) if bound else b""

    def bind(self, **fields: Any) -> Self:
        """A logger that carries these fields too."""
        return type(self)(self._source, {**self._bound, **fields})

    def unbind(self, *names: str) -> Self:
        """A logger without these fields.

        Raises:
            KeyError: a field is not bound.
        """
        fields = dict(self._bound)
        for name in names:
            del fields[name]
        return type(self)(self._source, fields)

    def try_unbind(self, *names: str) -> Self:
        """A logger without these fields, bound or not."""
        return type(self)(self._source, {k: v for k, v in self._bound.items() if k not in names})

    def new(self, **fields: Any) -> Self:
        """A logger that carries only these fields."""
        return type(self)(self._source, fields)

    @property
    def name(self) -> str:
        """The logger's dotted name."""
        return self._source.name

    @property
    def _context(self) -> dict[str, Any]:
        """What is bound; structlog's name for it."""
        return dict(self._bound)

    def is_enabled_for(self, level: int) -> bool:
        """Whether a record of this level would be taken."""
        return level >= self._source.threshold

    isEnabledFor = is_enabled_for  # noqa: N815 - the name in stdlib logging

    def _emit(self, level: Level, event: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        source = self._source
        if self._bound_pipeline is not source.pipeline:
            # Bound before `configure_logging`.
            self._bound_json = source.pipeline.bound(self._bound) if self._bound else b""
            self._bound_pipeline = source.pipeline
        source.pipeline.emit(level, event, args, source.rendered, self._bound, self._bound_json, fields)

    def debug(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Detail for finding faults."""
        if self._source.threshold <= 10:
            self._emit(Level.DEBUG, event, args, fields)

    def info(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """What happens in normal operation."""
        if self._source.threshold <= 20:
            self._emit(Level.INFO, event, args, fields)

    def warning(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Something may go wrong."""
        if self._source.threshold <= 30:
            self._emit(Level.WARNING, event, args, fields)

    def error(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Something failed."""
        if self._source.threshold <= 40:
            self._emit(Level.ERROR, event, args, fields)

    def critical(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """The service may not go on."""
        if self._source.threshold <= 50:
            self._emit(Level.CRITICAL, event, args, fields)

    def exception(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """`error`, with the exception that is being handled."""
        if self._source.threshold <= 40:
            fields.setdefault("exc_info", True)
            self._emit(Level.ERROR, event, args, fields)

    def log(self, level: int | str, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """At a level given as a number or a name; unknown ones count as INFO."""
        known = known_level(level)
        if self._source.threshold <= known:
            self._emit(known, event, args, fields)

    warn = warning
    fatal = critical
    msg = info

    async def adebug(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """`debug`; it does not block, so nothing is awaited."""
        self.debug(event, *args, **fields)

    async def ainfo(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """See `adebug`."""
        self.info(event, *args, **fields)

    async def awarning(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """See `adebug`."""
        self.warning(event, *args, **fields)

    async def aerror(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """See `adebug`."""
        self.error(event, *args, **fields)

    async def acritical(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """See `adebug`."""
        self.critical(event, *args, **fields)

    async def aexception(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """See `adebug`."""
        self.exception(event, *args, **fields)


def known_level(level: int | str) -> Level:
    """The catalogue's level for a number or a name; INFO for what is unknown."""
    from telecine.logging.catalogue import parse_level

    return parse_level(level) or Level.INFO
