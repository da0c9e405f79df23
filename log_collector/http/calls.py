"""Surrounds every request: its id, who calls, what is counted and logged, and errors as answers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
import structlog
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.auth.admission import Shown
from service_host.auth.audit import Caller
from service_host.auth.principal import acting_as
from service_host.auth.scopes import Scope, scopes_of
from service_host.calls.calls import CallRecord, request_id_of, set_request_id
from service_host.calls.guard import Access
from service_host.calls.own_port import Ground
from service_host.status.http_status import OK, HttpError, HttpStatus, to_http
from service_host.status.status import REQUEST_ID_KEY, ServiceError

Handler: TypeAlias = Callable[[], Awaitable[bytes]]
StillGood: TypeAlias = Callable[[], None]
"""Raises ServiceError where the caller's credential has ended since the request began."""
CallersBody: TypeAlias = Callable[[StillGood], Awaitable[bytes]]

_log = structlog.get_logger("log_collector.http")


class Request(msgspec.Struct, frozen=True):
    """What is known of a request before its body."""

    route: str
    """One of the paths that are served, never what a client has made up."""
    peer: str
    request_id: str


class Answered(msgspec.Struct, frozen=True):
    """What became of a request: a body, or an error."""

    body: bytes = b""
    error: HttpStatus | None = None


class Calls:
    """Belongs to the event loop."""

    def __init__(self, ground: Ground, retry_seconds: Callable[[], float]) -> None:
        self._observers = ground.observers
        self._guard = ground.guard
        self._retry_seconds = retry_seconds

    async def answer(self, request: Request, handler: Handler) -> Answered:
        """Runs the handler for one request. Never raises but for cancellation."""
        set_request_id(request.request_id)
        structlog.contextvars.bind_contextvars(request_id=request.request_id)
        for observer in self._observers:
            observer.call_started(request.route, "http")
        started = time.monotonic()
        answered, reason = Answered(), ""
        try:
            answered = Answered(await handler())
        except HttpError as error:
            reason = error.error.reason_name
            answered = Answered(error=_with_headers(error, request.request_id))
        except ServiceError as error:
            reason = error.reason_name
            answered = Answered(error=to_http(error, request.request_id))
        except MemoryError:
            answered = Answered(error=self._later("the collector has no memory for it now", request))
        except Exception:  # noqa: BLE001 - whatever it was, the client gets an answer
            # Exporters throw away what is answered with 500: a fault of ours must not cost records.
            _log.exception("request_failed", route=request.route)
            answered = Answered(error=self._later("the collector failed; its log says how", request))
        finally:
            record = CallRecord(
                method=request.route,
                kind="http",
                peer=request.peer,
                request_id=request.request_id,
                code=OK if answered.error is None else answered.error.code,
                duration_seconds=time.monotonic() - started,
                reason=reason,
            )
            for observer in self._observers:
                observer.call_ended(record)
        return answered

    async def run_as_caller(
        self, request: Request, shown: Shown, scopes: frozenset[Scope], body: CallersBody
    ) -> bytes:
        """Runs the body as the principal that the credentials prove. Raises ServiceError where none may.

        The body is given a function to judge the credential again, once all of the request has arrived: a
        client may take as long as `body_seconds` to send it.
        """
        caller = Caller(request.route, request.peer)
        admission = await self._guard.check(caller, Access(scopes=scopes), shown)
        with acting_as(admission.principal):
            return await body(lambda: self._guard.require_good(caller, admission))

    def _later(self, message: str, request: Request) -> HttpStatus:
        reason = reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE
        error = ServiceError(reason, message, retry_after_seconds=self._retry_seconds())
        return to_http(error, request.request_id)


def needed_scopes(method: object) -> frozenset[Scope]:
    """What stands beside a method. Raises TypeError where nothing does: then nobody may."""
    scopes = scopes_of(method)
    if not scopes:
        raise TypeError(f"no scope is declared for {method}")
    return scopes


def request_id_from(value: str | None) -> str:
    """The client's own id where it can stand in a log; else a new one."""
    return request_id_of(() if value is None else ((REQUEST_ID_KEY, value),), REQUEST_ID_KEY)


def _with_headers(error: HttpError, request_id: str) -> HttpStatus:
    status = to_http(error.error, request_id, error.status)
    return msgspec.structs.replace(status, headers={**status.headers, **error.headers})
