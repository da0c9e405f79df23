"""Turns what gRPC raises into the SDK's own errors: the inverse of the services' status table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from telecine import exceptions as errors
from telecine.settings.address import COLLECTOR_PORT, ENCODER_PORT

DOMAIN = "telecine"
_STATUS_DETAILS_KEY = "grpc-status-details-bin"
_REQUEST_ID_KEY = "x-request-id"
RECOVERY_KEY = "recovery"
"""ErrorInfo.metadata: what to do about it."""

Renewed: TypeAlias = Callable[[errors.TelecineError], errors.TelecineError]

_C = grpc.StatusCode

Explaining = Callable[[errors.UnavailableError], errors.UnavailableError]

BY_CODE: dict[grpc.StatusCode, type[errors.TelecineError]] = {
    _C.CANCELLED: errors.UnavailableError,
    _C.UNKNOWN: errors.ServiceFaultError,
    _C.INVALID_ARGUMENT: errors.InvalidRequestError,
    _C.DEADLINE_EXCEEDED: errors.TimedOutError,
    _C.NOT_FOUND: errors.CallerError,
    _C.ALREADY_EXISTS: errors.CallerError,
    _C.PERMISSION_DENIED: errors.NotPermittedError,
    _C.RESOURCE_EXHAUSTED: errors.ExhaustedError,
    _C.FAILED_PRECONDITION: errors.CallerError,
    _C.ABORTED: errors.UnavailableError,
    _C.OUT_OF_RANGE: errors.CallerError,
    _C.UNIMPLEMENTED: errors.NotSupportedError,
    _C.INTERNAL: errors.ServiceFaultError,
    _C.UNAVAILABLE: errors.UnavailableError,
    _C.DATA_LOSS: errors.TransferError,
    _C.UNAUTHENTICATED: errors.UnauthenticatedError,
}
"""For answers without an ErrorInfo of ours: those of gRPC itself, of proxies and of other servers."""

_BROKEN_CONNECTION = (
    "RST_STREAM",
    "GOAWAY",
    "Stream removed",
    "Socket closed",
    "connection",
    "Internal error from Core",  # asyncio: a write to a call that has just ended
)
"""gRPC and proxies report some broken connections as INTERNAL or UNKNOWN."""
_ANOTHER_SERVICE = "the server does not know this call: another service listens there, or an older version"
_CHECK_ADDRESS = (
    f"Check the address: by default encoders listen on port {ENCODER_PORT}, collectors on {COLLECTOR_PORT}."
)
_TOO_LARGE = "larger than max"


def closed_error() -> errors.OutOfOrderError:
    """The error of every call of a client after its `close`, to be raised; trying again cannot help."""
    return errors.OutOfOrderError(
        "the client is closed", recovery="Make a new client, or close this one after its last call."
    )


def check_open(*, is_closed: bool) -> None:
    """Raises OutOfOrderError where the client, or its connection, is closed."""
    if is_closed:
        raise closed_error()


def raise_translated(
    error: BaseException,
    request_id: str = "",
    note: str = "",
    explained: Explaining | None = None,
    renewed: Renewed | None = None,
) -> NoReturn:
    """Raises the SDK's error for `error`, which stays attached as its cause.

    `note`: what to add where the server could not be reached. Empty: nothing. `explained`: looks behind such
    an error, which may take seconds. None: the error stays as it is. `renewed`: may take another error
    instead of one about the credential. None: nothing may.
    """
    raised = translated(error, request_id)
    raised = renewed(raised) if renewed is not None else raised
    if note and type(raised) is errors.UnavailableError:
        raised = errors.UnavailableError(raised.message + note, request_id=raised.request_id)
    if explained is not None and isinstance(raised, errors.UnavailableError):
        raised = explained(raised)
    raise raised from error


def translated(error: BaseException, request_id: str = "") -> errors.TelecineError:
    """The SDK's error for what gRPC raised. `request_id`: of the call, in case the server named none."""
    if not isinstance(error, grpc.RpcError):
        return errors.UnavailableError(f"the channel cannot be used: {error}", request_id=request_id)
    call: Any = error
    code: grpc.StatusCode = call.code() or _C.UNKNOWN
    message = call.details() or f"the server answered {code.name}"
    trailing = _as_dict(call.trailing_metadata())
    details = _details(trailing.get(_STATUS_DETAILS_KEY))
    info = next((d for d in details if isinstance(d, error_details_pb2.ErrorInfo)), None)
    is_ours = info is not None and info.domain == DOMAIN
    kind = errors.BY_REASON.get(info.reason) if is_ours and info is not None else None
    delay = next((d for d in details if isinstance(d, error_details_pb2.RetryInfo)), None)
    if code is _C.UNIMPLEMENTED and info is None:
        return errors.NotSupportedError(
            f"{_ANOTHER_SERVICE} ({message})", request_id=request_id, recovery=_CHECK_ADDRESS
        )
    named_id = trailing.get(_REQUEST_ID_KEY, request_id)
    return (kind or _by_code(code, message))(
        message,
        request_id=named_id if isinstance(named_id, str) else request_id,
        retry_delay_seconds=None if delay is None else delay.retry_delay.ToTimedelta().total_seconds(),
        metadata=dict(info.metadata) if info is not None else None,
        # The server's advice is for reasons that this SDK does not know; the class's speaks of Python.
        recovery=info.metadata.get(RECOVERY_KEY, "") if is_ours and info is not None and kind is None else "",
        faults=[
            errors.FieldViolation(violation.field, violation.description)
            for detail in details
            if isinstance(detail, error_details_pb2.BadRequest)
            for violation in detail.field_violations
        ],
    )


def _by_code(code: grpc.StatusCode, message: str) -> type[errors.TelecineError]:
    if code in {_C.INTERNAL, _C.UNKNOWN} and any(sign in message for sign in _BROKEN_CONNECTION):
        return errors.UnavailableError
    if code is _C.RESOURCE_EXHAUSTED and _TOO_LARGE in message:
        return errors.TooLargeError
    return BY_CODE.get(code, errors.ServiceFaultError)


def _as_dict(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str | bytes]:
    return dict(metadata or ())


def _details(packed: str | bytes | None) -> list[object]:
    if not isinstance(packed, bytes):
        return []
    found: list[object] = []
    try:
        status = status_pb2.Status.FromString(packed)
        for detail in status.details:
            for kind in (
                error_details_pb2.ErrorInfo,
                error_details_pb2.RetryInfo,
                error_details_pb2.BadRequest,
            ):
                if detail.Is(kind.DESCRIPTOR):
                    message = kind()
                    detail.Unpack(message)
                    found.append(message)
    except DecodeError:  # a proxy's own idea of details; code and message still stand
        return found
    return found
