"""What a client says of its frames' source is taken only where a list names it."""

from __future__ import annotations

import pytest
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.source_warnings import MAX_MESSAGE_CHARS as CLIENT_CHARS
from telecine.request.source_warnings import MAX_WARNINGS as CLIENT_WARNINGS
from telecine.request.source_warnings import SourceCode

from encoder_service.wire.client_warnings import (
    FALLBACKS,
    MAX_MESSAGE_CHARS,
    MAX_WARNINGS,
    NOTES,
    parse_client_warnings,
)
from service_host.status.status import ServiceError


def finish(*warnings: tuple[str, str]) -> pb.Finish:
    return pb.Finish(warnings=[pb.Warning(code=code, message=message) for code, message in warnings])


def test_both_sides_know_the_same_codes_and_bounds() -> None:
    assert {str(code) for code in NOTES | FALLBACKS} == {code.value for code in SourceCode}
    assert {str(code) for code in NOTES} == {code.value for code in SourceCode if code.is_note}
    assert (MAX_WARNINGS, MAX_MESSAGE_CHARS) == (CLIENT_WARNINGS, CLIENT_CHARS)


def test_a_known_warning_is_taken() -> None:
    taken = parse_client_warnings(finish(("SOURCE_SOUND_DROPPED", "no sound")), is_strict=False)
    assert [(warning.code, warning.message) for warning in taken] == [("SOURCE_SOUND_DROPPED", "no sound")]
    notes = parse_client_warnings(finish(("SOURCE_DAMAGED", "cut")), is_strict=True)
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("message", "is_strict", "field"),
    [
        (finish(("ALPHA_FLATTENED", "ours")), False, "finish.warnings[0].code"),
        (finish(("", "x")), False, "finish.warnings[0].code"),
        (finish(("SOURCE_INTERLACED", "")), False, "finish.warnings[0].message"),
        (finish(("SOURCE_INTERLACED", "x" * 1001)), False, "finish.warnings[0].message"),
        (finish(("SOURCE_INTERLACED", "x")), True, "finish.warnings[0].code"),
        (finish(*[("SOURCE_INTERLACED", str(n)) for n in range(33)]), False, "finish.warnings"),
        (
            pb.Finish(warnings=[pb.Warning(code="SOURCE_DAMAGED", message="x", output="mp4")]),
            False,
            "finish.warnings[0].output",
        ),
    ],
)
def test_anything_else_is_refused_by_its_field(message: pb.Finish, is_strict: bool, field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_client_warnings(message, is_strict=is_strict)
    assert [violation.field for violation in caught.value.violations] == [field]
