"""Checks of this machine: processors, memory, disks, limits."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from pathlib import Path

from telecine.cli.show.documents import CheckDocument
from telecine.cli.show.failures import UnavailableHereError
from telecine.cli.show.terminal import size_text
from telecine.machine import usable_cores, usable_memory_bytes

_GOOD_FREE_BYTES = 4 << 30
"""Room for the spools of a few clips."""
_GOOD_OPEN_FILES = 1024
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, never written to


def check_processors() -> CheckDocument:
    """Cores that may be used, and whether a container's quota is lower than they are."""
    cores = usable_cores()
    quota = _cpu_quota()
    if quota is not None and quota < cores:
        return CheckDocument(
            name="processors",
            status="warning",
            message=f"{cores} cores are visible, but a quota allows {quota:.1f}",
            advice=f"set workers and threads_per_worker of the encoder to at most {max(1, int(quota))}",
        )
    return CheckDocument(name="processors", status="ok", message=f"{cores} cores", advice="")


def _cpu_quota() -> float | None:
    try:
        allowed, _, period = _CPU_QUOTA.read_text().strip().partition(" ")
        return None if allowed == "max" else int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def check_memory() -> CheckDocument:
    """Physical memory, or the container's limit where it is lower."""
    limit = usable_memory_bytes()
    is_small = limit < 2 << 30
    return CheckDocument(
        name="memory",
        status="warning" if is_small else "ok",
        message=size_text(limit),
        advice="run fewer workers: each takes some hundred MB with large frames" if is_small else "",
    )


def check_disk(name: str, path: Path) -> CheckDocument:
    """Free space where `path` is, or will be."""
    existing = next((each for each in (path, *path.parents) if each.exists()), Path("/"))
    try:
        usage = shutil.disk_usage(existing)
    except OSError as error:
        return CheckDocument(name=name, status="problem", message=f"{existing}: {error}", advice="mount it")
    free, floor = usage.free, _floor_bytes(usage.total)
    message = f"{size_text(free)} free of {size_text(usage.total)} at {existing}"
    if not os.access(existing, os.W_OK):
        advice = "choose another directory, or let this user write there"
        return CheckDocument(
            name=name, status="problem", message=f"{existing} is not writable", advice=advice
        )
    if free < floor:
        return CheckDocument(
            name=name,
            status="problem",
            message=f"{message}; {size_text(floor)} have to stay free (min_free_bytes): nothing fits",
            advice="make room there, lower TELECINE_ENCODER_MIN_FREE_BYTES, or use another disk "
            "(embedded: TELECINE_DATA_DIR or TMPDIR)",
        )
    if free < _GOOD_FREE_BYTES:
        advice = "enough for short clips; long ones need more room for their frames"
        return CheckDocument(name=name, status="warning", message=message, advice=advice)
    return CheckDocument(name=name, status="ok", message=message, advice="")


def _floor_bytes(total_bytes: int) -> int:
    """Below so much free space the encoder refuses frames, as it is configured here."""
    from telecine.cli.config.sections import kind_of
    from telecine.settings.loading import ConfigError, load_config

    try:
        kind = kind_of("encoder")
        configured = load_config(kind, prefix="TELECINE_ENCODER_", section="encoder").value
        from encoder_service.free_space import floor_bytes
    except (UnavailableHereError, ConfigError, ImportError):  # other checks say so
        return 0
    return floor_bytes(total_bytes, getattr(configured, "min_free_bytes", None))


def check_disks(data_dir: Path) -> list[CheckDocument]:
    """The data directory, and the temporary one where the embedded service keeps its files."""
    return [check_disk("data directory", data_dir), _check_temporary_files()]


def _check_temporary_files() -> CheckDocument:
    name = "temporary files"
    try:
        return check_disk(name, Path(tempfile.gettempdir()))
    except OSError as error:
        return CheckDocument(
            name=name,
            status="problem",
            message=f"no directory for temporary files: {error.strerror or error}",
            advice="name one that this user may write to in TMPDIR, or a TELECINE_DATA_DIR",
        )


def check_shared_memory() -> CheckDocument:
    """Size of /dev/shm; container runtimes give 64 MB by default."""
    try:
        usage = shutil.disk_usage(_SHARED_MEMORY)
    except OSError:
        message = f"there is no {_SHARED_MEMORY}"
        return CheckDocument(
            name="shared memory", status="ok", message=f"{message}; it is not needed", advice=""
        )
    message = f"{size_text(usage.free)} free of {size_text(usage.total)}; frames do not need it"
    return CheckDocument(name="shared memory", status="ok", message=message, advice="")


def check_open_files() -> CheckDocument:
    """How many files a process may have open."""
    try:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError as error:
        return CheckDocument(
            name="open files",
            status="warning",
            message=f"the limit cannot be read: {error.strerror}",
            advice="",
        )
    is_low = soft != resource.RLIM_INFINITY and soft < _GOOD_OPEN_FILES
    return CheckDocument(
        name="open files",
        status="warning" if is_low else "ok",
        message="no limit" if soft == resource.RLIM_INFINITY else f"at most {soft}",
        advice=f"raise it for a busy service: ulimit -n {_GOOD_OPEN_FILES}" if is_low else "",
    )
