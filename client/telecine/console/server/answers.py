"""Answers, and the texts of forms; with `app` the door to Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from telecine.console.pages import layout
from telecine.console.server.sessions import MAX_STREAMS, Session
from telecine.exceptions import (
    CallerError,
    LaterError,
    NotPermittedError,
    TelecineError,
    UnauthenticatedError,
)

MAX_FORM_BYTES: Final = 64 << 10
KEEP_ALIVE_SECONDS: Final = 15.0
_OTHER_LINE_ENDS: Final = ("\r\n", "\r")


class FormError(ValueError):
    """The body of a form is too large or none."""


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form. Raises FormError."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise FormError(f"a form of at most {MAX_FORM_BYTES >> 10} KiB was expected")
    try:
        return parse_qs(body.decode(), max_num_fields=1000, keep_blank_values=True)
    except ValueError as error:
        raise FormError("a form was expected") from error


def redirect(address: str) -> Response:
    """To another page of ours, by GET."""
    return Response(status_code=303, headers={"location": address})


def html(text: str, status: int = 200) -> Response:
    """A page or a piece of one."""
    return HTMLResponse(text, status)


def viewer_of(session: Session) -> layout.Viewer:
    """Who looks, as pages show it."""
    return layout.Viewer(session.access.name, session.csrf)


def status_of(error: TelecineError) -> int:
    """What stands for an error of a service in HTTP."""
    if isinstance(error, UnauthenticatedError):
        return 401
    if isinstance(error, NotPermittedError):
        return 403
    if isinstance(error, LookupError):
        return 404
    if isinstance(error, CallerError):
        return 400
    return 503 if isinstance(error, LaterError) else 502


def events(
    session: Session,
    every_seconds: float,
    produce: Callable[[], Awaitable[str | None]],
    close: Callable[[], None],
) -> Response:
    """Server-sent events: what `produce` returns, as often as it says something new (None: nothing new).

    A session has a bounded number of them. They end with the session.
    """
    if session.streams >= MAX_STREAMS:
        close()
        return html("too many live pages are open in this session", 429)
    session.streams += 1

    async def run() -> AsyncIterator[str]:
        try:
            quiet = 0.0
            while not session.is_over:
                try:
                    said = await produce()
                except TelecineError as error:
                    said = event("state", error.message)
                if said is not None or quiet >= KEEP_ALIVE_SECONDS:
                    yield said or ": \n\n"
                    quiet = 0.0
                await asyncio.sleep(every_seconds)
                quiet += every_seconds
            yield event("over", "")
        finally:
            session.streams -= 1
            close()

    return StreamingResponse(run(), media_type="text/event-stream")


def event(name: str, data: str) -> str:
    """One event."""
    for end in _OTHER_LINE_ENDS:
        data = data.replace(end, "\n")
    lines = "\n".join(f"data: {line}" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n\n"
