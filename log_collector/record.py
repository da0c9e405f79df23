"""What a record is to the collector: the typed catalogue, and why a record can be wrong for ever."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

import msgspec
from telecine.logging.catalogue import FIELDS, FieldType, Level

LevelName = Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

_JSON_TYPES: Final[dict[FieldType, Any]] = {
    FieldType.TIMESTAMP: str,
    FieldType.LEVEL: LevelName,
    FieldType.TEXT: str,
    FieldType.ID: str | int,
    FieldType.INTEGER: int,
    FieldType.NUMBER: int | float,
}

TypedRecord: Final = msgspec.defstruct(
    "TypedRecord",
    [
        (field.name, _JSON_TYPES[field.type])
        if field.is_required
        else (field.name, _JSON_TYPES[field.type] | msgspec.UnsetType, msgspec.UNSET)
        for field in FIELDS
    ],
    gc=False,
    kw_only=True,
)
"""Every catalogue field with its type, for checking; unknown fields are skipped."""

LEVEL_NUMBERS: Final[dict[str, int]] = {level.name: int(level) for level in Level}


class RecordKey(msgspec.Struct, gc=False):
    """The fields by which rules select; the other fields of a line are skipped."""

    level: LevelName = "INFO"
    service: str = ""
    stage: str | None = None
    event: str | None = None
    logger: str | None = None
    job_id: str | int | None = None
    request_id: str | int | None = None
    sample_rate: int | None = None
    log_tenant: str = ""

    @property
    def job(self) -> str:
        """The job's id as text; empty: none."""
        return "" if self.job_id is None else str(self.job_id)


class RejectionReason(StrEnum):
    """Why records are wrong for ever; as telecine.logs.v1.RejectionReason."""

    BAD_ENCODING = "bad_encoding"
    TOO_LARGE = "too_large"
    WRONG_COUNT = "wrong_count"
    NOT_JSON = "not_json"
    RECORD_TOO_LARGE = "record_too_large"
    WRONG_FIELD = "wrong_field"


class Rejection(msgspec.Struct, frozen=True):
    """Records of one batch that are wrong for one reason."""

    reason: RejectionReason
    count: int
    message: str
    """What was wrong with the first of them, and what was expected; holds no value of a record."""


class RejectedLine(msgspec.Struct, frozen=True):
    """One line of a batch that is wrong, for senders who know their lines by number."""

    index: int
    """Counted from 0, over all lines of the batch."""
    reason: RejectionReason
    message: str
    """What was wrong and what was expected; holds no value of a record."""


class RecordError(Exception):
    """One record is wrong for ever."""

    def __init__(self, reason: RejectionReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class BatchError(RecordError):
    """A batch is wrong as a whole."""
