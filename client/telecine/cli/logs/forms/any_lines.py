"""Whatever lines a file holds, as lines of JSON objects: what is no record of ours is shown as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from telecine.cli.logs.forms.encodings import BYTE_ORDER_MARK, utf8_pieces
from telecine.cli.logs.forms.text_lines import guessed_level, read_text
from telecine.logging.catalogue import LEVEL_ALIASES, Level
from telecine.logging.record.reading import fields_of


class _Object(msgspec.Struct, gc=False):
    timestamp: msgspec.Raw = msgspec.Raw(b"")


_decoder: Final = msgspec.json.Decoder(_Object)


def record_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the content of a log file so that each of its lines is a JSON object.

    Lines that are none become records of their text, with the time that they state, else that of the record
    before. Byte order marks, NULs and empty lines are left out; other encodings of Unicode become UTF-8.
    """
    rest = before = b""
    for piece in utf8_pieces(pieces):
        end = piece.rfind(b"\n") + 1
        if not end:
            rest += piece
            continue
        block, rest = rest + piece[:end], piece[end:]
        if not is_sound(block):
            block = b"".join(record + b"\n" for record in records_of(block[:-1].split(b"\n"), before))
        if block:
            before = block[block.rfind(b"\n", 0, -1) + 1 : -1]
            yield block
    if rest:
        yield rest


def is_sound(block: bytes) -> bool:
    """Whether each line of a block is a JSON object."""
    try:
        if not block.isascii():
            block.decode()
        is_plain = b"\0" not in block and b"\r" not in block
        return is_plain and len(_decoder.decode_lines(block)) == block.count(b"\n")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def records_of(lines: Iterable[bytes], before: bytes = b"") -> Iterator[bytes]:
    """Yields each line as a JSON object; `before` is the record before the first of them, if there is one."""
    for line in lines:
        record = as_record(line, before)
        if record:
            before = record
            yield record


def as_record(line: bytes, before: bytes = b"") -> bytes:
    """The line where it is a JSON object, else a record of its text; empty: it says nothing."""
    line = line.rstrip(b"\r")
    if _is_object(line):
        return line
    line = line.replace(b"\0", b"").strip().removeprefix(BYTE_ORDER_MARK)
    if not line or _is_object(line):
        return line
    text = decoded(line)
    unicode = text.encode()
    return unicode if unicode != line and _is_object(unicode) else _text_record(text, before)


def decoded(line: bytes) -> str:
    """The text of a line; what is no UTF-8 is Latin-1 in JSON, else escaped."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        latin = line.decode("latin-1")
        is_json = latin.startswith("{") and _is_object(latin.encode())
        return latin if is_json else line.decode("utf-8", "backslashreplace")


def encoded(fields: dict[str, Any]) -> bytes:
    """The fields as a JSON line; what none can hold, such as a number of a hundred digits, becomes text."""
    try:
        return msgspec.json.encode(fields)
    except (ValueError, OverflowError, RecursionError):
        return msgspec.json.encode({name: _held(value) for name, value in fields.items()})


def _held(value: object) -> object:
    try:
        msgspec.json.encode(value)
    except (ValueError, OverflowError, RecursionError):
        return str(value)
    return value


def _is_object(line: bytes) -> bool:
    # json.loads takes bytes with a mark, and those of UTF-16, for JSON; no other reader of the line would.
    if b"\0" in line or line.startswith(BYTE_ORDER_MARK):
        return False
    try:
        line.decode()
        _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return fields_of(line) is not None
    return True


def _text_record(text: str, before: bytes) -> bytes:
    fields = read_text(text, datetime.now(UTC)) or {"msg": text}
    fields.pop("part", None)
    if "inner" in fields:
        fields["msg"] = fields.pop("inner")
    level = str(fields.get("level") or guessed_level(text)).upper()
    fields["level"] = Level(LEVEL_ALIASES.get(level, Level.INFO)).name
    stated = fields.pop("timestamp", None)
    if stated is not None:
        moment = datetime.fromisoformat(stated).astimezone(UTC)
        stated = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    else:
        stated = (fields_of(before) or {}).get("timestamp") if before else None
    head = {} if stated is None else {"timestamp": stated}
    return encoded(head | fields)
