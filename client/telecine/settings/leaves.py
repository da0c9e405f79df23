"""Reads single values of a configuration: texts, numbers, sizes, durations, enums and paths."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from telecine.settings.cross_checks import FAULTY
from telecine.settings.quantities import BYTES_FORM, SECONDS_FORM, parse_bytes, parse_seconds
from telecine.settings.secrecy import shown
from telecine.settings.sources import Text

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
    """Lets msgspec judge type and limits; structs inside are built by now and pass as they are."""
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
