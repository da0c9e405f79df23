"""Decides which columns a table of log records has, and of which type: one odd value changes none of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from telecine.logging.catalogue import FIELDS, FieldType

MAX_COLUMNS: Final = 500
"""Of the keys that are no catalogue fields, the most frequent become columns."""

_CATALOGUE_TYPES: Final = {
    FieldType.TIMESTAMP: "TIMESTAMPTZ",
    FieldType.LEVEL: "VARCHAR",
    FieldType.TEXT: "VARCHAR",
    FieldType.ID: "VARCHAR",
    FieldType.INTEGER: "BIGINT",
    FieldType.NUMBER: "DOUBLE",
}
_INTEGERS: Final = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
_MAX_BIGINT: Final = 2.0**63
_MAX_EXACT: Final = 2.0**53
"""Above it a float does not hold every whole number."""


class Seen(msgspec.Struct, frozen=True):
    """How often a key has values of one type."""

    key: str
    type: str
    """As DuckDB's `json_type` names it."""
    count: int
    largest: float | None = None
    """The largest absolute value of numbers."""
    odd_numbers: int = 0
    """How many of these texts are NaN, Infinity or -Infinity."""


class Column(msgspec.Struct, frozen=True):
    """One column of the table."""

    name: str
    key: str
    type: str


def columns_of(seen: Iterable[Seen]) -> list[Column]:
    """The catalogue's fields, whether any record has them or not, then all others by their names."""
    by_key: dict[str, list[Seen]] = {}
    for one in seen:
        by_key.setdefault(one.key, []).append(one)
    found = [Column(field.name, field.name, _CATALOGUE_TYPES[field.type]) for field in FIELDS]
    names = {column.name for column in found}
    # An empty key has no place in SQL; it stands in `lines`.
    others = [key for key in by_key if key and key not in names]
    others.sort(key=lambda key: (-sum(one.count for one in by_key[key]), key))
    own = []
    for key in others[:MAX_COLUMNS]:
        # SQL does not tell `Loss` from `loss`: the more frequent key has the name.
        name = key
        while name.lower() in names:
            name += "_1"
        names.add(name.lower())
        own.append(Column(name, key, _type_of(by_key[key])))
    return found + sorted(own, key=lambda column: column.key)


def _type_of(seen: list[Seen]) -> str:
    """The type that most of the values have; those of another are null there."""
    seen = [one for one in seen if one.type != "NULL"]
    integers = sum(one.count for one in seen if one.type in _INTEGERS)
    numbers = integers + sum(one.count for one in seen if one.type == "DOUBLE")
    numbers += sum(one.odd_numbers for one in seen)
    texts = sum(one.count - one.odd_numbers for one in seen if one.type == "VARCHAR")
    switches = sum(one.count for one in seen if one.type == "BOOLEAN")
    total = sum(one.count for one in seen)
    if 2 * numbers > total:
        return _number_type(seen, integers, numbers)
    if 2 * switches > total:
        return "BOOLEAN"
    return "VARCHAR" if 2 * texts > total else "JSON"


def _number_type(seen: list[Seen], integers: int, numbers: int) -> str:
    whole = max((one.largest or 0.0 for one in seen if one.type in _INTEGERS), default=0.0)
    if integers == numbers:
        return "BIGINT" if whole < _MAX_BIGINT else "HUGEINT"
    # A float beside them would round long ids.
    return "DOUBLE" if whole <= _MAX_EXACT or 2 * integers <= numbers else "HUGEINT"
