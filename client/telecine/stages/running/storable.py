"""Turns what callers hand over (config, metadata, messages) into JSON without secrets."""

from __future__ import annotations

from typing import Any

from telecine.logging.record.plain import Room, plain, utf8_safe
from telecine.logging.redaction import Counts, Redactor

_LARGEST = 2**63
_MAX_PARTS = 200_000
"""A manifest keeps more of a value than a record does; what is left out leaves a `…`."""
_MAX_CHARACTERS = 16 << 20


def storable(value: Any, redactor: Redactor) -> tuple[Any, Counts]:
    """What the manifest may hold of a value, and how many secrets each rule took out of it."""
    redacted, counts = redactor.redact_value(_safe(plain(value, Room(_MAX_PARTS, _MAX_CHARACTERS))))
    return redacted, counts


def _safe(value: Any) -> Any:
    """Text that is UTF-8, numbers that every reader of JSON can hold."""
    if isinstance(value, str):
        return utf8_safe(value)
    if isinstance(value, dict):
        return {utf8_safe(key): _safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -_LARGEST <= value < _LARGEST:
        return str(value)
    return value
