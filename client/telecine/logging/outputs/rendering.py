"""Writes a record for people or for tools: the JSON line as it is, key=value, or a line to read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec

from telecine.logging.outputs.visible_text import visible, visible_json, visible_lines
from telecine.logging.record.reading import fields_of

_QUIET = frozenset({"timestamp", "level", "service", "msg", "logger", "env", "stack", "stage"})
_NEEDS_QUOTES = frozenset(" \"'=\n\t\\")
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_COLOURS = {
    "TRACE": "\x1b[2m",
    "DEBUG": "\x1b[36m",
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Format(StrEnum):
    """How a record is written."""

    JSON = "json"
    KV = "kv"
    """key=value"""
    HUMAN = "human"


Renderer = Callable[[bytes], bytes]
"""Takes a record's JSON line; gives what is written, ended by a line feed."""


def renderer(form: Format, *, has_colours: bool = False, shows_service: bool = False) -> Renderer:
    """What writes in this form.

    `has_colours`: where a terminal takes them; NO_COLOR, and a terminal that is "dumb", take them away.
    `shows_service`: in lines for people, before the logger: records of several programs are shown.
    """
    if form is Format.JSON:
        return _as_it_is
    if form is Format.KV:
        return _key_value
    coloured = has_colours and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return partial(_human_line, has_colours=coloured, shows_service=shows_service)


def _as_it_is(line: bytes) -> bytes:
    return line


def _fields(line: bytes) -> dict[str, Any]:
    """Of a line that is no record its text: one odd line ends no output."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = fields_of(line)
        return {"msg": line.decode("utf-8", "backslashreplace")} if fields is None else fields


def _key_value(line: bytes) -> bytes:
    pairs = (f"{_key(name)}={_value(value)}" for name, value in _fields(line).items())
    return (" ".join(pairs) + "\n").encode("utf-8", "backslashreplace")


def local_time(timestamp: str) -> str:
    """A record's time in this machine's zone, which is shown: as it stands there it may be asked for."""
    try:
        moment = datetime.fromisoformat(timestamp)
        text = moment.astimezone().isoformat(" ", "milliseconds")
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    except (ValueError, OverflowError):
        return visible(timestamp[:23].replace("T", " "))


def _human_line(line: bytes, *, has_colours: bool, shows_service: bool) -> bytes:
    return _human(_fields(line), has_colours=has_colours, shows_service=shows_service)


def _human(record: dict[str, Any], *, has_colours: bool, shows_service: bool) -> bytes:
    dim, reset = (_DIM, _RESET) if has_colours else ("", "")
    level = visible(str(record.get("level", "INFO")))
    colour = _COLOURS.get(level, "") if has_colours else ""
    time_text = local_time(str(record.get("timestamp", "")))
    logger, service = str(record.get("logger") or ""), str(record.get("service") or "")
    both = f"{service} {logger}" if shows_service and service != logger else logger
    source = visible((both if logger else service).strip())
    stage = record.get("stage")
    message = visible(
        f"{stage} {record.get('msg', '')}"
        if stage and stage != record.get("msg")
        else str(record.get("msg", ""))
    )
    fields = "".join(
        f" {dim}{_key(name)}={reset}{_value(value)}" for name, value in record.items() if name not in _QUIET
    )
    text = f"{dim}{time_text}{reset} {colour}{level:<8}{reset} {dim}{source}{reset} {message}{fields}"
    stack = record.get("stack")
    if stack:
        # Indented: a line that begins a record is always one.
        text += "".join(f"\n    {line}" for line in visible_lines(str(stack)).rstrip().split("\n"))
    return (text.rstrip("\n") + "\n").encode("utf-8", "backslashreplace")


def _key(name: str) -> str:
    return "".join("_" if char in _NEEDS_QUOTES else char for char in visible(name)) or "_"


def _value(value: Any) -> str:
    if isinstance(value, str):
        is_simple = value and _NEEDS_QUOTES.isdisjoint(value) and value.isprintable()
        return value if is_simple else _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return _quoted(_json(value))
    return visible(str(value))


def _quoted(text: str) -> str:
    return visible_json(_json(text).encode()).decode()


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError):
        return json.dumps(value)
