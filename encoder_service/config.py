"""Every limit and choice of the encoder service, with its default, in one frozen struct."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

MIB = 1 << 20
GIB = 1 << 30


class EncoderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `telecine serve encoder` can be told. Sizes are bytes, times are seconds."""

    listen: str = "127.0.0.1:50051"
    """Address to serve on; port 0 takes a free one. `unix:PATH` works too."""
    data_dir: str = "telecine-data"
    """Holds `jobs/` (records), `spool/` (frames) and `artifacts/`; for one service at a time."""

    max_chunk_bytes: int = 2 * MIB
    """Largest `Chunk.data`."""
    max_frame_bytes: int = 512 * MIB
    """Largest single frame."""
    max_job_bytes: int = 16 * GIB
    """Largest video track; at most `spool_quota_bytes`."""
    spool_quota_bytes: int = 64 * GIB
    """All spools together, space promised to declared clips included."""
    min_free_bytes: int = 256 * MIB
    """Frames are refused with DISK_FULL before less than this is free: records and artifacts need room."""
    max_pending_bytes: int = 8 * MIB
    """Per stream: bytes received and not yet written; the stream is not read beyond it."""
    max_waiting_jobs: int = 1000
    """Jobs that have not ended and have no output on a worker."""
    max_jobs_kept: int = 10_000
    """Ended jobs that are kept; beyond it the oldest are deleted."""
    max_outputs_per_job: int = 32
    """Outputs in one spec."""

    workers: int = 0
    """Worker processes, one output each at a time. 0: one per core."""
    threads_per_worker: int = 0
    """Codec threads of an output. 0: one per core, at most 8."""
    worker_niceness: int = 5
    """Added to the workers' niceness, so that receiving frames comes before encoding. 0 to 19."""
    attempts: int = 3
    """Tries for each output before it fails."""
    assignments_per_worker: int = 200
    """A worker is replaced by a fresh one after this many. 0: never."""
    worker_start_timeout_seconds: float = 60.0
    """A worker that is not ready by then is killed and started again."""
    worker_silence_timeout_seconds: float = 300.0
    """An output that has frames to work on and makes no progress this long is killed and tried again."""
    stalled_upload_seconds: float = 10.0
    """An output that waits this long for frames gives its worker to another output that has some."""

    max_job_seconds: float = 7200.0
    """From a job's creation to its end. 0: no limit."""
    idle_upload_timeout_seconds: float = 600.0
    """An upload without a byte for this long expires. 0: never."""
    retry_after_seconds: float = 2.0
    """What RetryInfo says when something is full."""
    drain_seconds: float = 30.0
    """On SIGTERM, running outputs and their streams get this long."""

    retention_seconds: float = 7 * 86400.0
    """Ended jobs are deleted this long after their end. 0: never."""
    retention_bytes: int = 0
    """Artifacts of ended jobs together; beyond it the oldest are deleted. 0: no limit."""
    is_synced: bool = False
    """fsync spools before acknowledging, and records, artifacts and manifests: survives power loss."""
    tells_job_directory: bool = True
    """Whether `Accepted.job_directory` states the path on the server's disk."""

    @property
    def root(self) -> Path:
        """`data_dir` as an absolute path."""
        return Path(self.data_dir).expanduser().absolute()

    @property
    def worker_count(self) -> int:
        """`workers`, resolved."""
        return self.workers or _cores()

    @property
    def codec_threads(self) -> int:
        """`threads_per_worker`, resolved."""
        return self.threads_per_worker or min(_cores(), 8)


def faults(config: EncoderConfig) -> list[str]:
    """Says everything that is wrong with the values, one line each; empty when all is well."""
    found = [
        f"{name}: must be at least {least}, is {getattr(config, name)}"
        for name, least in _LEAST.items()
        if getattr(config, name) < least
    ]
    if config.worker_niceness > 19:
        found.append(f"worker_niceness: must be at most 19, is {config.worker_niceness}")
    if config.max_job_bytes > config.spool_quota_bytes:
        found.append(
            f"max_job_bytes: must be at most spool_quota_bytes ({config.spool_quota_bytes}), "
            f"is {config.max_job_bytes}"
        )
    if config.max_chunk_bytes > 64 * MIB:
        found.append(f"max_chunk_bytes: must be at most {64 * MIB}, is {config.max_chunk_bytes}")
    if not config.data_dir:
        found.append("data_dir: must not be empty")
    return found


_LEAST: dict[str, float] = {
    "max_chunk_bytes": 1024,
    "max_frame_bytes": 1,
    "max_job_bytes": 1,
    "spool_quota_bytes": 1,
    "min_free_bytes": 0,
    "max_pending_bytes": 1,
    "max_waiting_jobs": 1,
    "max_jobs_kept": 1,
    "max_outputs_per_job": 1,
    "workers": 0,
    "threads_per_worker": 0,
    "worker_niceness": 0,
    "attempts": 1,
    "assignments_per_worker": 0,
    "worker_start_timeout_seconds": 1,
    "worker_silence_timeout_seconds": 0.1,
    "stalled_upload_seconds": 0.01,
    "max_job_seconds": 0,
    "idle_upload_timeout_seconds": 0,
    "retry_after_seconds": 0,
    "drain_seconds": 0,
    "retention_seconds": 0,
    "retention_bytes": 0,
}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
