"""Every refusal of the encoder service: one function each, so that wording and reason stand in one place."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from telecine.errors.v1 import error_reason_pb2 as reasons

from encoder_service.free_space import DiskRoom
from service_host.status.disclosure import for_clients
from service_host.status.status import FieldViolation, ServiceError

__all__ = ["FieldViolation", "ServiceError"]


def invalid_fields(violations: Sequence[FieldViolation]) -> ServiceError:
    """The caller corrects the named fields; the message repeats the first ones for people."""
    shown = "; ".join(f"{violation.field}: {violation.description}" for violation in violations[:5])
    rest = f"; and {len(violations) - 5} more" if len(violations) > 5 else ""
    return ServiceError(reasons.ERROR_REASON_INVALID_FIELD, shown + rest, violations=violations)


def invalid_field(field: str, description: str) -> ServiceError:
    """As `invalid_fields`, for one."""
    return invalid_fields([FieldViolation(field, description)])


def too_large(what: str, actual_bytes: int, limit_bytes: int) -> ServiceError:
    """The caller sends less."""
    return ServiceError(
        reasons.ERROR_REASON_TOO_LARGE,
        f"{what} has {actual_bytes} bytes; the limit is {limit_bytes}",
        metadata={"limit_bytes": str(limit_bytes), "actual_bytes": str(actual_bytes)},
    )


def out_of_order(message: str) -> ServiceError:
    """The caller corrects its code: messages came in an order that is not allowed."""
    return ServiceError(reasons.ERROR_REASON_OUT_OF_ORDER, message)


def wrong_offset(expected: int, actual: int) -> ServiceError:
    """The caller resumes at `expected`."""
    return ServiceError(
        reasons.ERROR_REASON_WRONG_OFFSET,
        f"chunk.offset is {actual}; the next byte expected is {expected}",
        metadata={"expected_offset": str(expected)},
    )


def chunk_corrupted(offset: int) -> ServiceError:
    """The caller reconnects and resumes."""
    return ServiceError(
        reasons.ERROR_REASON_CHUNK_CORRUPTED,
        f"the CRC32C of the chunk at offset {offset} does not match its data; nothing of it was kept",
        metadata={"offset": str(offset)},
    )


def totals_mismatch(message: str) -> ServiceError:
    """The caller sends what is missing, or the right totals."""
    return ServiceError(reasons.ERROR_REASON_TOTALS_MISMATCH, message)


def job_spec_conflict(job_id: str, differing: str) -> ServiceError:
    """The caller chooses another id."""
    return ServiceError(
        reasons.ERROR_REASON_JOB_SPEC_CONFLICT,
        f"job {job_id!r} exists with another spec (differs in {differing}); "
        "choose another job_id, or send the first spec",
    )


def job_not_found(job_id: str) -> ServiceError:
    """Never existed, or was deleted."""
    return ServiceError(reasons.ERROR_REASON_JOB_NOT_FOUND, f"no job {job_id!r}; it may have been deleted")


def frame_not_there(job_id: str, frame: int, persisted: int) -> ServiceError:
    """The caller asks for one that is there, or waits. A negative frame stands for the newest."""
    which = f"frame {frame}" if frame >= 0 else "any frame"
    there = f"frames 0 to {persisted - 1} are there" if persisted else "no whole frame has come yet"
    return ServiceError(
        reasons.ERROR_REASON_FRAME_NOT_THERE,
        f"job {job_id!r} has not {which} (yet): {there}",
        metadata={"persisted_frames": str(persisted)},
    )


def too_many_previews(quota: str, limit: float, retry_after_seconds: float) -> ServiceError:
    """The caller asks less often; the upload itself is not concerned."""
    return ServiceError(
        reasons.ERROR_REASON_QUOTA_EXCEEDED,
        f"more previews are asked for than {quota} ({limit:g}) allows; ask again later",
        retry_after_seconds=retry_after_seconds,
        metadata={"quota": quota, "limit": f"{limit:g}"},
    )


def artifact_not_found(job_id: str, path: str) -> ServiceError:
    """The caller asks for one that the job lists."""
    return ServiceError(
        reasons.ERROR_REASON_ARTIFACT_NOT_FOUND, f"job {job_id!r} has no artifact {path!r} (yet); see GetJob"
    )


def superseded() -> ServiceError:
    """The older connection stops."""
    return ServiceError(reasons.ERROR_REASON_SUPERSEDED, "a newer stream of this job has taken over")


def spool_full(retry_after_seconds: float) -> ServiceError:
    """The caller tries again later, when other jobs have ended."""
    return ServiceError(
        reasons.ERROR_REASON_SPOOL_FULL,
        "the spool quota is used up; what was acknowledged stays, try again later",
        retry_after_seconds=retry_after_seconds,
    )


def too_many_jobs(limit: int, retry_after_seconds: float) -> ServiceError:
    """The caller tries again later, when fewer jobs wait."""
    return ServiceError(
        reasons.ERROR_REASON_TOO_MANY_JOBS,
        f"{limit} jobs are waiting already; try again later",
        retry_after_seconds=retry_after_seconds,
    )


def disk_full(retry_after_seconds: float, room: DiskRoom | None = None) -> ServiceError:
    """The caller tries again later, or the operator makes room."""
    figures = "" if room is None else f" ({room})"
    return ServiceError(
        reasons.ERROR_REASON_DISK_FULL,
        f"the service's disk is full{figures}; what was acknowledged stays, try again later",
        retry_after_seconds=retry_after_seconds,
    )


def disk_too_small(whole_bytes: int, room: DiskRoom) -> ServiceError:
    """The caller sends less, or the operator gives the service a larger disk: waiting changes nothing."""
    return ServiceError(
        reasons.ERROR_REASON_TOO_LARGE,
        f"the frames are {whole_bytes} bytes or more; the disk of the service's data_dir could never hold "
        f"more than {room.most_bytes}: {room}",
        metadata={"limit_bytes": str(room.most_bytes), "actual_bytes": str(whole_bytes)},
    )


def no_workers(reason: str, retry_after_seconds: float) -> ServiceError:
    """The operator removes the cause; until then another server takes the job, or this one later."""
    return ServiceError(
        reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE,
        f"this server cannot start a worker process and takes no new jobs until then: {for_clients(reason)}",
        retry_after_seconds=retry_after_seconds,
    )


def too_many_files(retry_after_seconds: float) -> ServiceError:
    """The caller tries again later, or the operator raises the limit."""
    return ServiceError(
        reasons.ERROR_REASON_TOO_MANY_FILES,
        "the service has as many files open as it may (ulimit -n); what was acknowledged stays, "
        "try again later",
        retry_after_seconds=retry_after_seconds,
    )


def storage_unavailable() -> ServiceError:
    """The operator puts the data directory back."""
    return ServiceError(
        reasons.ERROR_REASON_STORAGE_UNAVAILABLE,
        "the service's data directory is gone; nothing is acknowledged until it is back and the service "
        "restarted",
    )


def disk_error(error: OSError, retry_after_seconds: float) -> ServiceError:
    """What a refusal of the disk means to a client: who can change it, and whether it pays to wait."""
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return too_many_files(retry_after_seconds)
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO}:
        return storage_unavailable()
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(retry_after_seconds)
    return temporarily_unavailable(f"the service's disk refuses: {error.strerror or type(error).__name__}")


def job_damaged(job_id: str) -> ServiceError:
    """The caller sends the clip under another id; the operator looks at the disk."""
    return ServiceError(
        reasons.ERROR_REASON_JOB_DAMAGED,
        f"the files of job {job_id!r} are damaged on the service's disk; what is left of them stays as it is",
    )


def artifact_damaged(job_id: str, path: str) -> ServiceError:
    """As `job_damaged`, for one file."""
    return ServiceError(
        reasons.ERROR_REASON_JOB_DAMAGED,
        f"artifact {path!r} of job {job_id!r} is damaged on the service's disk: it is not what was made",
        metadata={"path": path},
    )


def draining() -> ServiceError:
    """Reconnect; another instance, or the next one on the same data, goes on."""
    return ServiceError(
        reasons.ERROR_REASON_DRAINING,
        "the service is shutting down; what was acknowledged stays, reconnect and resume",
    )


def wrong_state(message: str, state: str) -> ServiceError:
    """The job's state does not allow the call."""
    return ServiceError(reasons.ERROR_REASON_WRONG_STATE, message, metadata={"state": state})


def job_cancelled(job_id: str) -> ServiceError:
    """The job was cancelled."""
    return ServiceError(reasons.ERROR_REASON_JOB_CANCELLED, f"job {job_id!r} was cancelled")


def job_expired(job_id: str) -> ServiceError:
    """The upload stopped for too long."""
    return ServiceError(
        reasons.ERROR_REASON_JOB_EXPIRED,
        f"the upload of job {job_id!r} was idle for too long and has expired; send it under another job_id",
    )


def not_implemented(what: str) -> ServiceError:
    """The caller does without, or waits for a later version."""
    return ServiceError(reasons.ERROR_REASON_NOT_IMPLEMENTED, f"this version does not do {what}")


def encoder_unavailable(output: str, encoder: str, reason: str) -> ServiceError:
    """A strict output cannot be made here."""
    return ServiceError(
        reasons.ERROR_REASON_ENCODER_UNAVAILABLE,
        f"output {output!r} is strict and cannot be made here: {reason}",
        metadata={"output": output, "encoder": encoder},
    )


def nothing_available(why: Sequence[str]) -> ServiceError:
    """All outputs would be left out."""
    return ServiceError(
        reasons.ERROR_REASON_ENCODER_UNAVAILABLE, f"no output can be made here: {'; '.join(why)}"
    )


def offset_behind_end(offset: int, size_bytes: int) -> ServiceError:
    """The caller asks for bytes that exist."""
    return ServiceError(
        reasons.ERROR_REASON_WRONG_OFFSET,
        f"offset {offset} lies behind the artifact's {size_bytes} bytes",
        metadata={"expected_offset": str(size_bytes)},
    )


def temporarily_unavailable(what: str) -> ServiceError:
    """The caller tries again; nothing is wrong with the request."""
    return ServiceError(reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE, what)
