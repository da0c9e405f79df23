"""One WatchJob call: reports where a job stands: at once, after each change, and at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service import errors
from encoder_service.jobs.job import Job
from encoder_service.rpc.job_reply import job_message

DEFAULT_INTERVAL_SECONDS = 0.2
MAX_INTERVAL_SECONDS = 60.0
HEARTBEAT_SECONDS = 10.0


def interval_seconds(request: pb.WatchJobRequest) -> float:
    """What the watcher asked for. Raises ServiceError for an interval that there is not."""
    if not request.HasField("min_interval"):
        return DEFAULT_INTERVAL_SECONDS
    asked = request.min_interval.seconds + request.min_interval.nanos / 1e9
    if not 0 <= asked <= MAX_INTERVAL_SECONDS:
        raise errors.invalid_field("min_interval", f"must be 0 to {MAX_INTERVAL_SECONDS:g} s, is {asked:g} s")
    return asked


async def watch_job(
    job: Job, pause_seconds: float, is_closing: Callable[[], bool]
) -> AsyncIterator[pb.WatchJobResponse]:
    """Yields the job whole each time; ends with the job. Raises ServiceError once `is_closing`.

    A watcher that reads slowly misses steps in between and nothing else: there is no queue.
    """
    subscription = job.subscribe(pause_seconds)
    sent: pb.Job | None = None
    is_due = True
    try:
        while True:
            is_over = job.is_over
            message = job_message(job)
            if is_due or message != sent:
                sent = message
                yield pb.WatchJobResponse(job=message)
            if is_over:
                return
            if job.is_forgotten:
                raise errors.job_not_found(job.job_id)
            if is_closing():
                raise errors.draining()
            is_due = not await subscription.next(HEARTBEAT_SECONDS)
    finally:
        job.unsubscribe(subscription)
