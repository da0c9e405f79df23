"""The parts of a job's life over one data directory, put together as the service does, with tiny workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

from encoder_service.config import EncoderConfig
from encoder_service.evidence.facts import Walls
from encoder_service.jobs.dispatch import Dispatcher
from encoder_service.jobs.ending import Ending
from encoder_service.jobs.events import JobEvents
from encoder_service.jobs.job import Job
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.jobs import Jobs, Spools
from encoder_service.jobs.publishing import Publisher
from encoder_service.jobs.recovery import recover
from encoder_service.jobs.registry import Quarantine, Registry
from encoder_service.metrics import EncoderMetrics
from encoder_service.pool.pool import WorkerPool
from encoder_service.spool.input_hash import HashThread
from encoder_service.spool.quota import SpoolSpace
from encoder_service.spool.writers import SpoolWriters
from encoder_service.store.record import JobRecord
from encoder_service.store.record_file import decode_record
from encoder_service.store.store import Store
from encoder_service.webhooks.dispatcher import WebhookDispatcher
from encoder_service.webhooks.outbox import Outbox
from service_host.metrics import new_registry
from tests.encoder_service.records import record

TINY = (str(Path(__file__).parents[1] / "pool" / "tiny_zygote.py"),)
"""Its workers obey the names of outputs."""
FRAME_BYTES = record().spec.video.frame_bytes


class SettableClock:
    """Time passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def unix_nano(self) -> int:
        """The same time as a wall clock."""
        return int(self.seconds * 1e9)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


class Life:
    """One service's jobs without its wire. No worker is started before `pool.open()`."""

    def __init__(self, root: Path, **settings: Any) -> None:
        config = EncoderConfig(workers=1, data_dir=root, **settings)
        self.config = config
        self.log = log = structlog.get_logger("tests")
        self.clock = clock = SettableClock()
        self.metrics = EncoderMetrics(new_registry())
        self.store = Store(config.root)
        self.store.open()
        self.space = SpoolSpace(config.spool_quota_bytes)
        self.registry = Registry(Quarantine(self.space, log))
        self.files = files = JobFiles(self.store, log)
        outbox = Outbox(config.root, is_synced=False)
        webhooks = WebhookDispatcher(outbox, config.webhooks, clock, self.metrics, log)
        self.events = events = JobEvents(files, webhooks, self.metrics, log)
        self.ending = Ending(self.registry, files, self.space, events, clock)
        self.publisher = Publisher(files, events, config.attempts, clock)
        self.pool = WorkerPool(config.pool_settings, self, TINY)
        self.dispatcher = Dispatcher(
            self.registry.live,
            self.pool,
            files,
            self.publisher,
            self.ending,
            config.dispatch_limits,
            clock,
            log,
        )
        self._hash_thread, self._executor = HashThread(), SpoolWriters(1)
        spools = Spools(self.space, self._hash_thread, self._executor)
        self.jobs = Jobs(
            self.registry, files, spools, self.ending, self.dispatcher, events, config.job_limits, clock
        )

    async def recover(self) -> None:
        """Takes up what a former life left in the directory."""
        await recover(self.store, self.jobs, self.ending, self.space, self.events, self.clock, self.log)

    def kept(self, given: JobRecord, frames: int = 0) -> JobRecord:
        """Puts a job with so many frames on the disk, as a process that died leaves it."""
        self.store.save(given)
        self.store.make_directories(given)
        spool = self.store.begin_spools(given).video
        spool.append([bytes(FRAME_BYTES)] * frames)
        spool.close()
        return given

    def uploaded(self, given: JobRecord, frames: int = 2, *, is_complete: bool = True) -> Job:
        """A live job whose frames are in its spool."""
        if is_complete:
            given = msgspec.structs.replace(given, total_frames=frames, received_at_unix_nano=1)
        self.kept(given, frames)
        job = self.jobs.adopt(given, self.store.reopen_spools(given))
        self.space.hold_existing(job.key, job.persisted_bytes)
        return job

    def on_disk(self, job_id: str) -> JobRecord:
        """The record as the next process would read it."""
        return decode_record((self.config.root / "jobs" / f"{job_id}.json").read_bytes(), job_id)

    async def close(self) -> None:
        """Leaves the directory as a process does that ends."""
        await self.dispatcher.close()
        await self.pool.close()
        await asyncio.to_thread(self._executor.shutdown)
        await asyncio.to_thread(self._hash_thread.close)
        for job in self.registry.live.values():
            job.close_files()
        self.store.close()

    # --- what the pool reports -------------------------------------------------------------------

    def worker_idle(self) -> None:
        """Begins what waits, as the service does."""
        self.dispatcher.kick()

    def worker_lost(self, reason: str) -> None:
        """The pool replaces it."""

    def workers_unavailable(self, reason: str) -> None:
        """Seen in `pool.unavailable_reason`."""

    def workers_available(self) -> None:
        """Seen in `pool.unavailable_reason`."""

    def walls_tried(self, walls: Walls) -> None:
        """Tiny workers have none."""


@asynccontextmanager
async def living(root: Path, **settings: Any) -> AsyncIterator[Life]:
    """A life that is closed at the end."""
    life = Life(root, **settings)
    try:
        yield life
    finally:
        await life.close()
