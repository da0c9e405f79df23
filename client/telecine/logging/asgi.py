"""Gives every request of an ASGI program (FastAPI, Starlette, Litestar, Django …) its id and its record."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from telecine.logging.logger import Logger
from telecine.logging.record.context import REQUEST_ID_KEY, LogContext

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

_SOUND_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_HEADER: Final = REQUEST_ID_KEY.encode()
_SERVER_ERROR: Final = 500


class RequestIdMiddleware:
    """Binds `request_id` to all records of a request, and returns it in the `x-request-id` header.

    The caller's id is taken where it is 1 to 128 of [A-Za-z0-9._:-], else one is made. gRPC calls with
    our interceptors carry it on. With `records_requests`, each request ends with one record: method,
    path (never the query, which may hold secrets), status and `duration_ms`; ERROR from status 500 on
    and for what the program raises, which is raised again.

    Usage: `app = RequestIdMiddleware(app)`, around everything, so that the framework's own error pages
    carry the id too.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        records_requests: bool = True,
        logger: Logger | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`logger`: where requests are recorded; None: `http.access`."""
        from telecine.logging import get_logger

        self._app = app
        self._records_requests = records_requests
        self._logger = logger or get_logger("http.access")
        self._clock = clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, websocket, or the program's own start and stop, which pass as they are."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.accept"):
                status = int(message.get("status", 101))
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _HEADER]
                message = {**message, "headers": [*others, (_HEADER, request_id)]}
            await send(message)

        started = self._clock()
        with LogContext(request_id=request_id.decode("ascii")):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                self._record(scope, status or _SERVER_ERROR, started, is_raised=True)
                raise
            self._record(scope, status, started, is_raised=False)

    def _record(self, scope: Message, status: int, started: float, *, is_raised: bool) -> None:
        if not self._records_requests:
            return
        fields: dict[str, Any] = {
            "event": f"{scope['type']}:request",
            "method": str(scope.get("method", "GET")),
            "path": str(scope.get("path", "")),
            "status": status,
            "duration_ms": round((self._clock() - started) * 1000, 3),
        }
        if is_raised:
            fields["exc_info"] = True
        if is_raised or status >= _SERVER_ERROR:
            self._logger.error("request failed", **fields)
        else:
            self._logger.info("request", **fields)


def _request_id(scope: Message) -> bytes:
    for name, value in scope.get("headers", ()):
        if name.lower() == _HEADER and _SOUND_ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(16).encode()
