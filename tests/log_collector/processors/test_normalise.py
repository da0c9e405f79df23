"""Whatever a record's fields are, they become the catalogue's types or one clear reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.logging.catalogue import FIELDS, FieldType

from log_collector.processors.normalise import coerce, format_timestamp, normalise
from log_collector.record import RecordError, TypedRecord

NANO = 1763697074_123456789
CANONICAL = "2025-11-21T03:51:14.123456Z"


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        (CANONICAL, CANONICAL),
        ("2025-11-21T03:51:14Z", "2025-11-21T03:51:14.000000Z"),
        ("2025-11-21T04:51:14.123456789+01:00", CANONICAL),
        ("2025-11-21 03:51:14.123456", CANONICAL),
        (1763697074, "2025-11-21T03:51:14.000000Z"),
        (1763697074.5, "2025-11-21T03:51:14.500000Z"),
        (1763697074.123456, CANONICAL),
        ("1763697074.123456", CANONICAL),
        (msgspec.Raw(b"1763697074.1234567"), CANONICAL),
        (msgspec.Raw(b"1.763697074123456e9"), CANONICAL),
        (1763697074123, "2025-11-21T03:51:14.123000Z"),
        (1763697074123456, CANONICAL),
        (NANO, CANONICAL),
        ("1763697074", "2025-11-21T03:51:14.000000Z"),
    ],
)
def test_times_become_utc_with_microseconds(given_time: object, expected: str) -> None:
    assert coerce("timestamp", FieldType.TIMESTAMP, given_time) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        "yesterday",
        "2025-13-01T00:00:00Z",
        -5,
        float("inf"),
        True,
        [],
        "9" * 30,
        msgspec.Raw(b"1e999999999"),
        {},
    ],
)
def test_what_is_no_time_says_what_was_expected(wrong: object) -> None:
    with pytest.raises(RecordError, match="timestamp: expected"):
        coerce("timestamp", FieldType.TIMESTAMP, wrong)


@pytest.mark.parametrize(
    ("given_level", "expected"),
    [
        ("info", "INFO"),
        ("WARN", "WARNING"),
        ("fatal", "CRITICAL"),
        (40, "ERROR"),
        ("10", "DEBUG"),
        (35, "WARNING"),
    ],
)
def test_levels_have_one_spelling(given_level: object, expected: str) -> None:
    assert coerce("level", FieldType.LEVEL, given_level) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FieldType.INTEGER, "3", 3),
        (FieldType.INTEGER, 3.0, 3),
        (FieldType.INTEGER, True, 1),
        (FieldType.NUMBER, "1.5", 1.5),
        (FieldType.ID, 7.0, 7),
        (FieldType.ID, "../../etc", "../../etc"),
        (FieldType.TEXT, 5, "5"),
        (FieldType.TEXT, {"a": 1}, '{"a":1}'),
        (FieldType.NUMBER, msgspec.Raw(b"1.50"), 1.5),
    ],
)
def test_values_are_coerced(kind: FieldType, value: object, expected: object) -> None:
    assert coerce("x", kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldType.INTEGER, "many"),
        (FieldType.INTEGER, 1.5),
        (FieldType.NUMBER, "nan"),
        (FieldType.NUMBER, float("inf")),
        (FieldType.ID, ["a"]),
        (FieldType.LEVEL, "loud"),
        (FieldType.INTEGER, "9" * 5000),
    ],
)
def test_what_cannot_be_coerced_is_rejected_without_showing_the_value(kind: FieldType, value: object) -> None:
    with pytest.raises(RecordError) as raised:
        coerce("x", kind, value)
    assert str(value) not in raised.value.message


def test_required_fields_are_filled_in_and_aliases_renamed() -> None:
    tree: dict[str, Any] = {"severity": "error", "message": "hi", "job_id": None, "mine": None}
    assert normalise(tree, "api", NANO)
    assert tree == {"mine": None, "level": "ERROR", "msg": "hi", "timestamp": CANONICAL, "service": "api"}


def test_a_record_in_order_is_not_touched() -> None:
    tree = {"timestamp": CANONICAL, "level": "INFO", "service": "api", "msg": "hi", "attempt": 1, "z": 1.5}
    assert not normalise(dict(tree), "other", NANO)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
trees = st.dictionaries(st.sampled_from([f.name for f in FIELDS]) | st.text(max_size=8), values, max_size=6)


@given(trees)
def test_anything_becomes_a_record_of_the_catalogue_or_an_error(tree: dict[str, Any]) -> None:
    try:
        normalise(tree, "api", NANO)
        encoded = msgspec.json.encode(tree)
    except (RecordError, UnicodeEncodeError):
        return
    msgspec.json.decode(encoded, type=TypedRecord)
    again = msgspec.json.decode(encoded)
    assert not normalise(again, "other", 0)


@given(st.integers(0, 253_402_300_799 * 10**9))
def test_times_sort_as_text(unix_nano: int) -> None:
    text = format_timestamp(unix_nano)
    assert len(text) == len(CANONICAL)
    assert format_timestamp(unix_nano // 2) <= text
