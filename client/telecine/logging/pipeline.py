"""Where every record goes through: rendered and redacted once, then spooled, filed and shown."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

from telecine.logging.bridges.capturing import capture_for_handlers, capture_for_structlog, is_capturing
from telecine.logging.catalogue import EVENT_RECORDS_LOST, ID_FIELDS, STAGES_BY_NAME, Level
from telecine.logging.outputs.console import WRITING, is_echo
from telecine.logging.record.call_arguments import exc_info_of, formatted, normalised
from telecine.logging.record.context import task_fields
from telecine.logging.record.line import LineRenderer
from telecine.logging.record.plain import plain
from telecine.logging.record.sampling import Held, StageSampler
from telecine.logging.redaction import Redactor
from telecine.logging.shipping.spool import Spool
from telecine.logging.shipping.spool_reader import read_acked

_SPECIAL = frozenset({"msg", "extra", "exc_info", "stack_info"})
_WARNING = int(Level.WARNING)
_MAX_SAID = 2000
_JSON_TYPES = frozenset({str, int, float, bool, type(None), list, tuple, dict, bytes})
_NOTHING: dict[str, Any] = {}
_REMEMBERED_NAMES = 10_000


class Output(Protocol):
    """Somewhere records are written to at once. `write` does not raise for reasons of its own."""

    level: int
    """The lowest that is written."""
    failures: int
    """How many records it could not write."""

    def write(self, line: bytes) -> None:
        """Takes one record as a JSON line; called from any thread."""

    def close(self) -> None:
        """Releases what was opened; idempotent."""


class Rendered(Protocol):
    """What all loggers of a name share."""

    name: str
    level: int
    """The lowest that is taken."""
    rendered: bytes
    """What `Pipeline.source` gave."""


class Bound(Protocol):
    """A logger, as far as the pipeline looks at it."""

    bound: dict[str, Any]
    bound_json: bytes
    """What `Pipeline.bound` gave for `bound`."""
    bound_pipeline: Pipeline | None
    """Which pipeline gave it; None: it is not to be used."""

    @property
    def source(self) -> Rendered:
        """The logger's name and all that depends on it."""


class Pipeline:
    """Takes records from loggers. Nothing here raises into the caller, whatever is logged."""

    def __init__(
        self,
        service: str,
        env: str,
        redactor: Redactor,
        outputs: tuple[Output, ...] = (),
        sampler: StageSampler | None = None,
        *,
        tells_origin: bool = False,
        is_shown_to_tests: bool = True,
    ) -> None:
        """An empty pipeline swallows everything; `set_spool` adds the crash-safe way.

        `is_shown_to_tests`: False where the same records go through another pipeline as well.
        """
        self._is_shown_to_tests = is_shown_to_tests
        self.service = service
        self.outputs = outputs
        self.redacted: dict[str, int] = {}
        self.failures = 0
        self.redactor = redactor
        self._lines = LineRenderer(redactor, self.redacted)
        self._line = self._lines.line
        self._sampler = sampler or StageSampler({})
        self._spool: Spool | None = None
        self._respool: Callable[[], Spool] | None = None
        self._respool_lock = threading.RLock()
        service_json = self._lines.text_json(service)
        self._heads: dict[int, bytes] = {
            level: b'Z","level":"%b","service":%b,"msg":' % (level.name.encode(), service_json)
            for level in Level
        }
        self._env = self._lines.fields_json({"env": env}) if env else b""
        self._named: dict[str, bytes] = {}
        self._tells_origin = tells_origin
        self._origin = self._where_it_runs()
        self._failing = threading.local()

    def set_spool(self, spool: Spool, respool: Callable[[], Spool]) -> None:
        """Spools from now on; `respool` makes another spool, for a forked child and behind `end_spool`."""
        self._spool = spool
        self._respool = respool

    def source(self, logger_name: str) -> bytes:
        """The rendered fields that all records of a logger share."""
        named = self._named.get(logger_name)
        if named is None:
            named = self._lines.fields_json({"logger": logger_name}) if logger_name else b""
            if len(self._named) < _REMEMBERED_NAMES:
                # A forked child asks for all of them again, and would compile the rules for that.
                self._named[logger_name] = named
        return self._env + named + self._origin

    def bound(self, fields: dict[str, Any]) -> bytes:
        """Rendered fields that a logger carries."""
        try:
            return self._lines.fields_json(fields)
        except Exception:  # noqa: BLE001 - binding must not fail either
            self.failures += 1
            return b""

    def emit(
        self,
        level: int,
        event: Any,
        args: tuple[Any, ...],
        logger: Bound,
        fields: dict[str, Any],
        *,
        is_bridged: bool = False,
    ) -> None:
        """Takes one record of a logger. `is_bridged`: stdlib's own handlers have seen it already."""
        try:
            if is_capturing() and self._is_shown_to_tests and not is_bridged:
                shown = self._show_to_tests(level, event, args, logger, fields)
                if shown is None:
                    return
                (event, fields), args = shown, ()
            if level < logger.source.level or (WRITING and _is_echo(event, args)):
                return
            if args or type(event) is not str or event in STAGES_BY_NAME or not _SPECIAL.isdisjoint(fields):
                event, fields = normalised(event, args, fields)
            if self._tells_origin and (thread := threading.current_thread()) is not threading.main_thread():
                fields = {"thread": thread.name, **fields}
            bound_json = logger.bound_json
            context = task_fields()
            if context is not None or self._sampler.is_on or logger.bound_pipeline is not self:
                fields = (context or _NOTHING) | logger.bound | fields
                bound_json = b""
                if self._sampler.is_on:
                    self._emit_sampled(level, event, logger.source.rendered, fields)
                    return
            elif bound_json and not logger.bound.keys().isdisjoint(fields):
                fields = logger.bound | fields
                bound_json = b""
            line = self._line(self._heads[level], event, logger.source.rendered, bound_json, fields)
            spool = self._spool
            if spool is None:
                self._deliver(level, line)
                return
            if not spool.append(line, level >= _WARNING) and not spool.is_open:
                self._spool_anew(level, line, spool)
            self._show(level, line)
        except Exception as error:  # noqa: BLE001 - logging never fails the application
            self._failed(level, error, event, logger.bound | fields)

    def emit_line(self, level: int, msg: str, fields: dict[str, Any], *, is_spooled: bool = True) -> None:
        """A record of our own, without context and sampling."""
        try:
            line = self.own_line(level, msg, fields)
            if is_spooled:
                self._deliver(level, line)
            else:
                self._show(level, line)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(level, error, msg, fields)

    def own_line(self, level: int, msg: str, fields: dict[str, Any]) -> bytes:
        """A record of our own, rendered."""
        return self._lines.line(self._heads[level], msg, self.source("telecine.logging"), b"", fields)

    def loss_line(self, count: int, reason: str) -> bytes:
        """The record that says that records were dropped."""
        fields = {"event": EVENT_RECORDS_LOST, "count": count, "reason": reason}
        return self.own_line(Level.WARNING, "log records dropped", fields)

    def last_spooled_seq(self) -> int:
        """Sequence number of the last record in the spool; 0 without a spool."""
        return self._spool.last_seq if self._spool is not None else 0

    def is_shipped(self) -> bool:
        """Whether nothing of the current spool waits."""
        spool = self._spool
        return spool is None or not spool.directory.exists() or read_acked(spool.directory) >= spool.last_seq

    def stats(self) -> dict[str, int]:
        """Counters since the pipeline was built."""
        return {
            "failures": self.failures + sum(output.failures for output in self.outputs),
            "redacted": sum(self.redacted.values()),
            "sampled_out": self._sampler.sampled_out,
            "spool_dropped": self._spool.dropped if self._spool is not None else 0,
        }

    def end_spool(self) -> None:
        """Closes the spool, so that all of it can be shipped; what comes later goes to another one."""
        self._end_sampling()
        spool = self._spool
        if spool is not None:
            spool.close()

    def close(self) -> None:
        """Closes the outputs and the spool; idempotent."""
        self._end_sampling()
        self._respool = None
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
        outputs, self.outputs = self.outputs, ()
        for output in outputs:
            output.close()

    def forked(self) -> None:
        """In the child after a fork: no lock and no spool of the parent's is used any more."""
        if self._spool is not None:
            self._spool.abandon_in_child()
            self._spool = None
        self._respool_lock = threading.RLock()
        self._sampler.forked()
        self._origin = self._where_it_runs()
        for output in self.outputs:
            renew = getattr(output, "renew_lock", None)
            if renew is not None:
                renew()

    def _where_it_runs(self) -> bytes:
        if not self._tells_origin:
            return b""
        return self._lines.fields_json({"host": socket.gethostname(), "pid": os.getpid()})

    def _emit_sampled(self, level: int, msg: str, source: bytes, fields: dict[str, Any]) -> None:
        stage, job = fields.get("stage"), fields.get("job_id")
        job_key = "" if job is None else str(job)
        stage_name = stage if type(stage) is str else None
        when = self._lines.timestamp()
        released, kept = self._sampler.admit(level, msg, stage_name, job_key, fields, source, when)
        self._emit_held(released)
        if kept is not None:
            self._deliver(level, self._lines.line(self._heads[level], msg, source, b"", kept, when))

    def _emit_held(self, released: list[Held]) -> None:
        for held in released:
            head = self._heads[held.level]
            line = self._lines.line(head, held.msg, held.source, b"", held.fields, held.when)
            self._deliver(held.level, line)

    def _end_sampling(self) -> None:
        """Emits the last records of thin jobs, which were held back because others might have come."""
        try:
            self._emit_held(self._sampler.end())
        except Exception as error:  # noqa: BLE001 - the end of logging never fails the application
            self._failed(int(Level.INFO), error, "the last records of sampled stages", {})

    def _show_to_tests(
        self, level: int, event: Any, args: tuple[Any, ...], logger: Bound, fields: dict[str, Any]
    ) -> tuple[str, dict[str, Any]] | None:
        """Shows a record to what captures; returns it, or None where nothing else wants it.

        It is returned without the program's objects: what one does when it is shown, it does once.
        """
        if capture_for_structlog(level, formatted(event, args) if args else event, fields, logger):
            return None
        info = exc_info_of(fields.get("exc_info"))
        event, fields = normalised(event, args, fields)
        fields = {key: each if type(each) in _JSON_TYPES else plain(each) for key, each in fields.items()}
        line = self._line(self._heads[level], event, logger.source.rendered, b"", logger.bound | fields)
        is_taken = level >= logger.source.level
        capture_for_handlers(logger.source.name, level, line, info, is_taken=is_taken)
        return event, fields

    def _deliver(self, level: int, line: bytes) -> None:
        spool = self._spool
        if spool is None:
            if self._respool is not None:
                self._spool_anew(level, line, None)
        elif not spool.append(line, level >= _WARNING) and not spool.is_open:
            self._spool_anew(level, line, spool)
        self._show(level, line)

    def _spool_anew(self, level: int, line: bytes, closed: Spool | None) -> None:
        """Keeps the record in a new spool: the first of a forked child, or one behind the end of the last."""
        with self._respool_lock:
            if self._spool is closed:
                if self._respool is None:
                    return
                try:
                    spool = self._respool()
                except OSError:
                    self.failures += 1
                    return
                # A signal handler may have done the same meanwhile.
                if self._spool is closed:
                    self._spool = spool
                else:
                    spool.close()
            current = self._spool
        if current is not None:
            current.append(line, level >= _WARNING)

    def _show(self, level: int, line: bytes) -> None:
        for output in self.outputs:
            if level >= output.level:
                try:
                    output.write(line)
                except Exception:  # noqa: BLE001 - one that fails costs the others nothing
                    output.failures += 1

    def _failed(self, level: int, error: Exception, event: Any, fields: dict[str, Any]) -> None:
        """Says once more, with less, what could not be said; and never twice in a row."""
        self.failures += 1
        if getattr(self._failing, "is_failing", False):
            return
        self._failing.is_failing = True
        try:
            said = {name: fields[name] for name in ID_FIELDS if type(fields.get(name)) in (str, int)}
            said |= {"error": str(plain(error))[:500], "error_type": type(error).__name__}
            if type(event) is str:
                said["record"] = event[:_MAX_SAID]
            self._deliver(level, self.own_line(Level.ERROR, "a record could not be logged", said))
        except Exception:  # noqa: BLE001 - now it is only counted
            return
        finally:
            self._failing.is_failing = False


def _is_echo(event: Any, args: tuple[Any, ...]) -> bool:
    return is_echo(formatted(event, args) if args and type(event) is str else event)
