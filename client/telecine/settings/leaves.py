"""Reads single values of a configuration: texts, numbers, sizes, durations, enums and paths."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from telecine.settings.sources import Text, shown

Report = Callable[[str, str], None]
"""Takes (dotted key, what was wrong and what is expected)."""

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def read_leaf(kind: Any, bare: Any, value: object, key: str, report: Report) -> Any:
    """Reads one value that is no struct, list or mapping; `bare` is `kind` without its annotations."""
    name = key.rpartition(".")[2].partition("[")[0]
    try:
        if bare in (int, float) and isinstance(value, str) and name.endswith("_bytes"):
            value = parse_bytes(value)
        elif bare in (int, float) and isinstance(value, str) and name.endswith("_seconds"):
            value = parse_seconds(value)
        elif bare is bool and isinstance(value, Text):
            value = _read_bool(value)
        elif bare is Path and isinstance(value, str):
            return Path(value).expanduser()
        elif bare is not str and isinstance(value, Text):
            value = _read_scalar(value)
    except ValueError as error:
        report(key, f"expected {error}, got {shown(key, value)}")
        return FAULTY
    return checked(kind, str(value) if isinstance(value, Text) else value, key, report)


def checked(kind: Any, value: object, key: str, report: Report) -> Any:
    """Has msgspec check type and limits; structs inside are built by now and pass as they are."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if isinstance(value, float):
        if not math.isfinite(value):
            report(key, f"expected a finite number, got {shown(key, value)}")
            return FAULTY
        value = int(value) if bare is int and value.is_integer() else value
    try:
        return msgspec.convert(value, kind, strict=True, from_attributes=True)
    except msgspec.ValidationError as error:
        expected = _choices(bare) or _lowered(str(error))
        report(key, f"{expected}, got {shown(key, value)}{_form(key, bare)}")
        return FAULTY


def _choices(bare: Any) -> str:
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return f"expected one of {', '.join(str(member.value) for member in bare)}"
    if get_origin(bare) is Literal:
        return f"expected one of {', '.join(str(choice) for choice in get_args(bare))}"
    return ""


def _form(key: str, bare: Any) -> str:
    if bare not in (int, float):
        return ""
    if key.endswith("_bytes"):
        return f"; write {BYTES_FORM}"
    return f"; write {SECONDS_FORM}" if key.endswith("_seconds") else ""


def _read_bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("true or false")


def _read_scalar(text: str) -> object:
    """A number where the text is one; else the text, for enums and literals."""
    try:
        return msgspec.json.decode(str(text))
    except msgspec.DecodeError:
        return str(text)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


FAULTY: Any = object()
"""Stands for a value that could not be read and whose fault is reported."""


def find_faults(kind: type[msgspec.Struct], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yields (field, what is expected) from `kind.find_faults`, if it has one.

    The struct that checks itself lacks the fields that could not be read, so that one fault hides no other:
    the checks run up to the first that needs such a field.
    """
    check = getattr(kind, "find_faults", None)
    if check is None:
        return
    try:
        struct = kind(**values)
    except ValueError:  # from its constructor, whose own checks come later
        return
    missing = {name for name, value in values.items() if value is FAULTY}
    for name in missing:
        getattr(kind, name).__delete__(struct)  # a field is a slot
    try:
        yield from check(struct)
    except AttributeError as error:
        if error.name not in missing:
            raise


_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


_BYTES = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


BYTES_FORM = 'a size such as 1048576, "4MB" or "4GiB"'


SECONDS_FORM = 'a duration such as 30, "500ms", "30s", "5m", "2h" or "7d"'


def parse_bytes(text: str) -> int:
    """Reads a size; raises ValueError for anything else and for a fraction of a byte."""
    size = _scaled(text, _BYTES, BYTES_FORM)
    if size != int(size):
        raise ValueError(BYTES_FORM)
    return int(size)


def parse_seconds(text: str) -> float:
    """Reads a duration; raises ValueError for anything else."""
    return _scaled(text, _SECONDS, SECONDS_FORM)


def _scaled(text: str, units: dict[str, int] | dict[str, float], form: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None or (unit := match[2].lower()) not in units:
        raise ValueError(form)
    number = float(match[1]) if "." in match[1] else int(match[1])
    return number * units[unit]
