"""Jobs as the console needs them: a page of the list, one job, pieces of artifacts, cancelling several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from telecine.channel import calls
from telecine.clients.asynchronous import AsyncClient
from telecine.console.services.access import CALL_SECONDS
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import ArtifactNotFoundError, TelecineError
from telecine.results import reading
from telecine.results.values import Artifact, JobState

PAGE_JOBS = 100
_DOWNLOAD_SECONDS = 3600.0
MAX_CANCELLED = 200
"""At once."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of the list, newest first."""

    jobs: Sequence[pb.Job]
    next_token: str
    """Empty: this was the last page."""
    damaged: Sequence[pb.DamagedJob]


async def job_page(client: AsyncClient, states: Sequence[JobState], text: str, token: str = "") -> JobPage:
    """Jobs in any of the states (none: all) that say the text."""
    request = pb.ListJobsRequest(
        states=[reading.job_state_number(state) for state in states],
        text=text,
        page_size=PAGE_JOBS,
        page_token=token,
    )
    answer = await _ask(client, calls.LIST_JOBS, request)
    return JobPage(answer.jobs, answer.next_page_token, answer.damaged)


async def one_job(client: AsyncClient, job_id: str) -> pb.Job:
    """Raises JobNotFoundError."""
    return (await _ask(client, calls.GET_JOB, pb.GetJobRequest(job_id=job_id))).job


async def cancel(client: AsyncClient, job_ids: Sequence[str]) -> tuple[int, list[str]]:
    """Cancels jobs; returns how many were, and what went wrong with the others."""
    done, faults = 0, []
    for job_id in job_ids[:MAX_CANCELLED]:
        try:
            await client.cancel_job(job_id)
            done += 1
        except TelecineError as error:
            faults.append(f"{job_id}: {error.message}")
    return done, faults


def artifact_of(job: pb.Job, path: str) -> Artifact:
    """Raises ArtifactNotFoundError."""
    for output in job.outputs:
        for entry in output.artifacts:
            if entry.path == path:
                return reading.artifact(entry)
    raise ArtifactNotFoundError(f"the job has no artifact {path!r}")


async def pieces(
    client: AsyncClient, job_id: str, path: str, first: int, size_bytes: int
) -> AsyncIterator[bytes]:
    """So many bytes of an artifact from an offset, as they come; memory does not grow with their number."""
    channel = await client.channel()
    request = pb.DownloadArtifactRequest(job_id=job_id, path=path, offset=first)
    stream = channel.download(request, _DOWNLOAD_SECONDS, calls.current_request_id())
    left = size_bytes
    try:
        async for answer in stream:
            data = answer.chunk.data[:left]
            left -= len(data)
            if data:
                yield data
            if left <= 0:
                return
    finally:
        stream.cancel()


async def _ask(
    client: AsyncClient, rpc: calls.Unary[calls.RequestT, calls.ResponseT], request: calls.RequestT
) -> calls.ResponseT:
    channel = await client.channel()
    return await channel.call(rpc, request, CALL_SECONDS, calls.current_request_id())
