"""Decides at the speed of memory whether a batch is as our SDK writes it, and can be taken as it came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from telecine.logging.catalogue import FIELDS, LEADING_FIELDS, FieldType, Level
from telecine.logging.redaction.rules import Trigger

from log_collector.record import TypedRecord

_NEWLINE: Final = ord("\n")
_TIMESTAMP_FORM: Final = b"0000-00-00T00:00:00.000000Z"
_HEAD: Final = b'{"timestamp":"' + _TIMESTAMP_FORM + b'","level":"'
_HEAD_TEMPLATE: Final = np.frombuffer(_HEAD, np.uint8)
_ZERO: Final = ord("0")
_IS_DIGIT: Final = np.equal(_HEAD_TEMPLATE, _ZERO)
_FIXED: Final = np.flatnonzero(~_IS_DIGIT)
_DIGITS: Final = np.flatnonzero(_IS_DIGIT)
_SECOND_END: Final = _HEAD.index(b".")
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)
_TYPES = msgspec.json.Decoder(TypedRecord)


def find_lines(lines: bytes) -> npt.NDArray[np.int64]:
    """Offsets of the newlines."""
    return np.flatnonzero(np.frombuffer(lines, np.uint8) == _NEWLINE)


def is_canonical(
    lines: bytes, newlines: npt.NDArray[np.int64], service: str, *, has_suspect_types: bool
) -> bool:
    """Whether every line is sound JSON with the leading fields first, `service` being this one, and every
    other catalogue field has its type.

    False means no more than that the lines must be looked at one by one. `has_suspect_types` says whether
    any of TYPE_TRIGGERS matches: only then are the types decoded, which costs three times as much.
    """
    if not lines or newlines[-1] != len(lines) - 1:
        return False
    starts = np.empty_like(newlines)
    starts[0] = 0
    starts[1:] = newlines[:-1] + 1
    if not _have_leading_fields(np.frombuffer(lines, np.uint8), starts, newlines, service):
        return False
    try:
        if not lines.isascii():
            lines.decode()
        decoder = _TYPES if has_suspect_types else _SYNTAX
        return len(decoder.decode_lines(lines)) == len(newlines)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _have_leading_fields(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    service: str,
) -> bool:
    tail = b'","service":"' + service.encode() + b'","msg":"'
    longest = len(_HEAD) + max(len(level.name) for level in Level) + len(tail)
    if int((ends - starts).min()) <= longest:
        return False
    heads = _windows(data, starts, len(_HEAD))
    lowest, highest = heads.min(axis=0), heads.max(axis=0)
    if not (lowest[_FIXED] == _HEAD_TEMPLATE[_FIXED]).all() or not (lowest[_FIXED] == highest[_FIXED]).all():
        return False
    if lowest[_DIGITS].min() < _ZERO or highest[_DIGITS].max() > ord("9"):
        return False
    # Nearly always one second's batch: then the first row speaks for all.
    is_one_second = bool((lowest[:_SECOND_END] == highest[:_SECOND_END]).all())
    if not _are_dates(heads[:1, _DIGITS] if is_one_second else heads[:, _DIGITS]):
        return False
    levels = data[starts + len(_HEAD)]
    checked = 0
    for level in Level:
        rows = starts[levels == ord(level.name[0])]
        if not len(rows):
            continue
        expected = np.frombuffer(level.name.encode() + tail, np.uint8)
        if not (_windows(data, rows + len(_HEAD), len(expected)) == expected).all():
            return False
        checked += len(rows)
    return checked == len(starts)


def _windows(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes from each offset on, as rows."""
    windows: npt.NDArray[np.uint8] = np.ndarray(
        (len(data) - size + 1, size), np.uint8, buffer=data, strides=(1, 1)
    )
    return windows[offsets]


def _are_dates(digits: npt.NDArray[np.uint8]) -> bool:
    """Whether month, day, hour, minute and second are in their ranges; `digits` are of the form's zeros."""
    pairs = digits[:, 4:14].astype(np.int16) - _ZERO
    values = pairs[:, 0::2] * 10 + pairs[:, 1::2]
    return bool((values >= [1, 1, 0, 0, 0]).all() and (values <= [12, 31, 23, 59, 59]).all())


_NUMBER_BEGINS: Final = "0123456789-"
_WRONG_BEGINS: Final = {
    FieldType.TEXT: _NUMBER_BEGINS + "{[tf",
    FieldType.ID: "{[tf",
    FieldType.INTEGER: '"{[tf',
    FieldType.NUMBER: '"{[tf',
}
"""What a value of another type begins with; null is none: it stands for an absent field."""


def _type_triggers() -> Iterator[Trigger]:
    for field in FIELDS:
        wrong_begin = _WRONG_BEGINS.get(field.type)
        if wrong_begin is None or field.name in LEADING_FIELDS:
            continue
        key = f'"{field.name}":'
        # One for each beginning: Hyperscan looks for literals, and the names alone stand in every line.
        for begin in wrong_begin:
            yield Trigger(f"{key}{re.escape(begin)}", (key,))
        if field.type is FieldType.ID:
            for begin in _NUMBER_BEGINS:
                yield Trigger(f"{key}{begin}[0-9]{{0,40}}[.eE]", (key,))
        if field.type is FieldType.INTEGER:
            yield Trigger(f"{key}-?[0-9]{{1,40}}[.eE]", (key,))


TYPE_TRIGGERS: Final = tuple(_type_triggers())
"""Patterns that match wherever a catalogue field may have another type than its own."""
