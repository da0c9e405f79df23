"""The warnings that a client sends with the end of its upload, checked: they end up in manifests."""

from __future__ import annotations

from typing import Final

import msgspec
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service import errors
from encoder_service.spec.codes import WarningCode
from encoder_service.wire.fields import FieldViolations

MAX_WARNINGS: Final = 32
MAX_MESSAGE_CHARS: Final = 1000

NOTES: Final = frozenset(
    {
        WarningCode.SAMPLES_CLIPPED,
        WarningCode.SOURCE_DAMAGED,
        WarningCode.SOURCE_METADATA_DROPPED,
        WarningCode.SOURCE_RETIMED,
    }
)
"""What was asked for, or changes neither picture nor sound; a strict job may have them too."""
FALLBACKS: Final = frozenset(
    {
        WarningCode.METADATA_ESCAPED,
        WarningCode.SOURCE_ALPHA_DROPPED,
        WarningCode.SOURCE_CHAPTERS_DROPPED,
        WarningCode.SOURCE_FRAMES_DROPPED,
        WarningCode.SOURCE_HDR_DROPPED,
        WarningCode.SOURCE_INTERLACED,
        WarningCode.SOURCE_ORIENTATION_IGNORED,
        WarningCode.SOURCE_PIXELS_NOT_SQUARE,
        WarningCode.SOURCE_PROFILE_IGNORED,
        WarningCode.SOURCE_PROJECTION_DROPPED,
        WarningCode.SOURCE_SOUND_CHANGED,
        WarningCode.SOURCE_SOUND_DROPPED,
        WarningCode.SOURCE_STREAMS_DROPPED,
        WarningCode.SOURCE_SUBTITLES_DROPPED,
        WarningCode.SOURCE_TIMING_CHANGED,
    }
)


class ClientWarning(msgspec.Struct, frozen=True):
    """One thing that the frames do not carry of what the client was given."""

    code: WarningCode
    message: str


def parse_client_warnings(finish: pb.Finish, *, is_strict: bool) -> tuple[ClientWarning, ...]:
    """Returns what the client has to say of its frames. Raises ServiceError naming every wrong field."""
    violations = FieldViolations()
    count = len(finish.warnings)
    violations.check(count <= MAX_WARNINGS, "finish.warnings", f"must be at most {MAX_WARNINGS}, are {count}")
    allowed = {str(code): code for code in (NOTES if is_strict else NOTES | FALLBACKS)}
    found = []
    for index, warning in enumerate(finish.warnings[:MAX_WARNINGS]):
        at = f"finish.warnings[{index}]"
        kind = "of a strict job " if is_strict else ""
        violations.check(
            warning.code in allowed,
            f"{at}.code",
            f"{kind}must be one of {', '.join(sorted(allowed))}, is {warning.code[:80]!r}",
        )
        violations.check(
            0 < len(warning.message) <= MAX_MESSAGE_CHARS,
            f"{at}.message",
            f"must be 1 to {MAX_MESSAGE_CHARS} characters, are {len(warning.message)}",
        )
        violations.check(not warning.output, f"{at}.output", "must be empty")
        if warning.code in allowed:
            found.append(ClientWarning(allowed[warning.code], warning.message))
    if violations.found:
        raise errors.invalid_fields(violations.found)
    return tuple(found)
