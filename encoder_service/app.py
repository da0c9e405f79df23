"""Puts the encoder service together and gives it a life: start, drain, close."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import grpc.aio
import structlog
from prometheus_client import CollectorRegistry
from telecine.logging import LogConfigError, configure_service_logging, get_logger, reload_log_level
from telecine.logging.outputs.audit import AuditFile
from telecine.settings.loading import Loaded

from encoder_service import errors
from encoder_service.clock import SystemClock
from encoder_service.config import FIXED_FIELDS, EncoderConfig
from encoder_service.evidence.facts import SandboxMode, Walls
from encoder_service.free_space import disk_room, fault_of
from encoder_service.jobs.dispatch import Dispatcher
from encoder_service.jobs.ending import Ending
from encoder_service.jobs.events import JobEvents
from encoder_service.jobs.housekeeping import Housekeeping
from encoder_service.jobs.job import StopReason
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.jobs import Jobs, Spools
from encoder_service.jobs.publishing import Publisher
from encoder_service.jobs.recovery import recover
from encoder_service.jobs.registry import Quarantine, Registry
from encoder_service.metrics import EncoderMetrics
from encoder_service.pool.availability import CapabilityProbe
from encoder_service.pool.pool import WorkerPool
from encoder_service.pool.worker_process import WorkerDiedError
from encoder_service.previews.previews import Previews
from encoder_service.rpc.servicer import SERVICE_NAME, EncoderServicer, register
from encoder_service.spool.input_hash import HashThread
from encoder_service.spool.quota import SpoolSpace
from encoder_service.spool.writers import SpoolWriters
from encoder_service.store.rooms import DataDirectoryError
from encoder_service.store.store import Store
from encoder_service.webhooks.dispatcher import WebhookDispatcher
from encoder_service.webhooks.outbox import Outbox
from service_host.auth.audit import WriteAudit
from service_host.errors import StartError
from service_host.metrics import new_registry
from service_host.program import Program
from service_host.settings.reload import Reloader

SPOOL_THREADS = 4
QUIET_SECONDS = 2.0
_DRAIN_MARGIN_SECONDS = 2.0
_DRAIN_LOOK_SECONDS = 0.1


class EncoderService:
    """The service as `service_host` hosts it. Everything happens on one event loop."""

    def __init__(
        self,
        loaded: Loaded[EncoderConfig],
        registry: CollectorRegistry | None = None,
        log: structlog.typing.FilteringBoundLogger | None = None,
        store: Store | None = None,
    ) -> None:
        """`store`: of the data directory, if it is claimed already; the service closes it."""
        self._config = config = loaded.value
        self._log = log or structlog.get_logger("encoder_service")
        self._clock = SystemClock()
        self._metrics = metrics = EncoderMetrics(registry or new_registry())
        self._store = store or Store(config.root, is_synced=config.is_synced, root_tenant=config.root_tenant)
        self._space = SpoolSpace(
            config.spool_quota_bytes, lambda holder: self._config.quotas.of(holder).spool_bytes
        )
        self._quarantine = Quarantine(self._space, self._log)
        self._registry = Registry(self._quarantine)
        self._hash_thread = HashThread()
        self._writers = SpoolWriters(SPOOL_THREADS)
        self._pool = WorkerPool(config.pool_settings, self)
        self._assemble(config)
        self._reloader = Reloader(loaded, self._put_in_force, FIXED_FIELDS, self._log)
        self._tasks: list[asyncio.Task[None]] = []
        self._audit_file: AuditFile | None = None
        metrics.watch(self)

    def _assemble(self, config: EncoderConfig) -> None:
        """Makes the parts of a job's life; each gets its own limits."""
        files = JobFiles(self._store, self._log)
        outbox = Outbox(config.root, is_synced=config.is_synced)
        self._webhooks = WebhookDispatcher(outbox, config.webhooks, self._clock, self._metrics, self._log)
        self._events = events = JobEvents(files, self._webhooks, self._metrics, self._log)
        self._ending = Ending(self._registry, files, self._space, events, self._clock)
        self._publisher = publisher = Publisher(files, events, config.attempts, self._clock)
        self._dispatcher = Dispatcher(
            self._registry.live,
            self._pool,
            files,
            publisher,
            self._ending,
            config.dispatch_limits,
            self._clock,
            self._log,
        )
        self._jobs = Jobs(
            self._registry,
            files,
            Spools(self._space, self._hash_thread, self._writers),
            self._ending,
            self._dispatcher,
            events,
            config.job_limits,
            self._clock,
        )
        self._probe = CapabilityProbe(self._pool, self._log)
        self._previews = Previews(self._pool, self._store.spool_path, config.previews, self._clock)
        self._housekeeping = Housekeeping(
            self._jobs, self._dispatcher, config.housekeeping_limits, self._clock, self._log, self._metrics
        )
        self._servicer = EncoderServicer(
            self._jobs, self._store, self._probe, self._previews, config.servicer_settings, self._metrics
        )

    # --- what the host asks ----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The gRPC service's full name."""
        return SERVICE_NAME

    def open_audit(self) -> None:
        """Opens the audit trail, where callers have to say who they are. Raises OSError."""
        auth = self._config.host.auth
        if auth.is_on:
            self._audit_file = AuditFile(
                self._config.root / DIRECTORY,
                "encoder",
                get_logger("service_host.audit"),
                max_bytes=auth.audit_file_bytes,
                backups=auth.audit_files,
            )

    @property
    def audit(self) -> WriteAudit | None:
        """Where the host's audit records go; None: into the log alone."""
        return self._audit_file.write if self._audit_file is not None else None

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the servicer."""
        register(self._servicer, server)

    async def start(self) -> None:
        """Takes up what a former process left, and starts workers. Raises StartError."""
        try:
            await asyncio.to_thread(self._store.open)
            await asyncio.to_thread(_require_disk, self._config)
            await self._webhooks.open()
            await recover(
                self._store, self._jobs, self._ending, self._space, self._events, self._clock, self._log
            )
        except DataDirectoryError as error:
            raise StartError(str(error)) from error
        except OSError as error:
            raise StartError(f"data_dir {self._config.root} cannot be read: {error}") from error
        await self._check_sandbox()
        self._pool.open()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reloader.reload)
        self._tasks.append(asyncio.create_task(self._keep_reloaded()))
        self._tasks.append(asyncio.create_task(self._housekeeping.run()))
        self._tasks.append(asyncio.create_task(self._webhooks.run()))
        self._tasks.append(asyncio.create_task(self._probe_when_quiet()))

    def is_admitting(self) -> bool:
        """Whether a new job would be taken."""
        return self._jobs.is_admitting()

    async def drain(self, deadline_seconds: float) -> None:
        """Lets running outputs end until the deadline; everything else goes on at the next start."""
        until = time.monotonic() + deadline_seconds - min(_DRAIN_MARGIN_SECONDS, deadline_seconds / 2)
        self._jobs.is_draining = self._dispatcher.is_paused = True
        for run in list(self._dispatcher.runs()):
            if not run.job.record.is_complete:
                run.stop(StopReason.DRAINING)
        while time.monotonic() < until and (self._jobs.has_work_in_hand() or self._webhooks.has_untried):
            self._jobs.interrupt_streams(errors.draining(), is_idle_only=True)
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        self._jobs.interrupt_streams(errors.draining(), is_idle_only=False)
        await self._dispatcher.stop_runs(StopReason.DRAINING)

    async def close(self) -> None:
        """Releases everything; no process of ours is left when this returns. Idempotent."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._previews.close()
        await self._probe.close()
        await self._dispatcher.close()
        await self._pool.close()
        await asyncio.to_thread(self._writers.shutdown)
        await asyncio.to_thread(self._hash_thread.close)
        for job in self._registry.live.values():
            job.close_files()
        self._store.close()
        if self._audit_file is not None:
            self._audit_file.close()

    async def _probe_when_quiet(self) -> None:
        """Probes what can be made once nobody needs the cores, or as soon as a client asks."""
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            if not self._registry.live and self._pool.idle_count:
                self._probe.begin()
                return

    # --- what may change while it runs -----------------------------------------------------------

    def settings(self) -> dict[str, object]:
        """The configuration in force, redacted."""
        return self._reloader.in_force.redacted()

    async def _keep_reloaded(self) -> None:
        while True:
            await asyncio.sleep(self._config.reload_poll_seconds)
            try:
                self._reloader.reload_if_changed()
            except Exception:  # noqa: BLE001 - whatever it was, the next look is as needed as this one
                self._log.exception("configuration_not_reloaded")

    def _put_in_force(self, _old: EncoderConfig, new: EncoderConfig) -> None:
        self._config = new
        self._jobs.limits = new.job_limits
        self._dispatcher.limits = new.dispatch_limits
        self._housekeeping.limits = new.housekeeping_limits
        self._servicer.settings = new.servicer_settings
        self._webhooks.config = new.webhooks
        self._previews.configure(new.previews)
        self._publisher.attempts = new.attempts
        self._pool.settings = new.pool_settings
        self._space.set_quota(new.spool_quota_bytes)
        self._pool.resize()
        self._dispatcher.kick()
        try:
            reload_log_level(self._reloader.in_force.path)
        except LogConfigError as error:
            self._log.error("log_level_not_reloaded", error=str(error))

    # --- what the pool reports -------------------------------------------------------------------

    def worker_idle(self) -> None:
        """A worker can be lent."""
        self._dispatcher.kick()

    def worker_lost(self, reason: str) -> None:
        """A worker is being replaced."""
        self._metrics.worker_restarts.inc()
        self._log.warning("worker replaced", reason=reason)

    def workers_unavailable(self, reason: str) -> None:
        """Reports it to the operator, and to the clients of all jobs that wait."""
        self._log.critical("no worker can be started; new jobs are refused until one is ready", reason=reason)
        self._jobs.warn_waiting()

    def workers_available(self) -> None:
        """Reports that outputs can run again."""
        self._log.info("workers can be started again")

    def walls_tried(self, walls: Walls) -> None:
        """Says which walls workers stand behind, if not behind all."""
        mode = self._config.worker_sandbox
        if mode is SandboxMode.OFF:
            self._log.warning("workers are not sandboxed", reason="worker_sandbox is off")
        elif walls.missing:
            self._log.warning("workers are sandboxed in part", standing=walls.standing, missing=walls.missing)

    async def _check_sandbox(self) -> None:
        if self._config.worker_sandbox is not SandboxMode.REQUIRED:
            return
        try:
            walls = await self._pool.try_walls()
        except WorkerDiedError as error:
            raise StartError(f"worker_sandbox is required, and cannot be tried: {error}") from error
        if walls.missing:
            raise StartError(f"worker_sandbox is required, and walls are missing: {walls.describe_missing()}")

    # --- what the metrics read -------------------------------------------------------------------

    def spool_bytes(self) -> int:
        """Held by all jobs."""
        return self._space.used_bytes

    def jobs_by_state(self) -> dict[str, int]:
        """Live jobs by state."""
        return self._jobs.counts()

    def damaged(self) -> dict[str, int]:
        """What damage has left, by reason."""
        return self._quarantine.counts()

    def waiting_outputs(self) -> int:
        """Outputs that could run and have no worker."""
        return len(self._dispatcher.waiting())

    def idle_workers(self) -> int:
        """Workers that wait for an output."""
        return self._pool.idle_count

    def pending_webhooks(self) -> int:
        """Notices that nobody has taken yet."""
        return self._webhooks.pending_count


def _require_disk(config: EncoderConfig) -> None:
    """Raises StartError where no frame could be taken, and OSError."""
    is_fresh = any(config.root.is_relative_to(each) for each in config.host.temporary_directories)
    room = disk_room(config.root, config.min_free_bytes)
    if fault := fault_of(config.root, room, is_fresh=is_fresh):
        raise StartError(fault)


def create(loaded: Loaded[EncoderConfig], registry: CollectorRegistry) -> EncoderService:
    """Makes the service for `service_host`, claims its data directory and sets its log up there.

    In this order: nothing is written into a directory that is somebody else's. Raises StartError.
    """
    config = loaded.value
    store = Store(config.root, is_synced=config.is_synced, root_tenant=config.root_tenant)
    try:
        store.claim()
        configure_log(config.root, loaded.path)
    except DataDirectoryError as error:
        raise StartError(str(error)) from error
    except (LogConfigError, OSError) as error:
        store.close()
        raise StartError(f"logging: {error}") from error
    service = EncoderService(loaded, registry, store=store)
    try:
        service.open_audit()
    except OSError as error:
        store.close()
        raise StartError(f"audit trail: {error}") from error
    return service


PROGRAM = Program(
    name="telecine serve encoder",
    prefix="TELECINE_ENCODER_",
    config_type=EncoderConfig,
    section="encoder",
    create=create,
    settings=EncoderService.settings,
)
"""The service as a program: `telecine serve encoder`, `python -m encoder_service`."""


DIRECTORY = "logs"


def configure_log(data_directory: Path, config_file: Path | None = None) -> None:
    """The section `logging` of the file and `TELECINE_LOG_*` decide where they go.

    Raises LogConfigError, OSError.
    """
    configure_service_logging("encoder", data_directory / DIRECTORY, config_file)
