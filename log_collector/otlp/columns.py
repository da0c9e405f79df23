"""Maps OTLP records of one shape together, attribute by attribute, which takes half as long as one by one."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from log_collector.otlp.values import DOUBLE_TAG, FIRST_TAG, SECOND_TAG, STRING_TAG, Plan

MIN_ALIKE: Final = 16
"""Fewer records of one shape are mapped one by one."""
MAX_MISSES: Final = 4096
"""A key with so many different values is an id or a measurement: its values are not remembered."""
_SHORTEST: Final = 12
_LONGEST_KEY: Final = 0x7F
_encode = msgspec.json.Encoder().encode

Pair = tuple[str, bytes]
"""Name of a field, and `,"name":value`."""


def by_size(attributes: Sequence[Sequence[bytes]]) -> list[list[int]]:
    """The indexes of the records, those with equally many attributes together: nearly always of one shape."""
    sizes: dict[int, list[int]] = {}
    for index, size in enumerate(map(len, attributes)):
        sizes.setdefault(size, []).append(index)
    return list(sizes.values())


def by_keys(attributes: Sequence[Sequence[bytes]]) -> list[list[int]]:
    """The indexes of the records, those with the same keys in the same order together."""
    shapes: dict[tuple[bytes, ...], list[int]] = {}
    for index, own in enumerate(attributes):
        shapes.setdefault(tuple([data[: 2 + data[1]] for data in own if len(data) > 1]), []).append(index)
    return list(shapes.values())


def read_columns(
    rows: Sequence[Sequence[bytes]],
    known: Mapping[str, bytes],
    remembered: Mapping[bytes, Pair],
    plans: Mapping[bytes, Plan],
    read: Callable[[bytes], tuple[Pair, bytes]],
) -> list[list[bytes]] | None:
    """For each attribute its `,"name":value` in all rows; None: the rows must be read one by one.

    That is so where rows are not of one shape, one has a uid, or a name stands twice, be it among the
    `known` fields. `read` reads one attribute and returns its uid; what it raises is passed on.
    """
    names: set[str] = set(known)
    columns: list[list[bytes]] = []
    for column in zip(*rows, strict=True):
        found = _read_column(column, remembered, plans, read)
        if found is None or found[0] in names:
            return None
        names.add(found[0])
        columns.append(found[1])
    return columns


def _read_column(
    column: Sequence[bytes],
    remembered: Mapping[bytes, Pair],
    plans: Mapping[bytes, Plan],
    read: Callable[[bytes], tuple[Pair, bytes]],
) -> tuple[str, list[bytes]] | None:
    found = list(map(remembered.get, column))
    pairs = [pair for pair in found if pair is not None]
    if len(pairs) < len(found):
        alike = _read_alike(column, plans)
        if alike is not None:
            return alike
        pairs = []
        for pair, data in zip(found, column, strict=True):
            own, uid = (pair, b"") if pair is not None else read(data)
            if uid:
                return None
            pairs.append(own)
    names = {pair[0] for pair in pairs}
    return (names.pop(), [pair[1] for pair in pairs]) if len(names) == 1 else None


def _read_alike(column: Sequence[bytes], plans: Mapping[bytes, Plan]) -> tuple[str, list[bytes]] | None:
    """A column of values that are not worth remembering, if all are short strings, or all doubles."""
    first = column[0]
    if len(first) < _SHORTEST or first[0] != FIRST_TAG or first[1] > _LONGEST_KEY - 4:
        return None
    key_end = 2 + first[1]
    plan = plans.get(first[2:key_end])
    if plan is None or plan.misses < MAX_MISSES or len(first) < key_end + 4:
        return None
    prefix = b"," + plan.prefix
    kind = first[key_end + 2]
    if kind == STRING_TAG and plan.takes_text:
        texts = _read_texts(column, first[:key_end])
        return None if texts is None else (plan.name, [prefix + text for text in texts])
    if kind == DOUBLE_TAG and plan.takes_number:
        numbers = _read_numbers(column, first[:key_end])
        return None if numbers is None else (plan.name, [prefix + number for number in numbers])
    return None


def _read_texts(column: Sequence[bytes], key: bytes) -> list[bytes] | None:
    end = len(key)
    start = end + 4
    for head, size in {(data[:start], len(data)) for data in column}:
        expected = bytes((SECOND_TAG, (size - end - 2) & 0xFF, STRING_TAG, (size - start) & 0xFF))
        if not start <= size <= _LONGEST_KEY or head != key + expected:
            return None
    values = [data[start:] for data in column]
    if b"".join(values).isalnum():
        return [b'"' + value + b'"' for value in values]
    try:
        return [_encode(value.decode()) for value in values]
    except UnicodeDecodeError:
        return None


def _read_numbers(column: Sequence[bytes], key: bytes) -> list[bytes] | None:
    head = key + bytes((SECOND_TAG, 9, DOUBLE_TAG))
    start = len(head)
    if {data[:start] for data in column} != {head} or {len(data) for data in column} != {start + 8}:
        return None
    numbers = struct.unpack(f"<{len(column)}d", b"".join([data[start:] for data in column]))
    if not all(map(math.isfinite, numbers)):
        return None
    return _encode(numbers)[1:-1].split(b",")


def all_plain(records: Sequence[Any]) -> bool:
    """Whether none has an event name, a trace, flags or dropped attributes."""
    return not any(
        r.event_name or r.trace_id or r.span_id or r.flags or r.dropped_attributes_count for r in records
    )
