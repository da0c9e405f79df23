"""The one table says what the contract says, and an error carries all that a client can act on."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.status.status import (
    PUSHBACK_KEY,
    RETRY_INFO_KEY,
    STATUS_DETAILS_KEY,
    TABLE,
    FieldViolation,
    ServiceError,
    recovery_of,
    to_wire,
)

PROTO = Path(__file__).parents[3] / "protos/telecine/errors/v1/error_reason.proto"

REASONS = [value for value in reasons.ErrorReason.values() if value != reasons.ERROR_REASON_UNSPECIFIED]
NAMES = {value: reasons.ErrorReason.Name(value) for value in REASONS}


def contract() -> dict[str, tuple[str, bool]]:
    """Name to (status, whether RetryInfo comes with it), as the comments of the proto say."""
    found = {}
    comment: list[str] = []
    for line in PROTO.read_text().splitlines():
        line = line.strip()
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
        elif match := re.match(r"(ERROR_REASON_\w+) = \d+ \[", line):
            first = re.match(r"([A-Z_]+)( with RetryInfo)?\.", " ".join(comment))
            found[match[1]] = (first[1], bool(first[2])) if first else ("", False)
            comment = []
        else:
            comment = []
    return found


def unpacked(wire):
    details = dict(wire.trailing_metadata)
    status = status_pb2.Status.FromString(details[STATUS_DETAILS_KEY])
    kinds = {
        kind.DESCRIPTOR.full_name: kind
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    }
    found = {}
    for detail in status.details:
        name = detail.type_url.rpartition("/")[2]
        found[name.rpartition(".")[2]] = kinds[name].FromString(detail.value)
    return status, details, found


def test_every_reason_stands_in_the_table_and_none_that_is_not():
    assert set(TABLE) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS, ids=NAMES.get)
def test_the_table_says_what_the_contract_says(reason):
    status, is_retryable = contract()[NAMES[reason]]
    assert TABLE[reason].code.name == status
    assert (TABLE[reason].retry_after_seconds is not None) is is_retryable


@pytest.mark.parametrize("reason", REASONS, ids=NAMES.get)
def test_every_reason_travels_with_its_details(reason):
    error = ServiceError(reason, "what happened", metadata={"limit_bytes": "5"})
    wire = to_wire(error, "request-1")
    status, trailing, details = unpacked(wire)
    assert wire.code is TABLE[reason].code is error.code
    assert (status.code, status.message) == (wire.code.value[0], "what happened")
    assert details["ErrorInfo"].domain == "telecine"
    assert "ERROR_REASON_" + details["ErrorInfo"].reason == NAMES[reason]
    assert dict(details["ErrorInfo"].metadata) == {
        "limit_bytes": "5",
        "request_id": "request-1",
        "recovery": recovery_of(reason),
    }
    assert trailing["x-request-id"] == "request-1"
    assert ("RetryInfo" in details) is (TABLE[reason].retry_after_seconds is not None)
    assert (RETRY_INFO_KEY in trailing) is ("RetryInfo" in details)


def test_no_reason_becomes_unknown():
    assert grpc.StatusCode.UNKNOWN not in {row.code for row in TABLE.values()}


def test_the_retry_delay_stands_in_all_three_places_that_clients_read():
    error = ServiceError(reasons.ERROR_REASON_SPOOL_FULL, "full", retry_after_seconds=1.25)
    _, trailing, details = unpacked(to_wire(error))
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == 1250
    assert error_details_pb2.RetryInfo.FromString(trailing[RETRY_INFO_KEY]) == details["RetryInfo"]
    assert trailing[PUSHBACK_KEY] == "1250"


def test_a_retryable_reason_has_a_delay_even_where_the_error_names_none():
    _, _, details = unpacked(to_wire(ServiceError(reasons.ERROR_REASON_DRAINING, "draining")))
    assert details["RetryInfo"].retry_delay.ToMilliseconds() > 0


def test_what_cannot_be_fixed_by_waiting_never_says_when_to_retry():
    error = ServiceError(reasons.ERROR_REASON_INVALID_FIELD, "bad", retry_after_seconds=3)
    _, _, details = unpacked(to_wire(error))
    assert "RetryInfo" not in details


def test_every_fault_of_a_request_is_named():
    violations = [
        FieldViolation("spec.width", "expected at least 1"),
        FieldViolation("spec.outputs", "expected one or more"),
    ]
    _, _, details = unpacked(
        to_wire(ServiceError(reasons.ERROR_REASON_INVALID_FIELD, "2 violations", violations=violations))
    )
    assert [(v.field, v.description) for v in details["BadRequest"].field_violations] == [
        ("spec.width", "expected at least 1"),
        ("spec.outputs", "expected one or more"),
    ]


def test_a_flood_of_faults_still_fits_into_metadata():
    violations = [FieldViolation(f"outputs[{n}].{'x' * 500}", "y" * 5000) for n in range(500)]
    error = ServiceError(reasons.ERROR_REASON_INVALID_FIELD, "z" * 100_000, violations=violations)
    wire = to_wire(error)
    _, _, details = unpacked(wire)
    size = len(wire.message.encode()) + sum(
        len(key) + len(value) * 4 // 3 for key, value in wire.trailing_metadata
    )
    assert size < 16 * 1024
    assert details["BadRequest"].field_violations[-1].description == "and 476 more"
