"""Reads stored lines as structs of the fields that are needed: one odd value hides no record."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

import msgspec

StructT = TypeVar("StructT", bound=msgspec.Struct)


class LineReader(Generic[StructT]):
    """Reads lines as one kind of struct. All of its fields need defaults. Safe to use from any thread."""

    def __init__(self, kind: type[StructT]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._fields = [(field.encode_name, field.name, field.type) for field in msgspec.structs.fields(kind)]

    def read(self, line: bytes) -> StructT | None:
        """The line; a field whose value has another type is as if it were absent. None: it is no record."""
        try:
            return self._decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._read_leniently(line)

    def _read_leniently(self, line: bytes) -> StructT | None:
        tree = fields_of(line)
        if tree is None:
            return None
        found = {}
        for key, name, kind in self._fields:
            if key in tree:
                try:
                    found[name] = msgspec.convert(tree[key], kind)
                except msgspec.ValidationError:
                    continue
        return self._kind(**found)


def fields_of(line: bytes) -> dict[str, Any] | None:
    """The fields of a line that msgspec may not read: numbers beyond all bounds, NaN; None: no record."""
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None
