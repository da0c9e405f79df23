"""Decides whether an ended job is what the caller asked for, and which error it is if not."""

from __future__ import annotations

from telecine import exceptions as errors
from telecine.results.values import EncodeResult, JobInfo, JobState

_BY_STATE: dict[JobState, type[errors.JobError]] = {
    JobState.FAILED: errors.JobFailedError,
    JobState.PARTIALLY_SUCCEEDED: errors.JobIncompleteError,
    JobState.CANCELLED: errors.JobCancelledError,
    JobState.EXPIRED: errors.JobExpiredError,
}


def job_error(job: JobInfo) -> errors.TelecineError | None:
    """The error that an ended job stands for; None: every output was made."""
    kind: type[errors.TelecineError] | None = _BY_STATE.get(job.state)
    if kind is None:
        return None
    if job.problem is not None:
        kind = errors.BY_REASON.get(job.problem.code, kind)
    return kind(f"job {job.job_id} {_what_happened(job)}")


def _what_happened(job: JobInfo) -> str:
    state = job.state.value.replace("_", " ")
    reasons = [f"{job.problem.message} ({job.problem.code})"] if job.problem else []
    reasons += [
        f"{output.name}: {output.problem.message} ({output.problem.code})"
        for output in job.outputs
        if output.problem is not None
    ]
    return f"{state}: {'; '.join(reasons)}" if reasons else state


def is_worth_fetching(job: JobInfo) -> bool:
    """Whether at least one output was made."""
    return job.state in {JobState.SUCCEEDED, JobState.PARTIALLY_SUCCEEDED}


def verdict(result: EncodeResult, *, allow_partial: bool) -> errors.TelecineError | None:
    """The error to raise for a result, which it carries; None: the caller got what was asked for."""
    error = job_error(result.job)
    if allow_partial and isinstance(error, errors.JobIncompleteError):
        return None
    if isinstance(error, errors.JobError):
        error.result = result
    return error
