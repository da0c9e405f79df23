"""The application: who may come in, and the routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telecine.console.pages import layout
from telecine.console.server import answers, job_routes, log_routes
from telecine.console.server.answers import FormError, form_of, html, redirect, viewer_of
from telecine.console.server.assets import load_assets
from telecine.console.server.guard import HEADERS, is_known_host, is_same_origin
from telecine.console.server.sessions import LONGEST_SECONDS, Failures, OneTimeLink, Session, Sessions
from telecine.console.services.access import LogInError, Services, logged_in, of_the_starter
from telecine.exceptions import TelecineError, UnauthenticatedError

Asgi: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Screen: TypeAlias = Callable[[Request, Session], Awaitable[Response]]
_MAX_KEY_CHARS: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """What the console is put together from."""

    services: Services
    announce: Callable[[str], None]
    """Shows the key of a new one-time link to the person who started the console."""
    is_secure: bool
    """Whether it is spoken to by TLS."""
    names: frozenset[str] = frozenset()
    """Names, beside localhost and addresses, by which browsers reach it."""
    cookie: str = "telecine_console"
    clock: Callable[[], float] = time.monotonic


class Console:
    """One console; `open` before the first request, `close` after the last."""

    def __init__(self, options: ConsoleOptions) -> None:
        self._options = options
        self._link = OneTimeLink(options.announce)
        self._failures = Failures(options.clock)
        self._assets = load_assets()
        self.sessions = Sessions(options.clock)

    def open(self) -> None:
        """Announces the first one-time link."""
        self._link.renew()

    async def close(self) -> None:
        """Ends every session, its streams and its connections."""
        self.sessions.end_all()
        await self._close_ended()

    def asgi(self) -> Asgi:
        """The application as a server runs it."""
        screens: dict[str, Screen] = {
            "/jobs": job_routes.show_jobs,
            "/jobs/live": job_routes.follow_jobs,
            "/jobs/{job_id}": job_routes.show_job,
            "/jobs/{job_id}/live": job_routes.follow_job,
            "/jobs/{job_id}/preview": job_routes.preview,
            "/jobs/{job_id}/manifest.json": job_routes.manifest_json,
            "/jobs/{job_id}/artifacts/{path:path}": job_routes.artifact,
            "/logs": log_routes.show_logs,
            "/logs/rows": log_routes.more_rows,
            "/logs/live": log_routes.follow_logs,
            "/logs/record": log_routes.one_record,
            "/logs/record.json": log_routes.record_json,
            "/logs/export": log_routes.export,
            "/fleet": job_routes.fleet,
        }
        routes = [Route(path, self._screen(screen), methods=["GET"]) for path, screen in screens.items()]
        routes += [
            Route("/", self._front, methods=["GET"]),
            Route("/open", self._open_link, methods=["GET"]),
            Route("/log-in", self._show_log_in, methods=["GET"]),
            Route("/log-in", self._log_in, methods=["POST"]),
            Route("/log-out", self._log_out, methods=["POST"]),
            Route("/jobs/cancel", self._cancel, methods=["POST"]),
            Route("/assets/{name}", self._asset, methods=["GET"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: self._unknown})
        app.router.redirect_slashes = False
        return self._guarded(app)

    def _guarded(self, app: Asgi) -> Asgi:
        """Refuses foreign hosts and foreign changes; puts the headers on every answer."""

        async def run(scope: Any, receive: Any, send: Any) -> None:
            async def sent(message: Any) -> None:
                if message["type"] == "http.response.start":
                    present = {name for name, _ in message["headers"]}
                    message["headers"] += [
                        (name.encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.encode() not in present
                    ]
                await send(message)

            request = Request(scope)
            host = request.headers.get("host", "")
            inner = app
            if len(request.headers.getlist("host")) != 1 or not is_known_host(host, self._options.names):
                inner = html("This name is not one of the console's: start it with --host NAME.", 421)
            elif request.method not in ("GET", "HEAD"):
                origin = request.headers.get("origin")
                if not is_same_origin(origin, host, is_secure=self._options.is_secure):
                    inner = html("A change has to come from a page of the console itself.", 403)
            await inner(scope, receive, sent)
            await self._close_ended()

        return run

    def _screen(self, screen: Screen) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            session = self._session(request)
            if session is None:
                return self._log_in_first(request)
            try:
                return await screen(request, session)
            except TelecineError as error:
                return self._failed(request, session, error)

        return handle

    def _session(self, request: Request) -> Session | None:
        return self.sessions.find(request.cookies.get(self._options.cookie, ""))

    def _log_in_first(self, request: Request) -> Response:
        # Pieces of a page and pictures are no place for a form.
        is_page = request.headers.get("sec-fetch-dest", "document") == "document"
        return redirect("/log-in") if is_page else html("log in first", 401)

    def _failed(self, request: Request, session: Session, error: TelecineError) -> Response:
        if isinstance(error, UnauthenticatedError):
            self.sessions.end(request.cookies.get(self._options.cookie, ""))
            return html(layout.log_in(f"The service does not take this key any more: {error.message}"), 401)
        viewer = viewer_of(session)
        text = layout.failure("This did not work", error.message, error.recovery, viewer)
        return html(text, answers.status_of(error))

    async def _front(self, request: Request) -> Response:
        return redirect("/jobs" if self._options.services.encoder else "/logs")

    async def _show_log_in(self, request: Request) -> Response:
        return html(layout.log_in())

    async def _open_link(self, request: Request) -> Response:
        if not self._link.use(request.query_params.get("key", "")):
            return html(layout.log_in("This link was used before, or is none. A new one was printed."), 403)
        return self._begin(self.sessions.begin(of_the_starter(self._options.services)))

    async def _log_in(self, request: Request) -> Response:
        if self._failures.is_too_many:
            return html(layout.log_in("Too many keys were wrong. Wait a minute."), 429)
        try:
            key = (await form_of(request)).get("key", [""])[0].strip()
            if not 0 < len(key) <= _MAX_KEY_CHARS:
                raise LogInError("A key or a token is expected.")
            access = await logged_in(self._options.services, key)
        except (LogInError, FormError) as error:
            self._failures.add()
            return html(layout.log_in(str(error)), 403)
        return self._begin(self.sessions.begin(access))

    def _begin(self, cookie: str) -> Response:
        answer = redirect("/")
        answer.set_cookie(
            self._options.cookie,
            cookie,
            max_age=int(LONGEST_SECONDS),
            secure=self._options.is_secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _log_out(self, request: Request) -> Response:
        changing = await self._change(request)
        if isinstance(changing, Response):
            return changing
        self.sessions.end(request.cookies.get(self._options.cookie, ""))
        answer = redirect("/log-in")
        answer.delete_cookie(self._options.cookie, httponly=True, samesite="strict")
        return answer

    async def _cancel(self, request: Request) -> Response:
        changing = await self._change(request)
        if isinstance(changing, Response):
            return changing
        session, form = changing
        try:
            return await job_routes.cancel_jobs(session, form)
        except TelecineError as error:
            return self._failed(request, session, error)

    async def _change(self, request: Request) -> Response | tuple[Session, dict[str, list[str]]]:
        """The session and the form of a change that a page of the session asked for."""
        session = self._session(request)
        if session is None:
            return redirect("/log-in")
        try:
            form = await form_of(request)
        except FormError as error:
            return html(str(error), 400)
        if not session.is_form_ours(form.get("csrf", [""])[0]):
            return html("The form is not one of this session: load the page again.", 403)
        return session, form

    async def _asset(self, request: Request) -> Response:
        found = self._assets.get(request.path_params["name"])
        if found is None:
            return html("There is no such file.", 404)
        return Response(found[0], media_type=found[1], headers={"cache-control": "no-cache"})

    async def _unknown(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        session = self._session(request)
        viewer = viewer_of(session) if session else None
        return html(layout.failure("Not here", "There is no such page.", "", viewer), status)

    async def _close_ended(self) -> None:
        ended = self.sessions.take_ended()
        if ended:
            await asyncio.gather(*(session.access.close() for session in ended), return_exceptions=True)
