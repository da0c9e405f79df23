"""The one table from a reason of telecine.errors.v1 to the gRPC status it travels with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import grpc
import msgspec
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from telecine.errors.v1 import error_reason_pb2 as reasons

Reason: TypeAlias = "reasons.ErrorReason.ValueType"

DOMAIN = "telecine"
REQUEST_ID_KEY = "x-request-id"
RETRY_INFO_KEY = "google.rpc.retryinfo-bin"
"""OpenTelemetry's Python exporter reads RetryInfo from this trailing key alone."""
RECOVERY_KEY = "recovery"
"""ErrorInfo.metadata: what to do about it."""
PUSHBACK_KEY = "grpc-retry-pushback-ms"
STATUS_DETAILS_KEY = "grpc-status-details-bin"

# Trailing metadata is limited to about 8 KiB in all, and message and details travel twice.
_MAX_MESSAGE_CHARS = 1024
_MAX_VIOLATIONS = 24
_MAX_VIOLATION_CHARS = 120
_MAX_METADATA_CHARS = 200


class StatusRow(msgspec.Struct, frozen=True):
    """How one reason travels."""

    code: grpc.StatusCode
    retry_after_seconds: float | None = None
    """The usual delay, where the error says none; None: trying again as it is cannot help."""


_C = grpc.StatusCode

TABLE: Mapping[Reason, StatusRow] = {
    reasons.ERROR_REASON_INVALID_FIELD: StatusRow(_C.INVALID_ARGUMENT),
    reasons.ERROR_REASON_TOO_LARGE: StatusRow(_C.INVALID_ARGUMENT),
    reasons.ERROR_REASON_OUT_OF_ORDER: StatusRow(_C.FAILED_PRECONDITION),
    reasons.ERROR_REASON_WRONG_OFFSET: StatusRow(_C.OUT_OF_RANGE),
    reasons.ERROR_REASON_CHUNK_CORRUPTED: StatusRow(_C.DATA_LOSS),
    reasons.ERROR_REASON_TOTALS_MISMATCH: StatusRow(_C.FAILED_PRECONDITION),
    reasons.ERROR_REASON_JOB_SPEC_CONFLICT: StatusRow(_C.ALREADY_EXISTS),
    reasons.ERROR_REASON_JOB_NOT_FOUND: StatusRow(_C.NOT_FOUND),
    reasons.ERROR_REASON_ARTIFACT_NOT_FOUND: StatusRow(_C.NOT_FOUND),
    reasons.ERROR_REASON_SUPERSEDED: StatusRow(_C.ABORTED),
    reasons.ERROR_REASON_SPOOL_FULL: StatusRow(_C.RESOURCE_EXHAUSTED, 5.0),
    reasons.ERROR_REASON_TOO_MANY_JOBS: StatusRow(_C.RESOURCE_EXHAUSTED, 5.0),
    reasons.ERROR_REASON_DISK_FULL: StatusRow(_C.RESOURCE_EXHAUSTED, 15.0),
    reasons.ERROR_REASON_DRAINING: StatusRow(_C.UNAVAILABLE, 1.0),
    reasons.ERROR_REASON_WRONG_STATE: StatusRow(_C.FAILED_PRECONDITION),
    reasons.ERROR_REASON_JOB_CANCELLED: StatusRow(_C.CANCELLED),
    reasons.ERROR_REASON_NOT_IMPLEMENTED: StatusRow(_C.UNIMPLEMENTED),
    reasons.ERROR_REASON_ENCODER_UNAVAILABLE: StatusRow(_C.FAILED_PRECONDITION),
    reasons.ERROR_REASON_INTERNAL: StatusRow(_C.INTERNAL),
    reasons.ERROR_REASON_JOB_DEADLINE_EXCEEDED: StatusRow(_C.DEADLINE_EXCEEDED),
    reasons.ERROR_REASON_JOB_EXPIRED: StatusRow(_C.FAILED_PRECONDITION),
    reasons.ERROR_REASON_TEMPORARILY_UNAVAILABLE: StatusRow(_C.UNAVAILABLE, 1.0),
    reasons.ERROR_REASON_MALFORMED_MESSAGE: StatusRow(_C.INVALID_ARGUMENT),
    reasons.ERROR_REASON_JOURNAL_FULL: StatusRow(_C.UNAVAILABLE, 1.0),
    reasons.ERROR_REASON_TOO_MANY_STREAMS: StatusRow(_C.RESOURCE_EXHAUSTED, 1.0),
    reasons.ERROR_REASON_JOB_DAMAGED: StatusRow(_C.DATA_LOSS),
    reasons.ERROR_REASON_TOO_MANY_FILES: StatusRow(_C.RESOURCE_EXHAUSTED, 5.0),
    reasons.ERROR_REASON_STREAM_SILENT: StatusRow(_C.DEADLINE_EXCEEDED, 1.0),
    reasons.ERROR_REASON_STORAGE_UNAVAILABLE: StatusRow(_C.UNAVAILABLE, 15.0),
    reasons.ERROR_REASON_CREDENTIALS_MISSING: StatusRow(_C.UNAUTHENTICATED),
    reasons.ERROR_REASON_CREDENTIALS_REFUSED: StatusRow(_C.UNAUTHENTICATED),
    reasons.ERROR_REASON_CREDENTIALS_EXPIRED: StatusRow(_C.UNAUTHENTICATED),
    reasons.ERROR_REASON_NOT_PERMITTED: StatusRow(_C.PERMISSION_DENIED),
    reasons.ERROR_REASON_VERIFIER_UNAVAILABLE: StatusRow(_C.UNAVAILABLE, 5.0),
    reasons.ERROR_REASON_QUOTA_EXCEEDED: StatusRow(_C.RESOURCE_EXHAUSTED, 5.0),
    reasons.ERROR_REASON_FRAME_NOT_THERE: StatusRow(_C.OUT_OF_RANGE),
}


class FieldViolation(msgspec.Struct, frozen=True):
    """One wrong field of a request."""

    field: str
    """Its path from the request on, such as "spec.video.width"."""
    description: str
    """What was wrong and what is expected."""


class ServiceError(Exception):
    """An answer other than OK, as a caller may see it; any handler may raise it.

    `message` reaches the caller as it is: it holds no secret and no inner detail.
    `retry_after_seconds` overrides the table's delay. `metadata` becomes ErrorInfo.metadata.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status it travels with."""
        return TABLE[self.reason].code

    @property
    def reason_name(self) -> str:
        """The reason as ErrorInfo states it, without the enum's prefix."""
        return reason_name(self.reason)


class WireStatus(msgspec.Struct, frozen=True):
    """A `ServiceError` ready for `context.abort`."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def reason_name(reason: Reason) -> str:
    """The reason as ErrorInfo states it: "CHUNK_CORRUPTED" for ERROR_REASON_CHUNK_CORRUPTED."""
    return reasons.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def recovery_of(reason: Reason) -> str:
    """What to do about it, in plain words and for any client; stands at the reason in the contract."""
    value = reasons.ErrorReason.DESCRIPTOR.values_by_number[reason]
    return value.GetOptions().Extensions[reasons.advice].recovery


def to_wire(error: ServiceError, request_id: str = "") -> WireStatus:
    """Puts an error into status, details and trailing metadata; too long texts are cut."""
    row = TABLE[error.reason]
    message = _cut(error.message, _MAX_MESSAGE_CHARS)
    details: list[Message] = [_error_info(error, request_id)]
    if error.violations:
        details.append(_bad_request(error.violations))
    trailing: list[tuple[str, str | bytes]] = [(REQUEST_ID_KEY, request_id)] if request_id else []
    delay = row.retry_after_seconds if error.retry_after_seconds is None else error.retry_after_seconds
    if delay is not None and row.retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(max(0, round(delay * 1000)))
        details.append(retry)
        trailing.append((RETRY_INFO_KEY, retry.SerializeToString()))
        trailing.append((PUSHBACK_KEY, str(max(0, round(delay * 1000)))))
    status = status_pb2.Status(code=row.code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    trailing.append((STATUS_DETAILS_KEY, status.SerializeToString()))
    return WireStatus(row.code, message, tuple(trailing))


def _error_info(error: ServiceError, request_id: str) -> error_details_pb2.ErrorInfo:
    metadata = {key: _cut(value, _MAX_METADATA_CHARS) for key, value in error.metadata.items()}
    metadata.setdefault(RECOVERY_KEY, recovery_of(error.reason))
    if request_id:
        metadata.setdefault("request_id", request_id)
    return error_details_pb2.ErrorInfo(reason=error.reason_name, domain=DOMAIN, metadata=metadata)


def _bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    detail = error_details_pb2.BadRequest()
    for violation in violations[:_MAX_VIOLATIONS]:
        detail.field_violations.add(
            field=_cut(violation.field, _MAX_VIOLATION_CHARS),
            description=_cut(violation.description, _MAX_VIOLATION_CHARS),
        )
    if len(violations) > _MAX_VIOLATIONS:
        detail.field_violations.add(field="", description=f"and {len(violations) - _MAX_VIOLATIONS} more")
    return detail


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
