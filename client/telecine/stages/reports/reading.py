"""Reads all stages of a job directory, and says of each how it really stands."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from telecine.stages.errors import StageManifestError, StageNotFoundError
from telecine.stages.manifest import FILE_NAME, StageManifest, StageStatus, read_manifest
from telecine.stages.process_identity import Liveness, Process, liveness_on_disk
from telecine.stages.running.job_directory import LOCK_NAME, StageDirectory, absolute, list_stages


class StageState(StrEnum):
    """How a stage stands, seen from outside: the four words of its manifest, and what they may hide."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    DIED = "died"
    """The manifest says running, and its process is gone."""
    UNKNOWN = "unknown"
    """The manifest says running, on a machine that cannot be asked."""
    UNREADABLE = "unreadable"
    """There is no manifest, or none that can be read."""


class StageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a job."""

    directory: StageDirectory
    state: StageState
    manifest: StageManifest | None
    """None: unreadable."""
    fault: str = ""
    """Why it is unreadable."""

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self.directory.name


class JobStages(msgspec.Struct, frozen=True):
    """All stages of a job, by number."""

    job_dir: Path
    stages: tuple[StageRecord, ...]


def read_job(
    job_dir: str | Path, liveness_of: Callable[[Process, Path], Liveness] = liveness_on_disk
) -> JobStages:
    """Reads every stage's manifest; one that cannot be read is reported as such.

    `liveness_of` says whether a process still runs the stage that has this lock file.

    Raises:
        StageNotFoundError: there is no such directory, or no stage in it.
        OSError: the directory cannot be read.
    """
    path = absolute(Path(job_dir))
    if not path.is_dir():
        raise StageNotFoundError(f"{path} is not a directory")
    directories = list_stages(path)
    if not directories:
        raise StageNotFoundError(f"there is no stage in {path}: no directory such as 01_demux")
    return JobStages(path, tuple(_record(directory, liveness_of) for directory in directories))


def _record(directory: StageDirectory, liveness_of: Callable[[Process, Path], Liveness]) -> StageRecord:
    try:
        manifest = read_manifest(directory.path / FILE_NAME)
    except FileNotFoundError:
        return _unreadable(directory, f"there is no {FILE_NAME}")
    except (StageManifestError, OSError) as error:
        return _unreadable(directory, str(error))
    state = StageState(manifest.status.value)
    if manifest.status is StageStatus.RUNNING:
        alive = liveness_of(manifest.process, directory.path / LOCK_NAME)
        state = _RUNNING[alive]
        if state is StageState.DIED:
            # It may have ended between the two looks.
            again = read_manifest(directory.path / FILE_NAME)
            if again.status is not StageStatus.RUNNING:
                manifest, state = again, StageState(again.status.value)
    return StageRecord(directory=directory, state=state, manifest=manifest)


_RUNNING = {
    Liveness.ALIVE: StageState.RUNNING,
    Liveness.DEAD: StageState.DIED,
    Liveness.UNKNOWN: StageState.UNKNOWN,
}


def _unreadable(directory: StageDirectory, fault: str) -> StageRecord:
    return StageRecord(directory=directory, state=StageState.UNREADABLE, manifest=None, fault=fault)
