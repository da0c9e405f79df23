"""The collector's answers other than OK, each with its reason of telecine.errors.v1."""

from __future__ import annotations

from telecine.errors.v1 import error_reason_pb2 as reasons

from log_collector.journal import JournalClosedError, JournalFailedError, JournalFullError
from service_host.status.status import FieldViolation, ServiceError


def invalid_field(field: str, expected: str) -> ServiceError:
    """INVALID_ARGUMENT: one field of a request is wrong."""
    message = f"{field}: {expected}"
    return ServiceError(
        reasons.ERROR_REASON_INVALID_FIELD, message, violations=[FieldViolation(field, expected)]
    )


def malformed(message: str) -> ServiceError:
    """INVALID_ARGUMENT: bytes that cannot be read as what they should be."""
    violation = FieldViolation("", message)
    return ServiceError(reasons.ERROR_REASON_MALFORMED_MESSAGE, message, violations=[violation])


def draining(retry_seconds: float) -> ServiceError:
    """UNAVAILABLE: the collector stops."""
    message = "the collector stops; go on elsewhere or later"
    return ServiceError(reasons.ERROR_REASON_DRAINING, message, retry_after_seconds=retry_seconds)


def busy(retry_seconds: float) -> ServiceError:
    """UNAVAILABLE: more calls at once than the collector works on."""
    message = "the collector has too many calls to work on"
    return ServiceError(
        reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE, message, retry_after_seconds=retry_seconds
    )


def faulty(retry_seconds: float) -> ServiceError:
    """UNAVAILABLE: a fault of ours; what was sent is worth sending again."""
    message = "the collector failed; its log says how"
    return ServiceError(
        reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE, message, retry_after_seconds=retry_seconds
    )


def out_of_memory(retry_seconds: float) -> ServiceError:
    """UNAVAILABLE: what was sent is worth sending again."""
    message = "the collector has no memory for it now"
    return ServiceError(
        reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE, message, retry_after_seconds=retry_seconds
    )


def not_stored(
    cause: JournalFullError | JournalFailedError | JournalClosedError, retry_seconds: float
) -> ServiceError:
    """UNAVAILABLE: the journal did not take it; whatever the reason, it is worth trying again."""
    if isinstance(cause, JournalClosedError):
        return draining(retry_seconds)
    why = "it is full" if isinstance(cause, JournalFullError) else str(cause)
    return ServiceError(
        reasons.ERROR_REASON_JOURNAL_FULL
        if isinstance(cause, JournalFullError) or cause.is_disk_full
        else reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE,
        f"the journal takes no records now: {why}",
        retry_after_seconds=retry_seconds,
    )


def refusal_reason(cause: JournalFullError | JournalFailedError | JournalClosedError) -> str:
    """The reason as the books name it."""
    if isinstance(cause, JournalFullError):
        return "journal_full"
    if isinstance(cause, JournalClosedError):
        return "draining"
    return "disk_full" if cause.is_disk_full else "journal_failed"


def job_not_found(job_id: str) -> ServiceError:
    """NOT_FOUND: no record of this job, or not any more."""
    message = f"there is no record of job {job_id!r}"
    return ServiceError(reasons.ERROR_REASON_JOB_NOT_FOUND, message, metadata={"job_id": job_id})


def too_many_followers(limit: int) -> ServiceError:
    """RESOURCE_EXHAUSTED: as many follow as may."""
    return ServiceError(reasons.ERROR_REASON_TOO_MANY_STREAMS, f"{limit} callers follow already")


def not_readable(setting: str) -> ServiceError:
    """UNIMPLEMENTED: the files that would answer are switched off, or are not JSON."""
    message = f"records cannot be read back: {setting} is switched off or not in the JSON format"
    return ServiceError(reasons.ERROR_REASON_NOT_IMPLEMENTED, message)
