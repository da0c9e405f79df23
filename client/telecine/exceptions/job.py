"""Why a job did not end as it was asked to: the only errors that carry a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telecine.exceptions.root import ErrorKind, TelecineError

if TYPE_CHECKING:
    from telecine.results.values import EncodeResult


class JobError(TelecineError):
    """The job did not end as you asked."""

    kind = ErrorKind.JOB
    recovery = "Read `result` for each output's problem, and the manifest's warnings."
    result: EncodeResult | None = None
    """The ended job with the outputs that were made; None when it is not known."""


class JobFailedError(JobError):
    """No output could be made."""


class JobIncompleteError(JobError):
    """Some outputs are there, others have failed."""

    recovery = "Take the outputs that were made from `result`; with allow_partial=True this is no error."


class JobCancelledError(JobError):
    """The job was cancelled."""

    reason = "JOB_CANCELLED"
    recovery = "Nothing to fix; start a new job if the outputs are wanted after all."


class JobExpiredError(JobError):
    """The job's upload stopped for too long and was given up."""

    reason = "JOB_EXPIRED"
    recovery = "Start a new job; push faster than the server's idle_upload_timeout, or raise that."


class JobDeadlineExceededError(JobError):
    """The job did not end before its deadline or the server's limit of time."""

    reason = "JOB_DEADLINE_EXCEEDED"
    recovery = "Allow more time, or ask for a faster preset or fewer outputs."


class SupersededError(JobError):
    """Another connection took over the same job; nothing is lost."""

    reason = "SUPERSEDED"
    recovery = "Let the other connection continue; use one job_id in one place at a time."
