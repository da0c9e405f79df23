"""Builds the pipeline from the configuration, keeps the loggers, and takes it all down again."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

from telecine.logging.bridges.progress_bars import StderrFolding
from telecine.logging.bridges.stdlib import StdlibBridge
from telecine.logging.bridges.uncaught import UncaughtHooks
from telecine.logging.catalogue import Level
from telecine.logging.configuration import EffectiveLogConfig, program_name
from telecine.logging.logger import Logger, Source
from telecine.logging.outputs.console import Console, ConsoleTarget, is_terminal
from telecine.logging.outputs.files import RotatingFile
from telecine.logging.outputs.rendering import Format, renderer
from telecine.logging.pipeline import Output, Pipeline
from telecine.logging.record.sampling import StageSampler
from telecine.logging.redaction import Redactor
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import RulePack
from telecine.logging.shipping.child_shipping import ChildShipping
from telecine.logging.shipping.messages import ShippingLimits
from telecine.logging.shipping.shipper import Shipper
from telecine.logging.shipping.shipping_process import launch_helper, ship_by_helper
from telecine.logging.shipping.spool import Resource, Spool
from telecine.logging.shipping.spool_reader import (
    last_written_seq,
    read_acked,
    read_resource,
    spool_directories,
)

_REMEMBERED_LOGGERS = 10_000
_POLL_SECONDS = 0.02


class LoggingState:
    """All that is configured in this process. One object, made when the module is imported."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sources: dict[str, Source] = {}
        self._level = int(Level.WARNING)
        self._own_levels: dict[str, int] = {}
        self._pipeline: Pipeline | None = None
        self._undo: list[Callable[[], None]] = []
        self._bridge: StdlibBridge | None = None
        self._folding: StderrFolding | None = None
        self._flush_seconds = 0.0
        self._of_parent: list[object] = []
        self._ancestors: tuple[str, ...] = ()
        self._token = secrets.token_hex(8)
        self._can_use_grpc = True
        self._spool_root: Path | None = None
        self._new_child_shipping: Callable[[], ChildShipping] | None = None
        self._ship_by_helper: Callable[[float], None] = lambda _timeout_seconds: None
        self.shipper: Shipper | ChildShipping | None = None
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self._end)

    def logger(self, name: str) -> Logger:
        """The logger of this name; usable before anything is configured."""
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= _REMEMBERED_LOGGERS:
                return Logger(Source(name, self.pipeline(), self._threshold(name)))
            with self._lock:
                source = self._sources.setdefault(name, Source(name, self.pipeline(), self._threshold(name)))
        return Logger(source)

    def pipeline(self) -> Pipeline:
        """The configured pipeline, or one that shows warnings on standard error."""
        if self._pipeline is None:
            with self._lock:
                if self._pipeline is None:
                    console = Console(ConsoleTarget.STDERR, renderer(Format.HUMAN), Level.WARNING)
                    self._pipeline = Pipeline(program_name(), "", default_redactor(), (console,))
        return self._pipeline

    def configure(self, config: EffectiveLogConfig) -> None:
        """Replaces whatever was configured before.

        Raises:
            OSError: a file or the spool cannot be written.
        """
        with self._lock:
            with _explained(config):
                pipeline = _build(config)
            self.shut_down()
            self._pipeline = pipeline
            self._level = config.level
            self._flush_seconds = config.flush_seconds
            if config.collector is not None:
                self._start_shipping(config, pipeline)
            self._attach_all()
            self._undo.append(_configure_structlog(self.logger))
            if config.bridges_stdlib:
                self._bridge = StdlibBridge(self.logger, self._lowest())
                self._undo.append(self._bridge.remove)
            if config.records_uncaught:
                self._undo.append(UncaughtHooks(self.logger("uncaught")).remove)
            if config.folds_progress:
                self._folding = StderrFolding(self.logger("progress"))
                self._undo.append(self._folding.remove)

    def set_level(self, level: Level, name: str | None) -> None:
        """Changes the threshold of all loggers, or of one name and the names below it."""
        with self._lock:
            if name is None:
                self._level = int(level)
            else:
                self._own_levels[name] = int(level)
            for source in self._sources.values():
                source.set_level(self._threshold(source.name))
            if self._bridge is not None:
                self._bridge.set_level(self._lowest())

    def shut_down(self) -> None:
        """Ships what can be shipped in time, closes all, and is unconfigured again; idempotent."""
        with self._lock:
            while self._undo:
                self._undo.pop()()
            self._bridge = self._folding = self._spool_root = self._new_child_shipping = None
            pipeline, self._pipeline = self._pipeline, None
            shipper, self.shipper = self.shipper, None
            if pipeline is not None:
                self._attach_all()
                pipeline.close()
        if shipper is not None:
            shipper.stop(self._flush_seconds)

    def _end(self) -> None:
        """At the end of the program: ships what can be shipped in time.

        Exit handlers and daemon threads may go on logging behind it: files and console take that as before,
        and a spool that the next start ships.
        """
        with self._lock:
            if self._folding is not None:
                self._folding.remove()
            shipper, self.shipper = self.shipper, None
            if self._pipeline is not None:
                self._pipeline.end_spool()
        if shipper is not None:
            shipper.stop(self._flush_seconds)
        if isinstance(shipper, Shipper) and shipper.needs_helper:
            self._ship_by_helper(self._flush_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until all that was spooled before the call is acknowledged."""
        deadline = time.monotonic() + timeout_seconds
        pipeline, shipper, root = self._pipeline, self.shipper, self._spool_root
        if pipeline is None or root is None:
            return True
        children = [
            (directory, last_written_seq(directory))
            for directory in spool_directories(root)
            if self._is_of_mine(directory)
        ]
        if shipper is None:
            # Behind the end of the program: nothing is shipped any more.
            return pipeline.is_shipped() and all(_has_left(spool, seq) for spool, seq in children)
        shipper.hurry()
        if not shipper.wait_until_shipped(pipeline.last_spooled_seq(), timeout_seconds):
            return False
        given_up = shipper.counts.given_up
        while not all(_has_left(directory, seq) for directory, seq in children):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return shipper.counts.given_up == given_up

    def _is_of_mine(self, directory: Path) -> bool:
        """Whether a child of this process, or a child of its children, wrote the spool."""
        try:
            return self._token in read_resource(directory).forked_from
        except OSError:
            return False

    def stats(self) -> dict[str, int]:
        """Counters since the last `configure`."""
        pipeline, shipper = self._pipeline, self.shipper
        found = pipeline.stats() if pipeline is not None else {}
        if shipper is not None:
            found |= msgspec.structs.asdict(shipper.counts)
        return found

    def _start_shipping(self, config: EffectiveLogConfig, pipeline: Pipeline) -> None:
        root = config.spool_root()

        def new_spool() -> Spool:
            shipper = self.shipper
            is_child = isinstance(shipper, ChildShipping)
            resource = Resource(
                config.service, config.env, config.service_version, socket.gethostname(), os.getpid(),
                self._ancestors if is_child else (),
            )  # fmt: skip
            spool = Spool(root, resource, config.spool_limits, pipeline.loss_line)
            if isinstance(shipper, ChildShipping):
                shipper.begin(spool.directory)
            return spool

        address, tls = config.collector or "", config.tls
        self._spool_root = root
        self._new_child_shipping = lambda: ChildShipping(root, address, config.answer_seconds, tls)
        launch = functools.partial(launch_helper, root, address, config.answer_seconds, tls)
        self._ship_by_helper = functools.partial(ship_by_helper, root, launch)
        if not self._can_use_grpc:
            self.shipper = self._new_child_shipping()
        spool = new_spool()
        pipeline.set_spool(spool, new_spool)
        if not self._can_use_grpc:
            return

        def connect() -> Any:
            from telecine.logging.shipping.stream import open_ship_stream

            return open_ship_stream(address, tls)

        def report(level: str, msg: str, fields: dict[str, object]) -> None:
            pipeline.emit_line(Level[level], msg, fields, is_spooled=False)

        limits = ShippingLimits(answer_seconds=config.answer_seconds)
        self.shipper = Shipper(root, connect, limits, spool.directory, report, spool.renew_if_removed)
        self.shipper.start()

    def _attach_all(self) -> None:
        pipeline = self.pipeline()
        for source in self._sources.values():
            source.attach(pipeline, self._threshold(source.name))

    def _threshold(self, name: str) -> int:
        """The level of the longest configured prefix of the name."""
        if self._own_levels:
            prefix = name
            while prefix:
                if prefix in self._own_levels:
                    return self._own_levels[prefix]
                prefix = prefix.rpartition(".")[0]
        return self._level

    def _lowest(self) -> int:
        return min((self._level, *self._own_levels.values()))

    def _forked(self) -> None:
        """In a forked child: it writes to its own spool, which the parent or a helper ships."""
        self._lock = threading.RLock()
        self._ancestors += (self._token,)
        self._token = secrets.token_hex(8)
        # Whatever the parent has begun with gRPC cannot go on in the child.
        self._can_use_grpc = self._can_use_grpc and "grpc._cython.cygrpc" not in sys.modules
        if self.shipper is not None:
            self.shipper.abandon_in_child()
            # Never collected: what gRPC would do then is the parent's.
            self._of_parent.append(self.shipper)
            self.shipper = self._new_child_shipping() if self._new_child_shipping is not None else None
        if self._pipeline is not None:
            self._pipeline.forked()
            self._attach_all()


def _has_left(directory: Path, seq: int) -> bool:
    """Whether a spool is acknowledged up to there, or gone because all of it was."""
    return read_acked(directory) >= seq or not directory.exists()


@functools.cache
def default_redactor() -> Redactor:
    """The default rules, built when the first logger is asked for."""
    return _redactor(DEFAULT_PACK, None)


def _redactor(pack: RulePack, hash_key: bytes | None) -> Redactor:
    return Redactor(pack, hash_key=hash_key, prefers_fast_start=True)


@contextmanager
def _explained(config: EffectiveLogConfig) -> Iterator[None]:
    """Says which setting a directory comes from that cannot be written."""
    try:
        yield
    except OSError as error:
        if config.directory is None or error.errno is None:
            raise
        what = f'{error.strerror} (name another directory by TELECINE_LOG_DIR or directory=, or "off")'
        raise OSError(error.errno, what, str(error.filename or config.directory)) from error


def _build(config: EffectiveLogConfig) -> Pipeline:
    asked_for = [rule for rule, is_on in _optional_rules(config).items() if is_on]
    pack = DEFAULT_PACK.with_rules_on(*asked_for) if asked_for else DEFAULT_PACK
    if config.redaction_rules is not None:
        pack = pack.joined_with(config.redaction_rules)
    is_default = pack is DEFAULT_PACK and config.redaction_key is None
    redactor = default_redactor() if is_default else _redactor(pack, config.redaction_key)
    outputs: list[Output] = []
    if config.console is not ConsoleTarget.OFF:
        on_terminal = is_terminal(config.console)
        form = config.console_format or (Format.HUMAN if on_terminal else config.file_format)
        outputs.append(Console(config.console, renderer(form, has_colours=on_terminal), 0))
    if config.directory is not None:
        render = renderer(config.file_format)
        service_log = config.directory / f"{config.service}.log"
        errors_log = config.directory / "errors.log"
        outputs += (
            RotatingFile(service_log, render, 0, config.file_max_bytes, config.file_backups),
            RotatingFile(errors_log, render, Level.ERROR, config.errors_max_bytes, config.errors_backups),
        )
    return Pipeline(
        config.service,
        config.env,
        redactor,
        tuple(outputs),
        StageSampler(config.sampling, config.sample_by),
        tells_origin=config.tells_origin,
    )


def _optional_rules(config: EffectiveLogConfig) -> dict[str, bool]:
    return {"email": config.redacts_email, "ip_address": config.redacts_ip}


def _configure_structlog(logger_of: Callable[[str], Logger]) -> Callable[[], None]:
    """`structlog.get_logger(name)` gives our loggers too; the result puts the former configuration back."""
    before = structlog.get_config()
    structlog.configure(
        processors=[],
        wrapper_class=_from_structlog,  # type: ignore[arg-type]  # a function serves as the class
        logger_factory=lambda *args: logger_of(str(args[0]) if args else ""),
        cache_logger_on_first_use=True,
    )
    return lambda: structlog.configure(**before)


def _from_structlog(logger: Logger, processors: Any, context: dict[str, Any]) -> Logger:
    """What structlog calls to wrap a logger: ours needs no wrapping."""
    return logger.bind(**context) if context else logger


STATE = LoggingState()
"""This process's logging."""
