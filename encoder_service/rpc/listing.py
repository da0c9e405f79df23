"""ListJobs: which jobs a request means, in which order, and where the next page begins."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service import errors
from encoder_service.jobs.job import Job
from encoder_service.jobs.registry import Registry
from encoder_service.rpc import replies
from encoder_service.rpc.job_reply import job_message

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_TEXT_CHARS = 256

_Place = tuple[int, str, str]


def list_jobs(registry: Registry, request: pb.ListJobsRequest, tenant: str | None) -> pb.ListJobsResponse:
    """A page of a tenant's jobs (None: of all). Raises ServiceError INVALID_FIELD."""
    _check(request)
    size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    begin = _parse_token(request.page_token) if request.page_token else None
    response = pb.ListJobsResponse()
    is_meant, states = _condition(request), frozenset(request.states)
    found: list[Job] = []
    counts: Counter[int] = Counter()
    for job in registry.newest_first(tenant):
        if (begin is not None and _place(job) <= begin) or not is_meant(job):
            continue
        state = replies.JOB_STATES[job.state]
        counts[state] += 1
        if not states or state in states:
            found.append(job)
    page = replies.fitting(job_message(job, is_brief=request.is_brief) for job in found[:size])
    response.jobs.extend(page)
    response.next_page_token = _page_token(found[len(page) - 1]) if len(found) > len(page) else ""
    if begin is None:
        response.counts.update(counts)
        if not states and not request.text:
            damaged = registry.quarantine.jobs(request.job_id_prefix, tenant)
            response.damaged.extend(map(replies.damaged_message, damaged[:MAX_PAGE_SIZE]))
    return response


def _check(request: pb.ListJobsRequest) -> None:
    if request.page_size < 0:
        raise errors.invalid_field("page_size", f"must not be below 0, is {request.page_size}")
    most = len(pb.JobState.values())
    if len(request.states) > most:
        raise errors.invalid_field("states", f"must be at most {most}, are {len(request.states)}")
    if len(request.text) > MAX_TEXT_CHARS:
        raise errors.invalid_field("text", f"must have at most {MAX_TEXT_CHARS} characters")


def _condition(request: pb.ListJobsRequest) -> Callable[[Job], bool]:
    prefix, text = request.job_id_prefix, request.text.casefold()

    def is_meant(job: Job) -> bool:
        return job.job_id.startswith(prefix) and (not text or _has_text(job, text))

    return is_meant


def _has_text(job: Job, text: str) -> bool:
    if text in job.job_id.casefold():
        return True
    spec, record = job.record.spec, job.record
    if any(text in output.name.casefold() or text in output.format for output in spec.outputs):
        return True
    if any(text in key.casefold() or text in value.casefold() for key, value in spec.metadata.items()):
        return True
    if any(text in entry.code.casefold() for entry in job.warnings):
        return True
    problems = [record.problem, *(output.failed for output in record.outputs.values())]
    return any(problem is not None and text in problem.code.casefold() for problem in problems)


def _place(job: Job) -> _Place:
    """Where a job stands in a list."""
    return -job.record.created_at_unix_nano, job.job_id, job.record.tenant


def _page_token(job: Job) -> str:
    text = "/".join(map(str, _place(job)))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _parse_token(token: str) -> _Place:
    try:
        parts = base64.b64decode(token, altchars=b"-_", validate=True).decode().split("/")
        created, job_id, tenant = parts
        return int(created), job_id, tenant
    except ValueError as error:
        raise errors.invalid_field("page_token", "was not made by this server") from error
