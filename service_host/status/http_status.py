"""An error as HTTP sends it: the status by the same table of reasons, and google.rpc.Status as the body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import grpc
import msgspec
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.status.status import STATUS_DETAILS_KEY, Reason, ServiceError, to_wire

_C = grpc.StatusCode
OK: Final = _C.OK

_BY_CODE: Final[Mapping[grpc.StatusCode, int]] = {
    _C.INVALID_ARGUMENT: 400,
    _C.FAILED_PRECONDITION: 400,
    _C.OUT_OF_RANGE: 400,
    _C.UNAUTHENTICATED: 401,
    _C.PERMISSION_DENIED: 403,
    _C.NOT_FOUND: 404,
    _C.ABORTED: 409,
    _C.ALREADY_EXISTS: 409,
    _C.RESOURCE_EXHAUSTED: 429,
    _C.CANCELLED: 499,
    _C.UNIMPLEMENTED: 501,
    _C.UNAVAILABLE: 503,
    _C.DEADLINE_EXCEEDED: 504,
}
"""All others are 500."""
_BY_REASON: Final[Mapping[Reason, int]] = {reasons.ERROR_REASON_TOO_LARGE: 413}


class HttpError(Exception):
    """An answer for which HTTP has a status of its own, such as 405."""

    def __init__(self, status: int, error: ServiceError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = dict(headers or {})


class HttpStatus(msgspec.Struct, frozen=True):
    """An error ready to be sent."""

    status: int
    code: grpc.StatusCode
    """For logs and metrics, which know calls by gRPC's codes."""
    details: bytes
    """google.rpc.Status, serialized."""
    headers: Mapping[str, str]

    def json(self) -> bytes:
        """google.rpc.Status in its JSON form."""
        return json_format.MessageToJson(status_pb2.Status.FromString(self.details), indent=None).encode()


def to_http(error: ServiceError, request_id: str, status: int = 0) -> HttpStatus:
    """Puts an error into a status, headers and a body. `status` 0: the one that belongs to its reason."""
    wire = to_wire(error, request_id)
    details = dict(wire.trailing_metadata)[STATUS_DETAILS_KEY]
    assert isinstance(details, bytes)  # noqa: S101 - to_wire puts it there
    found = status or _BY_REASON.get(error.reason) or _BY_CODE.get(wire.code, 500)
    delay = _delay_seconds(details)
    # Whole seconds alone can be said; 0 would be "at once".
    headers = {} if delay is None else {"retry-after": str(max(1, math.ceil(delay)))}
    if wire.code is _C.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return HttpStatus(found, wire.code, details, headers)


def _delay_seconds(details: bytes) -> float | None:
    retry = error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(details).details:
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToNanoseconds()) / 1e9
    return None
