"""Starts a stage: directory and number, lock, what became of the run before, the first manifest."""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from telecine.durable_files import write_whole
from telecine.logging.record.context import context_fields
from telecine.stages.errors import StageBusyError, StageManifestError, StageUsageError
from telecine.stages.manifest import (
    FILE_NAME,
    SCHEMA_ID,
    Build,
    EarlierAttempt,
    Problem,
    StageManifest,
    StageStatus,
    WarningLine,
    decode_manifest,
    encode_manifest,
)
from telecine.stages.metering.meter import MeterReading
from telecine.stages.process_identity import Liveness, Process, liveness_on_disk
from telecine.stages.running.job_directory import (
    LOCK_NAME,
    StageDirectory,
    begin_pipeline_log,
    claim_directory,
    job_lock,
    pipeline_log,
    take_lock,
)
from telecine.stages.running.ledger import Identity, Ledger
from telecine.stages.settings import StageSettings

PROCESS_DIED = "PROCESS_DIED"
_SET_ASIDE = f".{FILE_NAME}.unreadable"
_LOCK_SECONDS = 2.0
"""A reader that asks whether the lock is held has it for a moment."""
_NOTHING = MeterReading(cpu_seconds=0.0, peak_rss_bytes=0, gpus=())


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be started."""

    name: str
    job_dir: Path
    job_id: str
    number: int | None
    """None: the one it has, or the next."""
    takes_over: bool
    """Whether a run that may or may not be alive is taken to be dead."""


class Started(msgspec.Struct, frozen=True):
    """A stage that runs: its first manifest is on disk."""

    directory: StageDirectory
    lock: int
    """Descriptor of the lock; closed by the code that ends the stage."""
    ledger: Ledger
    pipeline_log: Path


def chosen_job_id(job_id: str | None, job_dir: Path) -> str:
    """The job's id: as given, or that of the running task's log context, or the directory's name."""
    bound = (context_fields() or {}).get("job_id")
    return str(job_id or bound or job_dir.name)


def start_stage(order: Order, process: Process, settings: StageSettings, now: datetime) -> Started:
    """Makes the stage this process's own, and writes that it runs.

    Raises:
        StageBusyError: it runs elsewhere, or may.
        StageUsageError: it cannot have this number, or its directory holds somebody else's manifest.
        JobDirectoryBusyError, OSError
    """
    with job_lock(order.job_dir, settings.lock_seconds) as registry:
        directory = claim_directory(order.job_dir, registry, order.name, order.number)
        manifest_path = directory.path / FILE_NAME
        before, warnings = _manifest_before(manifest_path, now)
        earlier: tuple[EarlierAttempt, ...] = ()
        if before is not None:
            _refuse_if_busy(before, directory, takes_over=order.takes_over)
            earlier = _attempts_before(before)
        lock = _open_lock(directory.path)
        try:
            ledger = Ledger(
                Identity(
                    job_id=order.job_id,
                    stage=directory.name,
                    number=directory.number,
                    attempt=1 + max((attempt.number for attempt in earlier), default=0),
                    started_at=now,
                    process=process,
                    earlier_attempts=earlier[-settings.max_attempts :] if settings.max_attempts else (),
                    build=_build(),
                ),
                settings,
            )
            for warning in warnings:
                ledger.add_warning(warning)
            first = ledger.manifest(StageStatus.RUNNING, _NOTHING, 0.0, now)
            write_whole(manifest_path, encode_manifest(first), is_synced=settings.is_synced, mode=0o666)
            log = pipeline_log(order.job_dir) or begin_pipeline_log(order.job_dir, now)
        except BaseException:
            os.close(lock)
            raise
    return Started(directory, lock, ledger, log)


def _manifest_before(path: Path, now: datetime) -> tuple[StageManifest | None, list[WarningLine]]:
    """What the run before left; what cannot be read is set aside, never thrown away."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None, []
    try:
        return decode_manifest(data), []
    except StageManifestError as error:
        schema = _schema_of(data)
        if schema is not None and schema != SCHEMA_ID:
            raise StageUsageError(
                f"{path} is a manifest of another kind ({schema}); "
                "write such files below the stage's directory, not into it"
            ) from error
        path.replace(path.with_name(_SET_ASIDE))
        message = (
            f"the manifest of the run before could not be read; it is kept as {_SET_ASIDE}: {error.message}"
        )
        return None, [WarningLine(timestamp=now, message=message, code="UNREADABLE_MANIFEST")]


def _schema_of(data: bytes) -> str | None:
    try:
        tree = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    schema = tree.get("schema")
    return schema if isinstance(schema, str) else None


def _refuse_if_busy(before: StageManifest, directory: StageDirectory, *, takes_over: bool) -> None:
    if before.status is not StageStatus.RUNNING:
        return
    alive = liveness_on_disk(before.process, directory.path / LOCK_NAME)
    who = f"process {before.process.pid} on {before.process.hostname}"
    if alive is Liveness.ALIVE:
        raise StageBusyError(
            f"stage {directory.name} is running: {who}, since {before.timestamp:%H:%M:%S} UTC"
        )
    if alive is Liveness.UNKNOWN and not takes_over:
        raise StageBusyError(f"stage {directory.name} may still be running: {who} cannot be asked from here")


def _open_lock(directory: Path) -> int:
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    if not take_lock(descriptor, _LOCK_SECONDS):
        os.close(descriptor)
        raise StageBusyError(
            f"the lock of {directory.name} is held: the block of its last run still lasts, "
            "or a child process of it does"
        )
    return descriptor


def _attempts_before(before: StageManifest) -> tuple[EarlierAttempt, ...]:
    problem = None
    if before.status is StageStatus.RUNNING:
        problem = died(before)
    elif before.status is StageStatus.FAILED and before.errors:
        problem = Problem(before.errors[-1].code, before.errors[-1].message)
    last = EarlierAttempt(
        number=before.attempt,
        started_at=before.timestamp,
        ended_at=before.completed_at,
        status=StageStatus.FAILED if before.status is StageStatus.RUNNING else before.status,
        duration_seconds=before.duration_seconds,
        cpu_seconds=before.resources.cpu_seconds,
        cost=before.cost.totals,
        problem=problem,
    )
    return (*before.earlier_attempts, last)


def died(manifest: StageManifest) -> Problem:
    """Why a run that still says `running` ended."""
    process = manifest.process
    return Problem(PROCESS_DIED, f"process {process.pid} on {process.hostname} died while it ran the stage")


def _build() -> Build:
    try:
        version = metadata.version("telecine")
    except metadata.PackageNotFoundError:
        version = ""
    python = ".".join(map(str, sys.version_info[:3]))
    return Build(telecine=version, python=python, platform=platform.platform())
