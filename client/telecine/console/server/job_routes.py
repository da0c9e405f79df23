"""Jobs over HTTP: the list, one job, previews, artifacts with ranges, cancelling."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from telecine.clients.logs import JobStory
from telecine.console.pages import fleet as fleet_pages
from telecine.console.pages import job as job_pages
from telecine.console.pages import jobs as pages
from telecine.console.server import answers
from telecine.console.server.guard import ARTIFACT_POLICY
from telecine.console.server.ranges import RangeError, range_of
from telecine.console.server.sessions import Session
from telecine.console.services import jobs
from telecine.exceptions import CallerError, TelecineError
from telecine.results import reading
from telecine.results.values import JobState

_STORY_RECORDS = 500
_TEXT_CHARS = 200
_PREVIEW_SIDE = 640
_LIVE_SECONDS = 1.0


async def show_jobs(request: Request, session: Session) -> Response:
    """The list."""
    states, text = _asked(request)
    found = await jobs.job_page(session.access.encoder, states, text, request.query_params.get("page", ""))
    notice = request.query_params.get("notice", "")[:_TEXT_CHARS]
    return answers.html(pages.jobs_page(answers.viewer_of(session), found, states, text, notice))


async def follow_jobs(request: Request, session: Session) -> Response:
    """The rows of the first page, whenever they change."""
    states, text = _asked(request)
    client, last = session.access.encoder, ""

    async def produce() -> str | None:
        nonlocal last
        rows = str(pages.rows(await jobs.job_page(client, states, text)))
        if rows == last:
            return None
        last = rows
        return answers.event("rows", rows)

    return answers.events(session, _LIVE_SECONDS, produce, _nothing)


async def cancel_jobs(session: Session, form: Mapping[str, list[str]]) -> Response:
    """Cancels what is selected."""
    job_ids = form.get("job", [])
    if not job_ids:
        return answers.redirect(f"/jobs?{urlencode({'notice': 'No job was selected.'})}")
    done, faults = await jobs.cancel(session.access.encoder, job_ids)
    notice = f"{done} cancelled. {' '.join(faults)}"[:_TEXT_CHARS]
    return answers.redirect(f"/jobs?{urlencode({'notice': notice})}")


async def show_job(request: Request, session: Session) -> Response:
    """One job."""
    job_id = request.path_params["job_id"]
    job = await jobs.one_job(session.access.encoder, job_id)
    manifest: Mapping[str, Any] | None = None
    if reading.job_state(job.state).has_ended:
        try:
            written = await session.access.encoder.manifest(job_id)
            manifest = msgspec.json.decode(written, type=dict[str, Any])
        except (CallerError, msgspec.MsgspecError):
            manifest = None
    story, fault = await _story(session, job_id)
    return answers.html(job_pages.job_page(answers.viewer_of(session), job, manifest, story, fault))


async def follow_job(request: Request, session: Session) -> Response:
    """What changes of one job; when it has ended, the page is loaded again."""
    client, job_id, last = session.access.encoder, request.path_params["job_id"], ""

    async def produce() -> str | None:
        nonlocal last
        job = await jobs.one_job(client, job_id)
        if reading.job_state(job.state).has_ended:
            return answers.event("over", "")
        facts = str(job_pages.facts(job))
        if facts == last:
            return None
        last = facts
        return answers.event("job", facts)

    return answers.events(session, _LIVE_SECONDS, produce, _nothing)


async def preview(request: Request, session: Session) -> Response:
    """The newest frame that is safe."""
    client, job_id = session.access.encoder, request.path_params["job_id"]
    found = await client.preview(job_id, max_side=_PREVIEW_SIDE, format="jpeg")
    media_type = found.media_type if found.media_type in job_pages.SHOWN else "application/octet-stream"
    return Response(found.image, media_type=media_type, headers=_locked_up())


async def manifest_json(request: Request, session: Session) -> Response:
    """The manifest as a file."""
    job_id = request.path_params["job_id"]
    written = await session.access.encoder.manifest(job_id)
    return Response(written, media_type="application/json", headers=_locked_up(f"{job_id}.manifest.json"))


async def artifact(request: Request, session: Session) -> Response:
    """An artifact: shown in place only as what cannot run scripts, else as a download; ranges of it."""
    job_id, path = request.path_params["job_id"], request.path_params["path"]
    client = session.access.encoder
    found = jobs.artifact_of(await jobs.one_job(client, job_id), path)
    is_shown = found.media_type in job_pages.SHOWN | job_pages.PLAYED
    is_download = not is_shown or "download" in request.query_params
    headers = _locked_up(path.rpartition("/")[2] if is_download else "")
    tag = f'"{found.sha256}"'
    headers |= {"accept-ranges": "bytes", "etag": tag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if request.headers.get("if-range", tag) != tag:
        wanted = None
    try:
        part = range_of(wanted, found.size_bytes)
    except RangeError:
        return Response(status_code=416, headers={"content-range": f"bytes */{found.size_bytes}"})
    first, count = part or (0, found.size_bytes)
    if part:
        headers["content-range"] = f"bytes {first}-{first + count - 1}/{found.size_bytes}"
    headers["content-length"] = str(count)
    media_type = found.media_type if is_shown else "application/octet-stream"
    status = 206 if part else 200
    if request.method == "HEAD" or not count:
        return Response(status_code=status, headers=headers, media_type=media_type)
    pieces = jobs.pieces(client, job_id, path, first, count)
    return StreamingResponse(pieces, status, headers, media_type)


async def fleet(request: Request, session: Session) -> Response:
    """Both services."""
    access = session.access
    encoder, encoder_fault, stats, collector_fault = None, "", None, ""
    try:
        encoder = await access.encoder.capabilities()
    except TelecineError as error:
        encoder_fault = error.message
    try:
        stats = await asyncio.to_thread(access.collector.stats)
    except TelecineError as error:
        collector_fault = error.message
    viewer = answers.viewer_of(session)
    return answers.html(fleet_pages.fleet_page(viewer, encoder, encoder_fault, stats, collector_fault))


async def _story(session: Session, job_id: str) -> tuple[JobStory | None, str]:
    try:
        client = session.access.collector
        return await asyncio.to_thread(client.job_story, job_id, max_records=_STORY_RECORDS), ""
    except TelecineError as error:
        return None, error.message


def _asked(request: Request) -> tuple[list[JobState], str]:
    known = {state.value for state in JobState}
    states = [JobState(each) for each in request.query_params.getlist("state") if each in known]
    return states, request.query_params.get("text", "")[:_TEXT_CHARS].strip()


def _locked_up(name: str = "") -> dict[str, str]:
    """Headers for what others made. `name`: of the download; empty: it is shown in place."""
    headers = {"content-security-policy": ARTIFACT_POLICY}
    if name:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return headers


def _nothing() -> None:
    """There is nothing to close."""
