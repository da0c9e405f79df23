"""Reads what a caller passed for one named field: the right type and range, or an error that names the field.

Numbers of numpy, torch and their like count as numbers; text that looks like a number does not.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from telecine.exceptions import InvalidRequestError
from telecine.exceptions.root import FieldViolation

_Kind = TypeVar("_Kind")

_LONGEST_SHOWN = 120
INT32_MAX = 2**31 - 1


def refused(field: str, value: object, expected: str) -> InvalidRequestError:
    """The error for one field, to be raised."""
    description = f"is {shown(value)}; expected {expected}"
    return InvalidRequestError(f"{field} {description}", faults=[FieldViolation(field, description)])


def shown(value: object) -> str:
    """The value for an error message: short, and never an exception of its own."""
    try:
        text = ascii(value) if isinstance(value, str) and not _is_encodable(value) else repr(value)
    except Exception:  # noqa: BLE001 -- a caller's own __repr__ may raise anything
        text = f"a {type(value).__qualname__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def text(value: object, field: str, expected: str = "text") -> str:
    """A text that UTF-8 can hold."""
    if not isinstance(value, str) or not _is_encodable(value):
        raise refused(field, value, expected)
    return str(value)


def words(value: object, field: str) -> Sequence[Any]:
    """Several values: a list, tuple or any other iterable that is no text and no mapping."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise refused(field, value, "a list")
    return list(value)


def flag(value: object, field: str) -> bool:
    """True or False, numpy's too."""
    if isinstance(value, bool):
        return value
    if type(value).__name__ in {"bool_", "bool"} and hasattr(value, "item"):
        return bool(value)
    raise refused(field, value, "True or False")


def whole(value: object, field: str, least: int = 0, most: int = INT32_MAX) -> int:
    """A whole number in a range."""
    expected = f"a whole number from {least} to {most}"
    if _is_truth(value):
        raise refused(field, value, expected)
    try:
        number = operator.index(value)  # type: ignore[arg-type] # what is none raises TypeError
    except (TypeError, ValueError):
        raise refused(field, value, expected) from None
    if not least <= number <= most:
        raise refused(field, value, expected)
    return number


def number(value: object, field: str, least: float = 0.0, most: float = math.inf) -> float:
    """A finite number in a range."""
    expected = "a number" if math.isinf(least) else f"a number from {least:g}"
    expected += f" to {most:g}" if math.isfinite(most) else "" if math.isinf(least) else " on"
    if isinstance(value, str | bytes) or _is_truth(value) or not hasattr(value, "__float__"):
        raise refused(field, value, expected)
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise refused(field, value, expected) from None
    if not math.isfinite(found) or not least <= found <= most:
        raise refused(field, value, expected)
    return found


def instance(value: object, kind: type[_Kind], field: str, expected: str) -> _Kind:
    """A value of one class of ours."""
    if not isinstance(value, kind):
        raise refused(field, value, expected)
    return value


def _is_truth(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ == "bool_"


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
