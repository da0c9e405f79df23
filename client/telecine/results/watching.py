"""Watching a job, for both clients: what to ask, what is news, when it is over."""

from __future__ import annotations

import time

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import LaterError, TimedOutError, UnavailableError
from telecine.request.fields import number, text
from telecine.results import reading
from telecine.results.values import JobInfo, Progress

MAX_INTERVAL_SECONDS = 60.0


class Watching:
    """One job that is being watched, over as many connections as it takes."""

    def __init__(self, job_id: str, interval_seconds: float) -> None:
        """Raises InvalidRequestError for an interval below zero or above a minute."""
        interval = number(interval_seconds, "interval_seconds", 0, MAX_INTERVAL_SECONDS)
        self._request = pb.WatchJobRequest(job_id=text(job_id, "job_id"))
        self._request.min_interval.FromNanoseconds(round(interval * 1e9))
        self.newest: JobInfo | None = None
        """The newest state of the job; None: none has come yet."""

    @property
    def is_over(self) -> bool:
        """Whether the job has ended and its end was reported."""
        return self.newest is not None and self.newest.state.has_ended

    def request(self) -> pb.WatchJobRequest:
        """The request to send on each connection."""
        return self._request

    def take(self, response: pb.WatchJobResponse) -> JobInfo | None:
        """The state of the job; None if it is the one that is known already."""
        job = reading.job(response.job)
        if job == self.newest:
            return None
        self.newest = job
        return job

    def ended(self) -> None:
        """A connection ended in order. Raises UnavailableError if the job has not ended."""
        if not self.is_over:
            raise UnavailableError("the server ended the stream before the job ended")

    def expect_before(self, deadline_monotonic: float | None, error: LaterError) -> None:
        """A connection was lost. Raises TimedOutError when there is no time for another."""
        if deadline_monotonic is not None and time.monotonic() >= deadline_monotonic:
            state = "unknown" if self.newest is None else str(self.newest.state)
            raise TimedOutError(f"job {self._request.job_id} has not ended in time; it is {state}") from error


def progress_of(job: JobInfo) -> Progress:
    """The progress to report of a job that another process uploads."""
    is_handed_off = job.total_frames > 0
    return Progress(
        job_id=job.job_id,
        pushed_bytes=job.persisted_bytes,
        acknowledged_bytes=job.persisted_bytes,
        total_bytes=job.persisted_bytes if is_handed_off else 0,
        is_handed_off=is_handed_off,
        outputs=tuple(output.progress for output in job.outputs),
    )
