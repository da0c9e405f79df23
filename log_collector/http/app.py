"""The application: routes, content types, CORS; the one door to Starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from log_collector import errors
from log_collector.http import otlp
from log_collector.http.body import Bodies, Sent
from log_collector.http.browser import MAX_BODY_BYTES, lines_of, read_batch
from log_collector.http.calls import Answered, Calls, StillGood, needed_scopes, request_id_from
from log_collector.http.calls import Request as Call
from log_collector.http.connection import CERTIFICATE
from log_collector.http.cors import headers_for, require_origin
from log_collector.http.rates import OriginRates
from log_collector.http.records import Lines, RecordTaker
from log_collector.http.script import NAME, Script
from log_collector.ingest.accounting import Way
from service_host.auth.admission import Shown
from service_host.auth.scopes import Scope, requires
from service_host.auth.tenancy import TENANT_KEY, acting_for
from service_host.status.http_status import HttpError, HttpStatus, to_http
from service_host.status.status import REQUEST_ID_KEY, ServiceError

_LINE_BYTES: Final = 4
"""Of a header's line beside its name and value."""
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
"""A request states one of them: two programs in a row could each believe the other one."""
_BROWSER: Final = "/v1/browser"
_BATCHES: Final = frozenset({"text/plain", "application/json"})
"""What a beacon can send without asking first is text/plain."""
_LINES: Final = frozenset(
    {
        "",
        "application/json",
        "application/jsonl",
        "application/ndjson",
        "application/x-ndjson",
        "application/x-jsonlines",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "text/plain",
    }
)
"""Content types of lines; curl sends application/x-www-form-urlencoded where none is named."""

Asgi: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Body: TypeAlias = Callable[[int], AbstractAsyncContextManager[bytes]]


class Parts(msgspec.Struct, frozen=True):
    """What the application is put together from."""

    calls: Calls
    bodies: Bodies
    otlp: otlp.OtlpRoute
    records: Callable[[], RecordTaker]
    origins: Callable[[], frozenset[str]]
    records_per_second: Callable[[], int]
    """Of the pages of one origin."""
    head_bytes: Callable[[], int]
    """Of a request's line and headers."""


class _Taker(Protocol):
    async def __call__(self, request: Request, still_good: StillGood) -> bytes: ...


class HttpApp:
    """Turns requests into calls of the parts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._routes: dict[str, tuple[_Taker, str]] = {
            "/v1/logs": (self._logs, ""),
            "/v1/records": (self._records, otlp.JSON),
        }
        self._script = Script()
        self._rates = OriginRates()

    def asgi(self) -> Asgi:
        """The application as a server runs it."""
        routes = [Route(path, self._posted, methods=["POST"]) for path in self._routes]
        routes += [Route(_BROWSER, self._from_browser, methods=["POST"])]
        routes += [Route(path, self._preflight, methods=["OPTIONS"]) for path in (*self._routes, _BROWSER)]
        routes += [Route(f"/{NAME}", self._logger, methods=["GET"])]
        app = Starlette(routes=routes, exception_handlers={HTTPException: self._unknown})
        app.router.redirect_slashes = False
        return _bounded(app, self._parts.head_bytes)

    async def _posted(self, request: Request) -> Response:
        taker, answer_type = self._routes[request.url.path]
        call = _call(request)
        origin = request.headers.get("origin")
        origins = self._parts.origins()

        async def handle() -> bytes:
            require_origin(origin, origins)
            scopes = needed_scopes(taker)

            async def take(still_good: StillGood) -> bytes:
                with acting_for(request.headers.getlist(TENANT_KEY), "records sent"):
                    return await taker(request, still_good)

            return await self._parts.calls.run_as_caller(call, _shown(request), scopes, take)

        answered = await self._parts.calls.answer(call, handle)
        answer_type = answer_type or _otlp_type(request) or otlp.JSON
        headers = headers_for(origin, origins) | {REQUEST_ID_KEY: call.request_id}
        return _response(answered, answer_type, headers)

    @requires(Scope.LOGS_WRITE)
    async def _logs(self, request: Request, still_good: StillGood) -> bytes:
        content_type = _otlp_type(request)
        if not content_type:
            raise _unknown_type(f"{otlp.PROTOBUF} or {otlp.JSON}")
        async with self._parts.bodies.received(_sent(request), _peer(request)) as body:
            still_good()
            return await self._parts.otlp.take(body, content_type, _peer(request))

    @requires(Scope.LOGS_WRITE)
    async def _records(self, request: Request, still_good: StillGood) -> bytes:
        if _content_type(request) not in _LINES:
            raise _unknown_type("application/x-ndjson")
        unknown = sorted(set(request.query_params) - {"service"})
        if unknown:
            raise errors.invalid_field("query", 'expected no parameter but "service"')
        async with self._parts.bodies.received(_sent(request), _peer(request)) as body:
            still_good()
            lines = Lines(
                data=body,
                sender=_peer(request),
                way=Way.RECORDS,
                service=request.query_params.get("service", ""),
                key=request.headers.get("idempotency-key", ""),
            )
            return msgspec.json.encode(await self._parts.records().take(lines)) + b"\n"

    @requires(Scope.LOGS_WRITE)
    async def _from_browser(self, request: Request) -> Response:
        call = _call(request)
        origin = request.headers.get("origin", "")
        origins = self._parts.origins()

        async def handle() -> bytes:
            # A program has no origin, and other routes to go.
            require_origin(origin, origins)
            if _content_type(request) not in _BATCHES:
                raise _unknown_type("text/plain or application/json")
            async with self._parts.bodies.received(_sent(request), call.peer, MAX_BODY_BYTES) as body:
                batch = read_batch(body)
                shown = Shown((f"Bearer {batch.key}",) if batch.key else (), origin=origin)

                async def take(still_good: StillGood) -> bytes:
                    # A key was judged by the last look at its file, which may be older than the body.
                    still_good()
                    rate = self._parts.records_per_second()
                    self._rates.take(origin, len(batch.records), rate, origins)
                    taken = await self._parts.records().take(lines_of(batch, origin, call.peer))
                    return msgspec.json.encode(taken) + b"\n"

                scopes = needed_scopes(self._from_browser)
                return await self._parts.calls.run_as_caller(call, shown, scopes, take)

        answered = await self._parts.calls.answer(call, handle)
        headers = headers_for(origin, origins) | {REQUEST_ID_KEY: call.request_id}
        return _response(answered, otlp.JSON, headers)

    async def _logger(self, request: Request) -> Response:
        headers = self._script.headers
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(self._script.body, 200, headers, "text/javascript; charset=utf-8")

    async def _preflight(self, request: Request) -> Response:
        origin = request.headers.get("origin")
        origins = self._parts.origins()
        if origin is not None and origin not in origins:
            return Response(status_code=403, headers=headers_for(origin, origins))
        headers = headers_for(origin, origins, is_preflight=True) | {"allow": "OPTIONS, POST"}
        return Response(status_code=204, headers=headers)

    async def _unknown(self, request: Request, error: Exception) -> Response:
        """404 and 405 of Starlette's own."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        known = ", ".join((*self._routes, _BROWSER))
        expected = f"expected POST to one of {known}"
        request_id = request_id_from(request.headers.get(REQUEST_ID_KEY))
        headers = dict(getattr(error, "headers", None) or {})
        shown = to_http(
            errors.invalid_field("path" if status == 404 else "method", expected), request_id, status
        )
        shown = msgspec.structs.replace(shown, headers=headers)
        return _response(Answered(error=shown), otlp.JSON, {REQUEST_ID_KEY: request_id})


def _bounded(app: Asgi, head_bytes: Callable[[], int]) -> Asgi:
    """Bounds the head, and refuses one that leaves open where its body ends."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        # The server looks at heads that are not complete alone.
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) + _LINE_BYTES for name, value in scope["headers"])
        limit = head_bytes()
        request_id = request_id_from(_request_id(scope["headers"]) if size <= limit else None)
        inner = app
        if size > limit:
            error = errors.invalid_field("headers", f"expected at most {limit} bytes in all")
            inner = _refused_head(431, error, request_id)
        elif {name for name, _ in scope["headers"]} >= _LENGTHS:
            # A program before this one may have read the other length: what follows may be another's.
            error = errors.invalid_field("content-length", "expected none beside transfer-encoding")
            inner = _refused_head(400, error, request_id)
        await inner(scope, receive, send)

    return run


def _refused_head(status: int, error: ServiceError, request_id: str) -> Response:
    """An answer after which the connection is closed."""
    shown = to_http(error, request_id, status)
    headers = {"connection": "close", REQUEST_ID_KEY: request_id}
    return _response(Answered(error=shown), otlp.JSON, headers)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    found = [value for name, value in headers if name == REQUEST_ID_KEY.encode()]
    return found[0].decode("latin-1") if found else None


def _response(answered: Answered, content_type: str, headers: dict[str, str]) -> Response:
    error = answered.error
    headers |= {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    if error is None:
        return Response(answered.body, 200, headers, content_type)
    headers |= error.headers
    return Response(_error_body(error, content_type), error.status, headers, content_type)


def _error_body(error: HttpStatus, content_type: str) -> bytes:
    return error.details if content_type == otlp.PROTOBUF else error.json() + b"\n"


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _otlp_type(request: Request) -> str:
    """The encoding of an OTLP request; empty: none of its two."""
    content_type = _content_type(request)
    return content_type if content_type in (otlp.PROTOBUF, otlp.JSON) else ""


def _sent(request: Request) -> Sent:
    length = request.headers.get("content-length")
    return Sent(
        pieces=_pieces(request),
        stated_bytes=int(length) if length is not None else None,
        encoding=request.headers.get("content-encoding", "").strip().lower(),
    )


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise HttpError(400, errors.malformed("the connection ended before the body did")) from error


def _call(request: Request) -> Call:
    return Call(
        route=request.url.path,
        peer=_peer(request),
        request_id=request_id_from(request.headers.get(REQUEST_ID_KEY)),
    )


def _shown(request: Request) -> Shown:
    authorization = tuple(request.headers.getlist("authorization"))
    if authorization:
        return Shown(authorization, origin=request.headers.get("origin", ""))
    return Shown(certificate_pem=request.scope["state"].get(CERTIFICATE, b""))


def _unknown_type(expected: str) -> HttpError:
    return HttpError(415, errors.invalid_field("content-type", f"expected {expected}"))


def _peer(request: Request) -> str:
    """The client's address in the form that gRPC has for it."""
    client = request.client
    if client is None:
        return ""
    return (
        f"ipv6:[{client.host}]:{client.port}" if ":" in client.host else f"ipv4:{client.host}:{client.port}"
    )
