"""Turns any Python value into what JSON can say, without raising and without end."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import PurePath
from typing import Any

import msgspec

from telecine.logging.record.bounded_text import text_of

_MAX_DEPTH = 24
_MAX_REPR = 2048
_MAX_ITEMS = 10_000
_MAX_BITS = 1000
"""Most readers of JSON take a longer integer as infinite, or not at all; it becomes text."""
_CUT = "…"
_CYCLE = "<cycle>"


class Room:
    """What may still be written of a record: shared by all its values, so that their sum is bounded.

    `parts` counts every value within a value, `characters` all nested text.
    """

    __slots__ = ("characters", "parts", "path")

    def __init__(self, parts: int = 20_000, characters: int = 1 << 20) -> None:
        self.parts = parts
        self.characters = characters
        self.path: set[int] = set()
        """The objects that contain what is being written: one of them again is a cycle."""


def plain(value: Any, room: Room | None = None) -> Any:
    """Strings, numbers, booleans, None, dicts and lists; a foreign object becomes its text.

    What is left out leaves a `…`, an object within itself `<cycle>`.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    return _plain(value, room if room is not None else Room(), 0)


def number(value: float) -> int | float | str:
    """A number as JSON can say it: `NaN`, `Infinity` and `-Infinity` become text, as do huge integers."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value.bit_length() <= _MAX_BITS:
        return value
    try:
        return str(value)
    except ValueError:
        # Python writes integers of more than 4300 digits in no base but those of two.
        return hex(value)


def _plain(value: Any, room: Room, depth: int) -> Any:
    kind = type(value)
    room.parts -= 1
    if kind is int or kind is float:
        value = number(value)
        return _shortened(value, room) if type(value) is str else value
    if kind is bool or value is None:
        return value
    if kind is str:
        return _fitting(value, room)
    identity = id(value)
    if identity in room.path:
        return _CYCLE
    if depth > _MAX_DEPTH or room.parts < 0:
        return _CUT
    room.path.add(identity)
    try:
        return _converted(value, room, depth)
    except Exception as error:  # noqa: BLE001 - foreign code in __repr__, __iter__ or a property
        return f"<{kind.__name__}: {type(error).__name__} while it was logged>"
    finally:
        room.path.discard(identity)


def _converted(value: Any, room: Room, depth: int) -> Any:
    if isinstance(value, enum.Enum):
        return _plain(value.value, room, depth + 1)
    if isinstance(value, str):
        return _fitting(text_of(value), room)
    if isinstance(value, (int, float)):
        return _plain(int(value) if isinstance(value, int) else float(value), room, depth + 1)
    if isinstance(value, (bytes, bytearray, memoryview)):
        text = bytes(value[:_MAX_REPR]).decode("utf-8", "backslashreplace")
        return _fitting(text if len(value) <= _MAX_REPR else f"{text}… ({len(value)} bytes)", room)
    if isinstance(value, Mapping):
        return _dict(value.items(), room, depth, len(value) if isinstance(value, dict) else None)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _list(value, room, depth)
    names = _field_names(value)
    if names is not None:
        return _dict(((name, getattr(value, name, None)) for name in names), room, depth)
    return _of_foreign(value, room, depth)


def _field_names(value: Any) -> list[str] | None:
    if isinstance(value, msgspec.Struct):
        return list(value.__struct_fields__)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value)]
    return None


def _of_foreign(value: Any, room: Room, depth: int) -> Any:
    if isinstance(value, PurePath):
        return _shortened(str(value), room)
    if hasattr(value, "isoformat"):
        return _shortened(text_of(value.isoformat()), room)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return _plain(value.item(), room, depth + 1)
    if isinstance(value, BaseException):
        return _shortened(text_of(value, repr), room)
    return _shortened(text_of(value), room)


def _dict(items: Iterable[tuple[Any, Any]], room: Room, depth: int, count: int | None = None) -> Any:
    found: dict[str, Any] = {}
    # All at once: another thread may change the dict meanwhile.
    for key, value in list(islice(items, _MAX_ITEMS + 1)):
        if room.parts <= 0 or len(found) >= _MAX_ITEMS:
            found[_CUT] = _CUT if count is None else f"{count} items"
            break
        found[_fitting(key, room) if type(key) is str else _shortened(text_of(key), room)] = _plain(
            value, room, depth + 1
        )
    return found


def _list(values: Any, room: Room, depth: int) -> list[Any]:
    found: list[Any] = []
    for value in list(islice(values, _MAX_ITEMS + 1)):
        if room.parts <= 0 or len(found) >= _MAX_ITEMS:
            found.append(f"{_CUT} ({len(values)} items)")
            break
        found.append(_plain(value, room, depth + 1))
    return found


def _shortened(text: str, room: Room) -> str:
    """The text of a foreign object."""
    if len(text) > _MAX_REPR:
        text = f"{text[:_MAX_REPR]}… ({len(text)} characters)"
    return _fitting(text, room)


def _fitting(text: str, room: Room) -> str:
    """As much of a nested text as there is room for."""
    size = len(text)
    if size <= room.characters:
        room.characters -= size
        return text
    kept, room.characters = room.characters, 0
    return f"{text[:kept]}… ({size} characters)"


def utf8_safe(text: str) -> str:
    """The same text with lone surrogates replaced, so that it can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
