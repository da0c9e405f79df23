"""What an OTLP record says beside its body and attributes: its severity, its event, its trace."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from telecine.logging.catalogue import STAGES_BY_NAME, Level, parse_level

from log_collector.processors.normalise import KEPT_APART, SHORT_LEVELS

LEVELS: Final = (b"TRACE", b"DEBUG", b"INFO", b"WARNING", b"ERROR", b"CRITICAL")
SEVERITIES: Final = tuple(number // 4 for number in range(24))
"""Which of `LEVELS` stands for OTLP's severity numbers, from 1 on."""
_USUAL_WORDS: Final = tuple({b"", level, SHORT_LEVELS.get(level.decode(), "").encode()} for level in LEVELS)
"""The words that say no more than the level itself."""
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_encode = msgspec.json.Encoder().encode


def is_usual_severity(number: int, word: bytes) -> bool:
    """Whether the level says all that the sender said of it."""
    is_known = 1 <= number <= len(SEVERITIES)
    return is_known and (number - 1) % 4 == 0 and word.upper() in _USUAL_WORDS[SEVERITIES[number - 1]]


def add_severity(record: Any, body_level: object, fields: dict[str, bytes]) -> int:
    """Returns which of `LEVELS` the record has, and keeps what its sender said beyond that.

    `body_level` is what a structured body says, and counts where the record says nothing.
    """
    number: int = record.severity_number
    word: bytes = record.severity_text
    if is_usual_severity(number, word):
        return SEVERITIES[number - 1]
    text = word.decode("utf-8", "replace")
    if 1 <= number <= len(SEVERITIES):
        level = SEVERITIES[number - 1]
    else:
        level = _index(text)
        if not text and body_level is not None:
            level = _index(body_level)
            text = body_level if isinstance(body_level, str) else ""
    if text and text.upper().encode("utf-8", "replace") not in _USUAL_WORDS[level]:
        fields["severity_text"] = b',"severity_text":' + _encode(text)
    if number > len(SEVERITIES) or number < 0 or (number and (number - 1) % 4):
        fields["severity_number"] = b',"severity_number":%d' % number
    return level


def add_rest(record: Any, fields: dict[str, bytes]) -> None:
    """Adds the record's event, trace, flags, and how many attributes its sender has dropped."""
    if record.event_name:
        name = record.event_name.decode("utf-8", "replace")
        fields["event"] = b',"event":' + _encode(name)
        if name in STAGES_BY_NAME:
            fields.setdefault("stage", b',"stage":' + _encode(name))
    for field, value, size in (
        ("trace_id", record.trace_id, _TRACE_ID_BYTES),
        ("span_id", record.span_id, _SPAN_ID_BYTES),
    ):
        if any(value):
            # One of another length is none; what was sent stands beside the field.
            name = field if len(value) == size else KEPT_APART + field
            fields[name] = b',"%b":"%b"' % (name.encode(), value.hex().encode())
    if flags := record.flags & 0xFF:
        fields["trace_flags"] = b',"trace_flags":%d' % flags
    if dropped := record.dropped_attributes_count:
        fields["dropped_attributes_count"] = b',"dropped_attributes_count":%d' % dropped


def _index(said: object) -> int:
    return LEVELS.index((parse_level(said) or Level.INFO).name.encode())
