"""The error tree is drawn as it is, and is the inverse of the services' status table."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from telecine import exceptions as errors
from telecine.channel.errors import BY_CODE, translated
from telecine.errors.v1 import error_reason_pb2 as reasons
from telecine.exceptions.table import service_reasons

from service_host.status.status import TABLE, FieldViolation, ServiceError, reason_name, recovery_of, to_wire

EVERY_ERROR = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.TelecineError)
]


class FakeAnswer(grpc.RpcError):
    """What gRPC raises, with the status that a service has sent."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: tuple = ()) -> None:
        self._answer = (code, details, trailing)

    def code(self) -> grpc.StatusCode:
        return self._answer[0]

    def details(self) -> str:
        return self._answer[1]

    def trailing_metadata(self) -> tuple:
        return self._answer[2]


def over_the_wire(error: ServiceError) -> errors.TelecineError:
    wire = to_wire(error, "request-7")
    return translated(FakeAnswer(wire.code, wire.message, wire.trailing_metadata))


def drawn_tree() -> dict[str, str]:
    """Class name to parent's name, as the module's docstring draws it."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        name = next((word for word in line.split() if word.endswith("Error")), None)
        if name is None or line.index(name) > 24:
            continue
        depth = line.index(name)
        while above and above[-1][0] >= depth:
            above.pop()
        parents[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    assert drawn_tree() == {kind.__name__: kind.__bases__[0].__name__ for kind in EVERY_ERROR}


@pytest.mark.parametrize("reason", list(TABLE), ids=reason_name)
def test_every_reason_of_the_services_arrives_as_its_own_error(reason) -> None:
    arrived = over_the_wire(ServiceError(reason, "what happened"))
    assert type(arrived).reason == reason_name(reason)
    assert arrived.message == "what happened"
    assert arrived.request_id == "request-7"


def test_no_error_stands_for_a_reason_that_is_never_sent() -> None:
    sent = {reason_name(reason) for reason in TABLE}
    assert set(errors.BY_REASON) == sent
    known = {reason_name(value) for value in reasons.ErrorReason.values()}
    assert sent == known - {"UNSPECIFIED"}


@pytest.mark.parametrize("reason", list(TABLE), ids=reason_name)
def test_what_the_services_ask_to_repeat_is_retryable(reason) -> None:
    if TABLE[reason].retry_after_seconds is not None:
        assert errors.BY_REASON[reason_name(reason)].is_retryable


def test_retry_info_field_faults_and_metadata_arrive() -> None:
    full = ServiceError(reasons.ERROR_REASON_SPOOL_FULL, "full", retry_after_seconds=2.5)
    assert over_the_wire(full).retry_delay_seconds == 2.5
    violation = FieldViolation("spec.video.width", "expected 1 to 16384")
    wrong = over_the_wire(ServiceError(reasons.ERROR_REASON_INVALID_FIELD, "wrong", violations=[violation]))
    assert wrong.faults == (errors.FieldViolation("spec.video.width", "expected 1 to 16384"),)
    large = ServiceError(reasons.ERROR_REASON_TOO_LARGE, "large", metadata={"limit_bytes": "7"})
    assert over_the_wire(large).metadata["limit_bytes"] == "7"


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do(kind: type[errors.TelecineError]) -> None:
    assert len(kind.recovery) > 10
    told = kind("x").__notes__
    assert told[0] == f"What to do: {kind.recovery}"
    assert ("Trying the same again later may help." in told) is kind.is_retryable
    assert kind("x", recovery="Turn it off and on.").__notes__[0] == "What to do: Turn it off and on."


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_without_details_of_ours_becomes_an_error_of_ours(code: grpc.StatusCode) -> None:
    assert type(translated(FakeAnswer(code, ""))) is BY_CODE[code]


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2", errors.UnavailableError),
        (grpc.StatusCode.UNKNOWN, "Stream removed", errors.UnavailableError),
        (grpc.StatusCode.INTERNAL, "Internal error from Core", errors.UnavailableError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max", errors.TooLargeError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", errors.ExhaustedError),
    ],
)
def test_grpcs_own_wording_is_understood(code, details: str, kind) -> None:
    assert type(translated(FakeAnswer(code, details))) is kind


@pytest.mark.parametrize("reason", list(TABLE), ids=reason_name)
def test_every_reason_tells_every_client_what_to_do(reason) -> None:
    """The contract holds the words; the SDK's own speak of Python."""
    arrived = over_the_wire(ServiceError(reason, "what happened"))
    assert arrived.metadata["recovery"] == recovery_of(reason)
    assert len(recovery_of(reason)) > 10
    assert arrived.recovery == errors.BY_REASON[reason_name(reason)].recovery
    row = next(row for row in service_reasons() if row.code == reason_name(reason))
    assert (row.kind, row.is_retryable) == (arrived.kind, arrived.is_retryable)


def test_a_reason_of_a_newer_service_brings_its_own_way_out() -> None:
    info = error_details_pb2.ErrorInfo(
        reason="OUT_OF_INK", domain="telecine", metadata={"recovery": "Refill the ink."}
    )
    status = status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0])
    status.details.add().Pack(info)
    trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    error = translated(FakeAnswer(grpc.StatusCode.FAILED_PRECONDITION, "no ink", trailing))
    assert type(error) is errors.CallerError
    assert error.recovery == "Refill the ink."


def test_details_of_others_are_not_taken_for_ours() -> None:
    noise = (("grpc-status-details-bin", b"\xff\xff"), ("x-request-id", "r"))
    error = translated(FakeAnswer(grpc.StatusCode.UNAVAILABLE, "no", noise))
    assert type(error) is errors.UnavailableError
    assert error.request_id == "r"


def test_a_closed_channel_is_an_error_of_ours_too() -> None:
    assert isinstance(translated(ValueError("Cannot invoke RPC on closed channel!")), errors.UnavailableError)
