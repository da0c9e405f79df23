"""Messages of the Ship stream to the collector's own types and back."""

from __future__ import annotations

import re
from typing import Final

from google.protobuf.duration_pb2 import Duration
from telecine.errors.v1 import error_reason_pb2 as reasons
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.journal import Encoding, Origin
from log_collector.record import Rejection, RejectionReason
from service_host.status.status import FieldViolation, ServiceError

_PRODUCER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}", re.ASCII)
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}", re.ASCII)
_MAX_TEXT: Final = 256
_MAX_SEQ: Final = 2**62
_SECRET_BYTES: Final = range(16, 65)

_ENCODINGS: Final = {
    logs_pb2.ENCODING_UNSPECIFIED: Encoding.ZSTD,
    logs_pb2.ENCODING_ZSTD: Encoding.ZSTD,
    logs_pb2.ENCODING_IDENTITY: Encoding.IDENTITY,
}
_REJECTIONS: Final = {
    RejectionReason.BAD_ENCODING: logs_pb2.REJECTION_REASON_BAD_ENCODING,
    RejectionReason.TOO_LARGE: logs_pb2.REJECTION_REASON_TOO_LARGE,
    RejectionReason.WRONG_COUNT: logs_pb2.REJECTION_REASON_WRONG_COUNT,
    RejectionReason.NOT_JSON: logs_pb2.REJECTION_REASON_NOT_JSON,
    RejectionReason.RECORD_TOO_LARGE: logs_pb2.REJECTION_REASON_RECORD_TOO_LARGE,
    RejectionReason.WRONG_FIELD: logs_pb2.REJECTION_REASON_WRONG_FIELD,
}
REFUSALS: Final = {
    "journal_full": logs_pb2.REFUSAL_REASON_JOURNAL_FULL,
    "disk_full": logs_pb2.REFUSAL_REASON_DISK_FULL,
    "draining": logs_pb2.REFUSAL_REASON_DRAINING,
    "out_of_order": logs_pb2.REFUSAL_REASON_OUT_OF_ORDER,
    "corrupted": logs_pb2.REFUSAL_REASON_CORRUPTED,
    "journal_failed": logs_pb2.REFUSAL_REASON_JOURNAL_FAILED,
    "not_owner": logs_pb2.REFUSAL_REASON_NOT_OWNER,
}
"""The reasons of refusals, as the books name them."""


def require_batch(batch: logs_pb2.Batch, max_records: int) -> None:
    """Raises ServiceError with every violation in a batch's envelope that no client of the contract makes."""
    violations = []
    if not _PRODUCER.fullmatch(batch.producer):
        violations.append(_producer_violation("batch.producer"))
    if not 1 <= batch.first_seq < _MAX_SEQ:
        violations.append(FieldViolation("batch.first_seq", f"expected 1 to 2^62, got {batch.first_seq}"))
    if not 1 <= batch.count <= max_records:
        violations.append(FieldViolation("batch.count", f"expected 1 to {max_records}, got {batch.count}"))
    if batch.lost_before >= max(1, batch.first_seq):
        violations.append(
            FieldViolation("batch.lost_before", "expected fewer than the numbers before first_seq")
        )
    if not _SERVICE.fullmatch(batch.resource.service):
        expected = "expected 1 to 64 characters of [A-Za-z0-9._-], beginning with a letter or digit"
        violations.append(FieldViolation("batch.resource.service", expected))
    if batch.secret and len(batch.secret) not in _SECRET_BYTES:
        violations.append(_secret_violation("batch.secret"))
    if batch.encoding not in _ENCODINGS:
        violations.append(FieldViolation("batch.encoding", "expected ENCODING_ZSTD or ENCODING_IDENTITY"))
    if violations:
        raise ServiceError(reasons.ERROR_REASON_INVALID_FIELD, "the batch is not one", violations=violations)


def require_resume(resume: logs_pb2.Resume) -> None:
    """Raises ServiceError for what cannot be a producer's id or its secret."""
    violations = []
    if not _PRODUCER.fullmatch(resume.producer):
        violations.append(_producer_violation("resume.producer"))
    if resume.secret and len(resume.secret) not in _SECRET_BYTES:
        violations.append(_secret_violation("resume.secret"))
    if violations:
        raise ServiceError(
            reasons.ERROR_REASON_INVALID_FIELD, violations[0].description, violations=violations
        )


def empty_message() -> ServiceError:
    """What a request without any message is answered with."""
    violation = FieldViolation("message", "expected a batch or a resume")
    return ServiceError(reasons.ERROR_REASON_INVALID_FIELD, violation.description, violations=[violation])


def encoding_of(batch: logs_pb2.Batch) -> Encoding:
    """How the batch's records are packed."""
    return _ENCODINGS[batch.encoding]


def origin_of(resource: logs_pb2.Resource) -> Origin:
    """The resource, its texts cut to a sane length."""
    return Origin(
        service=resource.service,
        env=resource.env[:_MAX_TEXT],
        service_version=resource.service_version[:_MAX_TEXT],
        host=resource.host[:_MAX_TEXT],
        pid=resource.pid,
    )


def acknowledged(producer: str, last_seq: int) -> pb.ShipResponse:
    """Every record up to `last_seq` is safe."""
    return pb.ShipResponse(acknowledged=logs_pb2.Acknowledged(producer=producer, last_seq=last_seq))


def refused(
    producer: str, first_seq: int, reason: str, retry_seconds: float, expected_seq: int
) -> pb.ShipResponse:
    """A batch was not taken now; `reason` is a key of REFUSALS."""
    delay = Duration()
    delay.FromMilliseconds(round(retry_seconds * 1000))
    return pb.ShipResponse(
        refused=logs_pb2.Refused(
            producer=producer,
            first_seq=first_seq,
            reason=REFUSALS[reason],
            retry_delay=delay,
            expected_seq=expected_seq,
        )
    )


def rejected(producer: str, first_seq: int, rejection: Rejection) -> pb.ShipResponse:
    """Records that are wrong for ever."""
    return pb.ShipResponse(
        rejected=logs_pb2.Rejected(
            producer=producer,
            first_seq=first_seq,
            reason=_REJECTIONS[rejection.reason],
            count=rejection.count,
            message=rejection.message,
        )
    )


def gap(producer: str, first_missing_seq: int, count: int) -> pb.ShipResponse:
    """Sequence numbers that will never come."""
    return pb.ShipResponse(
        gap=logs_pb2.Gap(producer=producer, first_missing_seq=first_missing_seq, count=count)
    )


def _producer_violation(field: str) -> FieldViolation:
    expected = "expected 1 to 128 characters of [A-Za-z0-9._:-], beginning with a letter or digit"
    return FieldViolation(field, expected)


def _secret_violation(field: str) -> FieldViolation:
    return FieldViolation(field, "expected 16 to 64 bytes, or none")
