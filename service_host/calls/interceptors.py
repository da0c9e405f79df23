"""Gives every call its request id, its status by the one table, and its entry in log and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
import msgspec
import structlog
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.auth.principal import acting_as
from service_host.calls.bounds import CallBounds, Limits
from service_host.calls.calls import CallObserver, CallRecord, request_id_of, set_request_id
from service_host.calls.guard import Access, Guard, access_to
from service_host.calls.handlers import Body, Context, surround
from service_host.status.status import REQUEST_ID_KEY, ServiceError, to_wire

_DEADLINE_SLACK_SECONDS = 0.25
"""What travels is the time left, so the server's deadline lies later than the client's by the way there."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Surrounds every handler of the server it is given to.

    A `ServiceError` becomes its status with details. Any other exception becomes INTERNAL with the
    request id and nothing of what it said. Cancellation of the call and a handler's own
    `context.abort` pass. The request id travels back in trailing metadata: initial metadata would
    commit the call and so end gRPC's own retries.
    """

    def __init__(
        self,
        observers: Sequence[CallObserver],
        limits: Limits,
        *,
        guard: Guard | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._observers = tuple(observers)
        self._monotonic = monotonic
        self._guard = guard or Guard()
        self._bounds = CallBounds(limits, monotonic)
        self._surrounded: dict[str, tuple[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Returns the surrounded handler; None for a method that is not there, which is UNIMPLEMENTED."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = str(handler_call_details.method)
        inner, surrounded = self._surrounded.get(method, (None, None))
        if inner is not handler:
            called = _Called(method, _kind(handler), access_to(method, handler))

            async def around(context: Context, body: Body) -> Any:
                return await self._call(called, context, body)

            surrounded = surround(handler, around, self._bounds.hear)
            self._surrounded[method] = (handler, surrounded)
        return surrounded  # type: ignore[no-any-return]  # the stubs of grpc know no generic handler

    async def _call(self, called: _Called, context: Context, body: Body) -> Any:
        method, kind = called.method, called.kind
        request_id = request_id_of(context.invocation_metadata() or (), REQUEST_ID_KEY)
        set_request_id(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
        for observer in self._observers:
            observer.call_started(method, kind)
        started = self._monotonic()
        ending = _Ending()

        async def bounded() -> Any:
            with self._bounds.admit(method, kind, context.peer()) as ticket:
                admission = await self._guard.admit(method, called.access, context)
                self._bounds.settle(ticket, *self._guard.share_of(called.access, admission))
                with (
                    acting_as(admission.principal),
                    self._guard.staying(method, context.peer(), ticket, admission),
                ):
                    return await self._bounds.run(ticket, body)

        try:
            return await _mapped(context, bounded, request_id, ending)
        finally:
            record = CallRecord(
                method=method,
                kind=kind,
                peer=context.peer(),
                request_id=request_id,
                code=ending.code,
                duration_seconds=self._monotonic() - started,
                reason=ending.reason,
                error=ending.error,
            )
            for observer in self._observers:
                observer.call_ended(record)


class _Called(msgspec.Struct, frozen=True):
    """A method of the server."""

    method: str
    kind: str
    access: Access


class _Ending:
    """How the call ended, as far as the server knows."""

    def __init__(self) -> None:
        self.code = grpc.StatusCode.CANCELLED
        self.reason = ""
        self.error: BaseException | None = None


async def _mapped(context: Context, body: Body, request_id: str, ending: _Ending) -> Any:
    try:
        answer = await body()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            ending.code = _code_of_cancelled(context)
            raise
        # Nobody cancelled this call: the handler leaked the cancellation of something of its own.
        # gRPC would send no status at all, and the client would wait for ever.
        await _abort(context, _internal(request_id), request_id, ending, error)
    except grpc.aio.AbortError:
        ending.code = _status_code(context)
        raise
    except ServiceError as error:
        await _abort(context, error, request_id, ending, error.__cause__ or error)
    except Exception as error:
        if context.done() or isinstance(error, grpc.aio.InternalError):
            # The client is gone; gRPC knows and there is nobody to answer.
            raise
        await _abort(context, _internal(request_id), request_id, ending, error)
    else:
        ending.code = _status_code(context)
        _keep_request_id(context, request_id)
        return answer


async def _abort(
    context: Context, error: ServiceError, request_id: str, ending: _Ending, cause: BaseException | None
) -> None:
    wire = to_wire(error, request_id)
    ending.code, ending.reason = wire.code, error.reason_name
    ending.error = cause if wire.code is grpc.StatusCode.INTERNAL else None
    kept = tuple(
        pair
        for pair in context.trailing_metadata() or ()
        if pair[0] not in {key for key, _ in wire.trailing_metadata}
    )
    await context.abort(wire.code, wire.message, kept + wire.trailing_metadata)


def _internal(request_id: str) -> ServiceError:
    message = f"internal error; the service's log says more under request id {request_id}"
    return ServiceError(reasons.ERROR_REASON_INTERNAL, message)


def _keep_request_id(context: Context, request_id: str) -> None:
    """Puts the id back where the handler has set trailing metadata of its own."""
    trailing = tuple(context.trailing_metadata() or ())
    if all(key != REQUEST_ID_KEY for key, _ in trailing):
        context.set_trailing_metadata((*trailing, (REQUEST_ID_KEY, request_id)))


def _status_code(context: Context) -> grpc.StatusCode:
    code = context.code()
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.OK


def _code_of_cancelled(context: Context) -> grpc.StatusCode:
    """Distinguishes a deadline from a cancellation: the client's deadline ends the call just before ours."""
    remaining = context.time_remaining()
    is_late = remaining is not None and remaining <= _DEADLINE_SLACK_SECONDS
    return grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED


def _kind(handler: grpc.RpcMethodHandler[Any, Any]) -> str:
    if handler.request_streaming:
        return "bidi_stream" if handler.response_streaming else "client_stream"
    return "server_stream" if handler.response_streaming else "unary"
