"""Turns any Python value into what JSON can say, without raising and without end."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec

_MAX_DEPTH = 24
_MAX_REPR = 2048
_MAX_ITEMS = 10_000


def plain(value: Any, depth: int = 0) -> Any:
    """Strings, numbers, booleans, None, dicts and lists; a foreign object becomes its text."""
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool or value is None:
        return value
    if depth > _MAX_DEPTH:
        return "…"
    try:
        return _converted(value, depth)
    except Exception as error:  # noqa: BLE001 - foreign code in __repr__, __iter__ or a property
        return f"<{kind.__name__}: {type(error).__name__} while it was logged>"


def _converted(value: Any, depth: int) -> Any:
    if isinstance(value, enum.Enum):
        return plain(value.value, depth + 1)
    if isinstance(value, (str, int, float)):
        base = next(base for base in (str, int, float) if isinstance(value, base))
        return base(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[:_MAX_REPR]).decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        items = list(value.items())[:_MAX_ITEMS]
        return {k if type(k) is str else str(k): plain(item, depth + 1) for k, item in items}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
    if isinstance(value, (msgspec.Struct, msgspec.Raw)) and not isinstance(value, msgspec.Raw):
        return {name: plain(getattr(value, name), depth + 1) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: plain(getattr(value, name, None), depth + 1) for name in names}
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain(value.item(), depth + 1)
    if isinstance(value, BaseException):
        return repr(value)[:_MAX_REPR]
    return str(value)[:_MAX_REPR]


def utf8_safe(text: str) -> str:
    """The same text with lone surrogates replaced, so that it can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
