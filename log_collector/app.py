"""Puts the log collector together and gives it a life: start, reload, drain, close."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from pathlib import Path

import grpc.aio
import structlog
from prometheus_client import CollectorRegistry
from telecine.logging import LogConfigError, configure_service_logging, get_logger
from telecine.logging.outputs.audit import AuditFile
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.machine import usable_cores
from telecine.settings.loading import Loaded

from log_collector import errors
from log_collector.condition import Condition, open_cursors
from log_collector.config import FIXED_SECTIONS, CollectorConfig
from log_collector.data_files import FILE_SINK, JOURNAL, KIND, is_former_directory
from log_collector.fanout.fanout import Fanout, FanoutMetrics
from log_collector.fanout.topology import Topology, logs_directory
from log_collector.http.records import RecordTaker
from log_collector.ingest.accounting import Accounting, AccountingMetrics, Way
from log_collector.ingest.budget import ByteBudget
from log_collector.ingest.ingest import Ingest
from log_collector.ingest.opening import BatchOpener, OpeningLimits
from log_collector.ingest.selections import Selections
from log_collector.ingest.turnstile import Turnstile
from log_collector.journal import CursorStore, Journal, JournalLimits
from log_collector.journal.places import JournalPlaceError
from log_collector.processors.lanes import Lanes
from log_collector.processors.redact import redaction_for
from log_collector.query.library import Library
from log_collector.quotas.intake_pace import IntakePace, Sender
from log_collector.record import Rejection
from log_collector.rpc.doors import Doors
from log_collector.rpc.export import Exporter, Translate
from log_collector.rpc.queries import LogQueries
from log_collector.rpc.servicer import OTLP_SERVICE_NAME, SERVICE_NAME, LogCollectorServicer, otlp_handler
from log_collector.rpc.ship_responses import Write
from log_collector.rpc.ship_stream import ShipLimits, ShipStream
from log_collector.rpc.stats import Stats
from service_host.auth.audit import WriteAudit
from service_host.calls.own_port import OwnPort
from service_host.disk.data_directory import DataDirectory, open_data_directory
from service_host.errors import StartError
from service_host.metrics import new_registry
from service_host.program import Program
from service_host.settings.reload import Reloader
from service_host.status.status import ServiceError

_OBJECTS_PER_LOOK = 50_000
"""How many more objects there must be before cycles are looked for; Python's own 700 are a few records."""
_DRAIN_LOOK_SECONDS = 0.05


class CollectorService:
    """The service as `service_host` hosts it. Everything happens on one event loop."""

    def __init__(self, loaded: Loaded[CollectorConfig], registry: CollectorRegistry | None = None) -> None:
        config = loaded.value
        self._config = config
        self._log = structlog.get_logger("log_collector")
        self._started_unix_nano = time.time_ns()
        self._accounting = Accounting()
        self._budget = ByteBudget(config.intake.under_way_bytes)
        threads = config.intake.threads or usable_cores()
        self._lanes = Lanes(threads)
        self._doors = Doors(IntakePace(lambda: self._config.quotas), config.root_tenant)
        self._draining = asyncio.Event()
        self._streams = 0
        self._reloader = Reloader(
            loaded, self._put_in_force, FIXED_SECTIONS, self._log, other_files=_watched_files
        )
        self._upkeep: asyncio.Task[None] | None = None
        self._directory: DataDirectory | None = None
        self._audit_file: AuditFile | None = None
        self._applying: asyncio.Task[None] | None = None
        self._registry = registry or new_registry()
        self._registry.register(AccountingMetrics(self._accounting, self._held_count, config.root_tenant))
        # Opened by `start`; the port answers nothing before that.
        self._cursors: CursorStore
        self._journal: Journal
        self._condition: Condition
        self._ingest: Ingest
        self._turnstile: Turnstile
        self._exporter: Exporter
        self._stats: Stats
        self._fanout: Fanout
        self._topology: Topology
        self._library: Library
        self._reading: LogQueries
        self._taker: RecordTaker
        self._is_open = False
        self.own_port = self._http_port()
        """Records over HTTP; None: off."""

    @property
    def name(self) -> str:
        """The full name of the gRPC service."""
        return SERVICE_NAME

    @property
    def other_service_names(self) -> tuple[str, ...]:
        """Services that answer on the same port."""
        return (OTLP_SERVICE_NAME,)

    def register(self, server: grpc.aio.Server) -> None:
        """Adds both services."""
        servicer = LogCollectorServicer(
            self._new_stream, self._draining, self._stats_now, lambda: self._reading, self._doors
        )
        pb_grpc.add_LogCollectorServiceServicer_to_server(servicer, server)
        server.add_generic_rpc_handlers((otlp_handler(self._export_for, self._doors),))

    def open_audit(self) -> None:
        """Opens the audit trail, where callers have to say who they are. Raises OSError."""
        auth = self._config.host.auth
        if auth.is_on:
            self._audit_file = AuditFile(
                self._config.data_dir / DIRECTORY,
                "collector",
                get_logger("service_host.audit"),
                max_bytes=auth.audit_file_bytes,
                backups=auth.audit_files,
            )

    @property
    def audit(self) -> WriteAudit | None:
        """Where the host's audit records go; None: into the log alone."""
        return self._audit_file.write if self._audit_file is not None else None

    def claim_directory(self) -> None:
        """Makes the data directory this process's alone, before anything is written there; idempotent.

        Raises StartError.
        """
        if self._directory is None:
            self._directory = open_data_directory(self._config.data_dir, KIND, is_former_directory)

    async def start(self) -> None:
        """Opens the journal, verifies it, and begins the upkeep."""
        config = self._config
        self.claim_directory()
        limits = config.journal
        journal_limits = JournalLimits(limits.size_bytes, limits.segment_bytes, limits.producers, limits.uids)
        try:
            self._cursors = await asyncio.to_thread(open_cursors, config.data_dir)
            start_position = max(self._cursors.sinks().values(), default=0)
            self._journal = await Journal.open(config.data_dir / JOURNAL, journal_limits, start_position)
        except (ValueError, JournalPlaceError, OSError) as error:
            raise StartError(str(error)) from error
        self._condition = Condition(self._journal, self._cursors, self._is_there, self._log)
        self._condition.report_start()
        self._registry.register(self._condition)
        selections = Selections(config.effective_selection())
        self._ingest = Ingest(self._journal, self._accounting, _opener(config, selections), selections)
        self._ingest.restore(self._journal.held())
        intake = config.intake
        self._turnstile = Turnstile(self._ingest, self._budget, intake.requests_at_once, intake.retry_seconds)
        self._exporter = Exporter(self._ingest, self._lanes, self._turnstile, intake.record_bytes)
        self._taker = RecordTaker(
            self._ingest, self._lanes, self._turnstile, intake.records_per_batch, self._doors.own
        )
        self._fanout = Fanout(self._journal, self._cursors, self._log)
        self._registry.register(FanoutMetrics(self._fanout.runners))
        self._topology = Topology(self._fanout, self._log)
        await self._topology.apply(config)
        self._library = Library(logs_directory(config), config.files)
        self._reading = LogQueries(
            lambda: self._library,
            self._journal,
            self._delivered_position,
            config.reading,
            self._draining,
            self._is_filing,
        )
        self._stats = Stats(
            self._journal,
            self._condition,
            self._accounting,
            self._held_by,
            self._fanout.stats,
            limits.size_bytes,
            self._started_unix_nano,
            self._doors.name_of,
        )
        self._is_open = True
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reloader.reload)
        self._upkeep = asyncio.create_task(self._keep_up())

    def settings(self) -> dict[str, object]:
        """The configuration in force, redacted."""
        return self._reloader.in_force.redacted()

    def is_admitting(self) -> bool:
        """Whether records are welcome."""
        can_store = not self._journal.is_full and not self._journal.is_gone
        return can_store and not self._draining.is_set()

    async def drain(self, deadline_seconds: float) -> None:
        """Refuses new batches, answers what is under way, and writes what the selection holds."""
        self._ingest.is_draining = True
        self._draining.set()
        deadline = time.monotonic() + deadline_seconds
        while self._streams and time.monotonic() < deadline:  # noqa: ASYNC110 - a deadline, not a condition
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        self._ingest.give_out_all()
        await self._fanout.drain(deadline - time.monotonic())

    async def close(self) -> None:
        """Releases everything; what is queued for the journal is written first."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        self._lanes.close()
        if self._is_open:
            self._is_open = False
            if self._applying is not None:
                await asyncio.gather(self._applying, return_exceptions=True)
            await self._fanout.close()
            self._reading.close()
            await self._journal.close()
            self._cursors.close()
        if self._audit_file is not None:
            self._audit_file.close()
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    async def _keep_up(self) -> None:
        """Does what is due from time to time; a fault in it is logged and must not end it."""
        while True:
            await asyncio.sleep(self._config.reload_poll_seconds)
            try:
                self._reloader.reload_if_changed()
                self._ingest.tick()
                await self._condition.look()
                slowest = await asyncio.to_thread(self._cursors.slowest)
                await self._journal.trim(self._journal.durable_position if slowest is None else slowest)
            except Exception:  # noqa: BLE001 - whatever it was, the next round is as needed as this one
                self._log.exception("upkeep_failed")

    def _is_there(self) -> bool:
        return self._directory is None or self._directory.is_there()

    def _new_stream(self, write: Write, sender: Sender) -> ShipStream:
        config = self._config.intake
        limits = ShipLimits(config.batches_per_stream, config.records_per_batch, config.retry_seconds)
        return ShipStream(self._ingest, self._lanes, self._budget, limits, write, self._count_streams, sender)

    async def _export(
        self,
        request: bytes,
        peer: str,
        way: Way = Way.OTLP,
        translate: Translate | None = None,
        sender: Sender | None = None,
    ) -> tuple[Rejection, ...]:
        try:
            whose = self._doors.own() if sender is None else sender
            return await self._exporter.export(request, peer, way, translate, whose)
        except ServiceError:
            raise
        except Exception as error:
            # Stock clients throw away what is answered with INTERNAL: a fault of ours must not cost records.
            self._log.exception("export_failed")
            raise errors.faulty(self._config.intake.retry_seconds) from error

    async def _export_for(self, request: bytes, peer: str, sender: Sender) -> tuple[Rejection, ...]:
        return await self._export(request, peer, sender=sender)

    def _http_port(self) -> OwnPort | None:
        if not self._config.http_listen:
            return None
        try:
            # Its libraries are an extra.
            from log_collector.http.port import Intake, open_port
        except ImportError as error:
            needed = f"http_listen needs {error.name}: pip install 'telecine[http]'"
            raise StartError(needed) from error
        return open_port(Intake(lambda: self._config, self._lanes, self._export, lambda: self._taker))

    def _stats_now(self, tenant: str | None) -> pb.GetStatsResponse:
        return self._stats.message(tenant)

    def _count_streams(self, change: int) -> None:
        self._streams += change

    def _put_in_force(self, old: CollectorConfig, new: CollectorConfig) -> None:
        self._config = new
        is_changed = old.effective_selection() != new.effective_selection()
        selection = new.effective_selection() if is_changed else None
        active = Selections(selection) if selection is not None else self._ingest.selections
        self._ingest.replace_rules(_opener(new, active), selection)
        self._exporter.record_bytes = new.intake.record_bytes
        self._taker.max_records = new.intake.records_per_batch
        self._turnstile.requests_at_once = new.intake.requests_at_once
        self._turnstile.retry_seconds = new.intake.retry_seconds
        if old.files != new.files:
            self._library = Library(logs_directory(new), new.files)
        self._applying = asyncio.create_task(self._topology.apply(new))

    def _delivered_position(self) -> int:
        """All records before it stand in the files."""
        runner = self._fanout.runners.get(FILE_SINK)
        return runner.position if runner is not None else self._journal.durable_position

    def _is_filing(self) -> bool:
        runner = self._fanout.runners.get(FILE_SINK)
        return runner is not None and not runner.is_broken

    def _held_count(self) -> int:
        return self._held_by(None) if self._is_open else 0

    def _held_by(self, tenant: str | None) -> int:
        selections = self._ingest.selections
        return selections.held_count if tenant is None else selections.held_by(tenant)


def create(loaded: Loaded[CollectorConfig], registry: CollectorRegistry) -> CollectorService:
    """Makes the service for the host and sets its log up; opens nothing else yet."""
    service = CollectorService(loaded, registry)
    service.claim_directory()
    try:
        configure_own_log(loaded.value.data_dir, loaded.path)
        service.open_audit()
    except (LogConfigError, OSError) as error:
        raise StartError(f"logging: {error}") from error
    # Batches are thousands of short-lived objects without cycles: looking for some costs a tenth of the time.
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_LOOK, 20, 50)
    return service


def _opener(config: CollectorConfig, selections: Selections) -> BatchOpener:
    redaction = redaction_for(config.redaction.pack(), config.redaction.key())
    limits = OpeningLimits(
        config.intake.unpacked_bytes, config.intake.record_bytes, config.intake.unpacked_ratio
    )
    return BatchOpener(redaction, limits, needs_keys=selections.is_active)


def _watched_files(config: CollectorConfig) -> tuple[Path, ...]:
    rules_file = config.redaction.rules_file
    return () if rules_file is None else (rules_file,)


PROGRAM = Program(
    name="telecine serve collector",
    prefix="TELECINE_COLLECTOR_",
    config_type=CollectorConfig,
    section="collector",
    create=create,
    settings=CollectorService.settings,
)
"""The service as a program: `telecine serve collector`, `python -m log_collector`."""


DIRECTORY = "own-logs"


def configure_own_log(data_directory: Path, config_file: Path | None = None) -> None:
    """The section `logging` of the file and `TELECINE_LOG_*` decide where they go.

    Raises LogConfigError, OSError.

    With `TELECINE_LOG_COLLECTOR` its records go to that collector, which may be itself: what it cannot
    take stays in the spool.
    """
    configure_service_logging("collector", data_directory / DIRECTORY, config_file)
