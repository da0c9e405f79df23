"""Where every record goes through: rendered and redacted once, then spooled, filed and shown."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

from telecine.logging.catalogue import EVENT_RECORDS_LOST, STAGES_BY_NAME, Level
from telecine.logging.record.call_arguments import normalised
from telecine.logging.record.context import task_fields
from telecine.logging.record.line import LineRenderer
from telecine.logging.record.sampling import Held, StageSampler
from telecine.logging.redaction import Redactor
from telecine.logging.shipping.spool import Spool
from telecine.logging.shipping.spool_reader import read_acked

_SPECIAL = frozenset({"msg", "extra", "exc_info", "stack_info"})
_WARNING = int(Level.WARNING)
_NOTHING: dict[str, Any] = {}


class Output(Protocol):
    """Somewhere records are written to at once. `write` does not raise for reasons of its own."""

    level: int
    """The lowest that is written."""

    def write(self, line: bytes) -> None:
        """Takes one record as a JSON line; called from any thread."""

    def close(self) -> None:
        """Releases what was opened; idempotent."""


class Rendered(Protocol):
    """What all loggers of a name share."""

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
    ) -> None:
        """An empty pipeline swallows everything; `set_spool` adds the crash-safe way."""
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
        self._tells_origin = tells_origin
        self._origin = self._where_it_runs()
        self._failing = threading.local()

    def set_spool(self, spool: Spool, respool: Callable[[], Spool]) -> None:
        """Spools from now on; `respool` makes another spool, for a forked child and behind `end_spool`."""
        self._spool = spool
        self._respool = respool

    def source(self, logger_name: str) -> bytes:
        """The rendered fields that all records of a logger share."""
        logger = self._lines.fields_json({"logger": logger_name}) if logger_name else b""
        return self._env + logger + self._origin

    def bound(self, fields: dict[str, Any]) -> bytes:
        """Rendered fields that a logger carries."""
        try:
            return self._lines.fields_json(fields)
        except Exception:  # noqa: BLE001 - binding must not fail either
            self.failures += 1
            return b""

    def emit(
        self, level: int, event: Any, args: tuple[Any, ...], logger: Bound, fields: dict[str, Any]
    ) -> None:
        """Takes one record of a logger."""
        try:
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
            for output in self.outputs:
                if level >= output.level:
                    output.write(line)
        except Exception as error:  # noqa: BLE001 - logging never fails the application
            self._failed(level, error)

    def emit_line(self, level: int, msg: str, fields: dict[str, Any], *, is_spooled: bool = True) -> None:
        """A record of our own, without context and sampling."""
        try:
            line = self.own_line(level, msg, fields)
            if is_spooled:
                self._deliver(level, line)
            else:
                self._show(level, line)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(level, error)

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
            "failures": self.failures,
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
        released, kept = self._sampler.admit(level, msg, stage_name, job_key, fields, source)
        self._emit_held(released)
        if kept is not None:
            self._deliver(level, self._lines.line(self._heads[level], msg, source, b"", kept))

    def _emit_held(self, released: list[Held]) -> None:
        for held in released:
            line = self._lines.line(self._heads[held.level], held.msg, held.source, b"", held.fields)
            self._deliver(held.level, line)

    def _end_sampling(self) -> None:
        """Emits the last records of thin jobs, which were held back because others might have come."""
        try:
            self._emit_held(self._sampler.end())
        except Exception as error:  # noqa: BLE001 - the end of logging never fails the application
            self._failed(int(Level.INFO), error)

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
                output.write(line)

    def _failed(self, level: int, error: Exception) -> None:
        """Says once more, with less, what could not be said; and never twice in a row."""
        self.failures += 1
        if getattr(self._failing, "is_failing", False):
            return
        self._failing.is_failing = True
        try:
            fields = {"error": str(error)[:500], "error_type": type(error).__name__}
            self._deliver(level, self.own_line(Level.ERROR, "a record could not be logged", fields))
        except Exception:  # noqa: BLE001 - now it is only counted
            return
        finally:
            self._failing.is_failing = False
