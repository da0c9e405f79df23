"""One record as people see it: a row, and all of its fields with what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from telecine.logging.catalogue import FIELDS_BY_NAME, ID_FIELDS, LEVEL_ALIASES, Level
from telecine.logging.outputs.rendering import local_time

_IN_ROW: Final = frozenset({"timestamp", "level", "service", "msg", "logger", "stage", "stack", "env"})
_IDS: Final = frozenset(ID_FIELDS)
_MAX_ROW_CHARS: Final = 2000
"""More of a record than this is never drawn in one row."""
_FIELD_ORDER: Final = {name: place for place, name in enumerate(FIELDS_BY_NAME)}


class RecordView(msgspec.Struct, frozen=True, gc=False):
    """A record that is held for viewing: its line, and what counting and ordering need."""

    line: bytes
    """The JSON object as it is stored."""
    timestamp: str
    """The timestamp of the record; empty if it has none."""
    level: Level


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A place among the records where some are missing."""

    missed: int
    """How many; 0: not known."""
    reason: str
    """For people."""


Item: TypeAlias = RecordView | Gap


@dataclass(frozen=True, slots=True)
class Row:
    """A record as one line; no part has a line feed or any other control character."""

    time: str
    """Date and time in UTC, to the millisecond."""
    level: Level
    service: str
    """Empty: the record names none."""
    source: str
    """The logger; empty: none, or the service itself."""
    message: str
    """The stage where it has one, and the message."""
    fields: tuple[tuple[str, str], ...]
    """The other fields in the record's order, ids last."""


@dataclass(frozen=True, slots=True)
class Details:
    """Everything that a record says."""

    fields: tuple[tuple[str, str, str], ...]
    """Name, value, and meaning (empty: no field of the catalogue); the catalogue's come first."""
    stack: tuple[str, ...]
    """Lines of the stack trace; empty without one."""
    job_id: str
    """Empty: it belongs to no job."""


class _Head(msgspec.Struct, gc=False):
    timestamp: str = ""
    level: str = "INFO"


_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def view_of(line: bytes) -> RecordView:
    """Never fails: a line that is no record is shown as it stands, with level INFO."""
    try:
        head = _decode_head(line)
    except msgspec.MsgspecError:
        return RecordView(line, "", Level.INFO)
    return RecordView(line, head.timestamp, LEVEL_ALIASES.get(head.level.upper(), Level.INFO))


def row_of(view: RecordView) -> Row:
    """The record as one line."""
    fields = _fields_of(view)
    service, logger = _text(fields.get("service")), _text(fields.get("logger"))
    stage, message = _text(fields.get("stage")), _text(fields.get("msg"))
    has_stage = bool(stage) and stage != message
    others = [(plain(name), plain(_text(value))) for name, value in fields.items() if name not in _IN_ROW]
    # Ids are long and rarely what is looked for in a row: they come last.
    others.sort(key=lambda pair: pair[0] in _IDS)
    return Row(
        time=plain(local_time(view.timestamp)),
        level=view.level,
        service=plain(service),
        source=plain("" if logger == service else logger),
        message=plain(f"{stage} {message}".rstrip() if has_stage else message),
        fields=tuple(others),
    )


def details_of(view: RecordView) -> Details:
    """All fields of the record, nested ones as JSON."""
    fields = _fields_of(view)
    stack = _text(fields.pop("stack", None))
    places = {name: (_FIELD_ORDER.get(name, len(_FIELD_ORDER)), at) for at, name in enumerate(fields)}
    return Details(
        fields=tuple(
            (
                plain(name),
                _shown(fields[name]),
                FIELDS_BY_NAME[name].meaning if name in FIELDS_BY_NAME else "",
            )
            for name in sorted(fields, key=places.__getitem__)
        ),
        stack=tuple(plain(line.expandtabs(4), limit=0) for line in stack.splitlines()),
        job_id=_text(fields.get("job_id")),
    )


def plain(text: str, limit: int = _MAX_ROW_CHARS) -> str:
    """The text with control characters shown as U+2400 signs, so that no record can steer a terminal.

    `limit`: characters that are kept; 0: all.
    """
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _visible(char) for char in text)


def _visible(char: str) -> str:
    if ord(char) < 0x20:
        return chr(0x2400 + ord(char))
    # No-break and other wide blanks are harmless; what else is not printable may turn a line around.
    return " " if char.isspace() else "\ufffd"


def _shown(value: object) -> str:
    lines = _text(value).expandtabs(4).split("\n")
    return "\n".join(plain(line, limit=0) for line in lines)


def _fields_of(view: RecordView) -> dict[str, Any]:
    try:
        return _decode(view.line)
    except msgspec.MsgspecError:
        return {"msg": view.line.decode("utf-8", "replace")}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list | bool):
        return msgspec.json.encode(value).decode()
    return str(value)
