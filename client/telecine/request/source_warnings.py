"""What frames do not carry of what the caller passed: coded, and an error where nothing may be lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telecine.exceptions import InvalidFramesError
from telecine.request.fields import text
from telecine.request.options import chosen

MAX_WARNINGS = 32
"""What a server takes of one job."""
MAX_MESSAGE_CHARS = 1000


class SourceCode(StrEnum):
    """The codes; docs/warnings.md explains each, `telecine errors CODE` too."""

    METADATA_ESCAPED = "METADATA_ESCAPED"
    SAMPLES_CLIPPED = "SAMPLES_CLIPPED"
    SOURCE_ALPHA_DROPPED = "SOURCE_ALPHA_DROPPED"
    SOURCE_CHAPTERS_DROPPED = "SOURCE_CHAPTERS_DROPPED"
    SOURCE_DAMAGED = "SOURCE_DAMAGED"
    SOURCE_FRAMES_DROPPED = "SOURCE_FRAMES_DROPPED"
    SOURCE_HDR_DROPPED = "SOURCE_HDR_DROPPED"
    SOURCE_INTERLACED = "SOURCE_INTERLACED"
    SOURCE_METADATA_DROPPED = "SOURCE_METADATA_DROPPED"
    SOURCE_ORIENTATION_IGNORED = "SOURCE_ORIENTATION_IGNORED"
    SOURCE_PIXELS_NOT_SQUARE = "SOURCE_PIXELS_NOT_SQUARE"
    SOURCE_PROFILE_IGNORED = "SOURCE_PROFILE_IGNORED"
    SOURCE_PROJECTION_DROPPED = "SOURCE_PROJECTION_DROPPED"
    SOURCE_RETIMED = "SOURCE_RETIMED"
    SOURCE_SOUND_CHANGED = "SOURCE_SOUND_CHANGED"
    SOURCE_SOUND_DROPPED = "SOURCE_SOUND_DROPPED"
    SOURCE_STREAMS_DROPPED = "SOURCE_STREAMS_DROPPED"
    SOURCE_SUBTITLES_DROPPED = "SOURCE_SUBTITLES_DROPPED"
    SOURCE_TIMING_CHANGED = "SOURCE_TIMING_CHANGED"

    @property
    def is_note(self) -> bool:
        """It was asked for, or changes neither picture nor sound, so that `strict` does not forbid it."""
        return self in {
            SourceCode.SAMPLES_CLIPPED,
            SourceCode.SOURCE_DAMAGED,
            SourceCode.SOURCE_METADATA_DROPPED,
            SourceCode.SOURCE_RETIMED,
        }


@dataclass(frozen=True, slots=True)
class SourceWarning:
    """One thing that is not carried over."""

    code: SourceCode
    message: str


class SourceWarnings:
    """Those of one job, in the order in which they were found. Not thread-safe."""

    def __init__(self, *, is_strict: bool = False) -> None:
        """`is_strict`: what would be a warning is an error."""
        self._is_strict = is_strict
        self._found: dict[SourceWarning, None] = {}

    @property
    def found(self) -> tuple[SourceWarning, ...]:
        """What has been found so far, each once, at most as many as a server takes."""
        return tuple(self._found)[:MAX_WARNINGS]

    def add(self, code: SourceCode | str, message: str) -> None:
        """Notes one; a second time it changes nothing.

        Raises InvalidRequestError for an unknown code, InvalidFramesError where the job is strict.
        """
        known = chosen(SourceCode, code, "code")
        said = text(message, "message")[:MAX_MESSAGE_CHARS] or known.value
        if self._is_strict and not known.is_note:
            raise InvalidFramesError(
                f"{known.value}: {said}; with strict that is an error",
                recovery="Convert the frames first, or leave strict out to take that as a warning.",
            )
        self._found.setdefault(SourceWarning(known, said))
