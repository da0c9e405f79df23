"""Brings one record into the catalogue's form: aliases, types, the fields that every record has."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from telecine.logging.catalogue import FIELDS_BY_NAME, KEY_ALIASES, FieldType, Level, parse_level

from log_collector.record import RecordError, RejectionReason

_ALIASES: Final = {**KEY_ALIASES, "service.name": "service"}
_CANONICAL_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_LONG_FRACTION: Final = re.compile(r"(\.\d{6})\d+", re.ASCII)
SHORT_LEVELS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""The words of other loggers that say no more than our level does."""
KEPT_APART: Final = "attributes."
"""Before the name of a field whose value is none of the catalogue field of that name."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_EPOCH_SECONDS: Final = 253_402_300_799
"""The last second of the year 9999."""
_MAX_EPOCH_NANO: Final = 10**21

Tree = dict[str, Any]
"""One record as parsed; it goes no further than this module and the OTLP mapping."""


def normalise(tree: Tree, service: str, received_unix_nano: int) -> bool:
    """Changes the record in place; returns whether anything changed.

    `service` and the time of receipt stand in where the record has none. A value that cannot be understood
    as its catalogue field costs no other: it is kept as it came under `attributes.<name>`, an unknown level
    as `severity_text`.
    """
    is_changed = _rename_aliases(tree)
    for name, value in list(tree.items()):
        field = FIELDS_BY_NAME.get(name)
        if field is None:
            continue
        if value is None:
            del tree[name]
            is_changed = True
            continue
        try:
            coerced = coerce(name, field.type, value)
        except RecordError:
            del tree[name]
            _keep_apart(tree, name, value)
            is_changed = True
            continue
        if coerced is not value:
            tree[name] = coerced
            is_changed = True
            if name == "level" and isinstance(value, str) and not _is_usual(value, coerced):
                tree.setdefault("severity_text", value)
    return _fill_required(tree, service, received_unix_nano) or is_changed


def coerce(name: str, kind: FieldType, value: object) -> object:
    """The value as the field's type; the same object if it was so already. Raises RecordError."""
    try:
        if isinstance(value, msgspec.Raw):
            value = _read_number(value, kind)
        return _COERCIONS[kind](value)
    except (ValueError, ArithmeticError) as error:
        raise RecordError(RejectionReason.WRONG_FIELD, f"{name}: expected {error}") from error


def format_timestamp(unix_nano: int) -> str:
    """RFC 3339 with microseconds and Z. Raises ValueError beyond the year 9999 and before 1970."""
    if not 0 <= unix_nano <= _MAX_EPOCH_SECONDS * 10**9:
        raise ValueError("a time between 1970 and 9999")
    moment = _EPOCH + timedelta(microseconds=unix_nano // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"


def _rename_aliases(tree: Tree) -> bool:
    is_changed = False
    for alias, name in _ALIASES.items():
        if alias in tree and name not in tree:
            tree[name] = tree.pop(alias)
            is_changed = True
    return is_changed


def _keep_apart(tree: Tree, name: str, value: object) -> None:
    apart = "severity_text" if name == "level" and isinstance(value, str) else f"{KEPT_APART}{name}"
    while apart in tree:
        apart += "_"
    tree[apart] = value


def _is_usual(word: str, level: object) -> bool:
    """Whether the word says no more than the level that it became."""
    known = word.strip().upper()
    return known in (level, SHORT_LEVELS.get(str(level))) or known.isdecimal()


def _fill_required(tree: Tree, service: str, received_unix_nano: int) -> bool:
    is_changed = False
    if "timestamp" not in tree:
        tree["timestamp"] = format_timestamp(received_unix_nano)
        is_changed = True
    if "level" not in tree:
        tree["level"] = Level.INFO.name
        is_changed = True
    if not tree.get("service"):
        tree["service"] = service
        is_changed = True
    if "msg" not in tree:
        tree["msg"] = str(tree.get("event", ""))
        is_changed = True
    return is_changed


def _read_number(raw: msgspec.Raw, kind: FieldType) -> object:
    """Numbers are kept as they were written, until a type needs one."""
    text = bytes(raw).decode("ascii", "replace")
    if kind is FieldType.TIMESTAMP:
        return Decimal(text)
    is_text = kind in (FieldType.TEXT, FieldType.ID) and not float(text).is_integer()
    return text if is_text else float(text)


def _coerce_timestamp(value: object) -> object:
    if isinstance(value, str):
        if _CANONICAL_TIMESTAMP.fullmatch(value):
            datetime.fromisoformat(value)
            return value
        return _parse_timestamp(value.strip())
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return format_timestamp(_epoch_nano(value))
    raise ValueError("a time in RFC 3339, or seconds since the epoch")


def _parse_timestamp(text: str) -> str:
    if re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        return format_timestamp(_epoch_nano(Decimal(text)))
    try:
        moment = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text.replace(",", ".")))
    except ValueError as error:
        raise ValueError("a time in RFC 3339, or seconds since the epoch") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        passed = moment - _EPOCH
    except OverflowError as error:
        raise ValueError("a time between 1970 and 9999") from error
    return format_timestamp((passed // timedelta(microseconds=1)) * 1000)


def _epoch_nano(value: float | Decimal) -> int:
    """Nanoseconds from seconds, milli-, micro- or nanoseconds, distinguished by their size.

    Reckoned in decimals: a float of seconds times a billion has lost its microseconds.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a finite time")
        value = Decimal(repr(value))
    if not -_MAX_EPOCH_NANO < value < _MAX_EPOCH_NANO:
        raise ValueError("a time between 1970 and 9999")
    for limit, factor in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
        if abs(value) < limit:
            return int(value * factor)
    return int(value)


def _coerce_level(value: object) -> object:
    level = None
    if isinstance(value, str):
        if value in Level.__members__:
            return value
        level = parse_level(int(value)) if value.strip().isdecimal() else parse_level(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        level = parse_level(int(value))
    if level is None:
        raise ValueError(f"one of {', '.join(Level.__members__)}")
    return level.name


def _coerce_text(value: object) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return msgspec.json.encode(value).decode()


def _coerce_id(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else str(value)
    raise ValueError("a string or a whole number")


def _coerce_integer(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        value = float(value) if re.fullmatch(r"\s*[+-]?\d+\.\d*\s*", value, re.ASCII) else _whole(value)
        if isinstance(value, int):
            return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError("a whole number")


def _whole(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d{1,40}\s*", text, re.ASCII):
        raise ValueError("a whole number")
    return int(text)


def _coerce_number(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,3})?\s*", value):
        number = float(value)
        if math.isfinite(number):
            return number
    raise ValueError("a finite number")


_COERCIONS: Final[Mapping[FieldType, Callable[[object], object]]] = {
    FieldType.TIMESTAMP: _coerce_timestamp,
    FieldType.LEVEL: _coerce_level,
    FieldType.TEXT: _coerce_text,
    FieldType.ID: _coerce_id,
    FieldType.INTEGER: _coerce_integer,
    FieldType.NUMBER: _coerce_number,
}
