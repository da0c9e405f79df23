"""Records over HTTP: pages, live ones, one record, the export."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from telecine.clients.logs import LogFilter, RecordPage
from telecine.console.pages import logs as pages
from telecine.console.server import answers
from telecine.console.server.sessions import Session
from telecine.console.services import records
from telecine.console.services.records import Asked
from telecine.exceptions import InvalidRequestError
from telecine.log_view.filter_text import FilterTextError
from telecine.log_view.live_feed import LiveFeed
from telecine.log_view.record_view import RecordView

_LIVE_SECONDS = 0.5
_FIRST_RECORDS = 50
"""Sent again at the start of a live page: what came between the page and its stream. Pages know them."""
_FAILURE = (FilterTextError, InvalidRequestError)
_NOTHING = RecordPage((), "")


async def show_logs(request: Request, session: Session) -> Response:
    """A page of records; a wrong query is said above an empty one."""
    asked, token = Asked.of(request.query_params), request.query_params.get("page", "")
    found, fault = _NOTHING, ""
    try:
        found = await _page(session, asked.wanted(), token)
    except _FAILURE as error:
        fault = _explained(error)
    body = pages.logs_page(
        answers.viewer_of(session), asked, found.records, found.next_token, fault=fault, is_first=not token
    )
    return answers.html(body, 400 if fault else 200)


async def more_rows(request: Request, session: Session) -> Response:
    """The next page of history, for the page that is open."""
    asked, token = Asked.of(request.query_params), request.query_params.get("page", "")
    try:
        found = await _page(session, asked.wanted(), token)
    except _FAILURE as error:
        return answers.html(_explained(error), 400)
    return answers.html(str(pages.more_rows(asked, found.records, found.next_token)))


async def follow_logs(request: Request, session: Session) -> Response:
    """Records as they arrive."""
    try:
        wanted = Asked.of(request.query_params).wanted()
    except FilterTextError as error:
        return answers.html(str(error), 400)
    feed = records.live_feed(session.access, wanted, _FIRST_RECORDS)
    seen = 0
    feed.start()

    async def produce() -> str | None:
        nonlocal seen
        said, seen = _live(feed, seen)
        return said

    return answers.events(session, _LIVE_SECONDS, produce, feed.stop)


async def one_record(request: Request, session: Session) -> Response:
    """What one record says: a piece of a page, or a page."""
    view = await _found(request, session)
    if "whole" in request.query_params:
        return answers.html(pages.record_page(answers.viewer_of(session), view), 200 if view else 404)
    return answers.html(pages.details_piece(view))


async def record_json(request: Request, session: Session) -> Response:
    """One record as a file."""
    view = await _found(request, session)
    if view is None:
        return answers.html("this record is not stored any more", 404)
    headers = {"content-disposition": 'attachment; filename="record.json"'}
    return Response(view.line, media_type="application/json", headers=headers)


async def export(request: Request, session: Session) -> Response:
    """What is selected, as NDJSON."""
    try:
        wanted = Asked.of(request.query_params).wanted()
        pieces = records.lines(session.access.collector, wanted)
        first = await asyncio.to_thread(next, pieces, b"")
    except _FAILURE as error:
        return answers.html(_explained(error), 400)

    async def run() -> AsyncIterator[bytes]:
        piece = first
        while piece:
            yield piece
            piece = await asyncio.to_thread(next, pieces, b"")

    headers = {"content-disposition": 'attachment; filename="records.ndjson"'}
    return StreamingResponse(run(), headers=headers, media_type="application/x-ndjson")


def _live(feed: LiveFeed, seen: int) -> tuple[str | None, int]:
    """What came, as events; and how many records have come in all."""
    delivery = feed.take()
    came = delivery.by_level.total()
    rows = [
        pages.row(item) if isinstance(item, RecordView) else pages.gap(item.missed) for item in delivery.items
    ]
    left_out = came - seen - sum(isinstance(item, RecordView) for item in delivery.items)
    if left_out > 0:
        rows.insert(0, pages.gap(left_out))
    said = answers.event("records", "".join(map(str, rows))) if rows else ""
    if delivery.problem:
        said += answers.event("state", delivery.problem)
    return said or None, came


async def _page(session: Session, wanted: LogFilter, token: str) -> RecordPage:
    return await asyncio.to_thread(records.page, session.access.collector, wanted, token)


async def _found(request: Request, session: Session) -> RecordView | None:
    timestamp, key = request.query_params.get("t", ""), request.query_params.get("k", "")
    try:
        return await asyncio.to_thread(records.find, session.access.collector, timestamp, key)
    except FilterTextError:
        return None


def _explained(error: Exception) -> str:
    faults = error.faults if isinstance(error, InvalidRequestError) else ()
    return "; ".join(f"{fault.field}: {fault.description}" for fault in faults) or str(error)
