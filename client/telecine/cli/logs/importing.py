"""Reads old log files, JSON or plain text of the usual forms, as records to be shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec

from telecine.cli.logs.forms.any_lines import decoded, encoded
from telecine.cli.logs.forms.encodings import BYTE_ORDER_MARK
from telecine.cli.logs.forms.json_lines import understood
from telecine.cli.logs.forms.text_lines import guessed_level, read_text
from telecine.cli.logs.old_text import RAISED, TRACEBACK, message_fields, stack_fields

_MAX_STACK_CHARS: Final = 64_000
"""Of lines that follow a record; those behind begin a record of their own."""
_FOLLOWS: Final = (
    " ", "\t", f"{TRACEBACK}:", "Caused by:", "During handling of", "The above exception",
    "}", "]", ")", "| ", "+-",
)  # fmt: skip
"""What a line begins with that belongs to the record before it."""
_DOCKER_PIECE_BYTES: Final = 16_000
"""Docker cuts lines at 16 KiB; a shorter one without a line feed was the program's last."""
_STREAMS: Final = ("stdout", "stderr")
MARK_BYTES: Final = 12
"""Of the digests of content."""


def read_records(
    lines: Iterator[bytes], service: str, now: Callable[[], datetime], zone: tzinfo | None = None
) -> Iterator[bytes]:
    """Yields a JSON line for each record.

    Lines that are indented, and those of a traceback, belong to the record before them. Every other line is a
    record, be its form known or not; one without a time has that of the record before it.

    Args:
        lines: The file.
        service: For records that name none.
        now: The time of the first records, where they have none.
        zone: Of times that name none. None: this machine's.
    """
    for record, _ in read_marked_records(lines, service, now, zone):
        yield record


def read_marked_records(
    lines: Iterator[bytes], service: str, now: Callable[[], datetime], zone: tzinfo | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """As `read_records`, each with a digest of all lines of the file up to where the record ends.

    Neither empty lines nor the forms of line ends count, nor `service`, `now` and `zone`.
    """
    reading = _Reading(service, now, zone)
    content = hashlib.blake2b(digest_size=MARK_BYTES)
    for line in lines:
        text = line_text(line)
        for record in reading.take(text):
            yield record, content.digest()
        if text.strip():
            content.update(text.encode("utf-8", "surrogatepass") + b"\n")
    for record in reading.finish():
        yield record, content.digest()


def line_text(line: bytes) -> str:
    """A line without its end, byte order mark and NULs; what is no UTF-8 is Latin-1 in JSON, else escaped."""
    return decoded(line.replace(b"\0", b"").rstrip(b"\r\n").removeprefix(BYTE_ORDER_MARK))


def _tree(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        tree: dict[str, Any] = _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return tree


class _Reading:
    """The lines of one file; the record at hand waits for what may belong to it."""

    def __init__(self, service: str, now: Callable[[], datetime], zone: tzinfo | None) -> None:
        self._zone = zone
        self._service = service
        self._now = now
        self._pending: dict[str, Any] | None = None
        self._following: list[str] = []
        self._following_chars = 0
        self._is_in_traceback = False
        self._last_time: object = None
        self._parts: dict[str, list[str]] = {}
        """The pieces so far of a line that goes on, by the container's stream."""
        self._unfinished: dict[str, dict[str, Any]] = {}
        """The fields of the last such piece."""

    def take(self, text: str) -> Iterator[bytes]:
        """Takes a line, and yields the record that it ends."""
        if not text.strip():
            return
        if not text.startswith("{") and self._follows(text):
            self._following.append(text)
            self._following_chars += len(text) + 1
            return
        fields = self._read(text)
        if fields is not None:
            yield from self._begin(fields)

    def finish(self) -> Iterator[bytes]:
        """Yields the records at hand at the end of the file."""
        for stream in list(self._parts):
            yield from self._begin(
                self._unfinished.pop(stream) | self._inner("".join(self._parts.pop(stream)))
            )
        yield from self.end()

    def _begin(self, fields: dict[str, Any]) -> Iterator[bytes]:
        yield from self.end()
        if "timestamp" in fields:
            self._last_time = fields["timestamp"]
        else:
            fields["timestamp"] = self._last_time or self._now().isoformat()
        self._pending = fields

    def end(self) -> Iterator[bytes]:
        """Yields the record at hand."""
        fields, self._pending = self._pending, None
        if fields is None:
            return
        if self._following:
            stack = "\n".join(self._following)
            before = fields.get("stack")
            fields["stack"] = f"{before}\n{stack}" if isinstance(before, str) else stack
        said = stack_fields(str(fields.get("stack", "")))
        msg = fields.get("msg")
        if isinstance(msg, str) and fields.keys().isdisjoint(("duration_ms", "stage")):
            said |= message_fields(msg)
        for name, value in said.items():
            fields.setdefault(name, value)
        self._following, self._following_chars, self._is_in_traceback = [], 0, False
        fields.setdefault("service", self._service)
        yield encoded(fields)

    def _follows(self, text: str) -> bool:
        if self._pending is None or self._following_chars + len(text) > _MAX_STACK_CHARS:
            return False
        if text.startswith(_FOLLOWS):
            self._is_in_traceback |= text == f"{TRACEBACK}:"
            return True
        if not self._is_in_traceback or read_text(text, self._now(), self._zone) is not None:
            return False
        # The error itself ends a traceback.
        self._is_in_traceback = False
        return RAISED.fullmatch(text) is not None

    def _fields_of(self, text: str) -> dict[str, Any] | None:
        if not text.startswith("{"):
            return read_text(text, self._now(), self._zone)
        tree = _tree(text)
        return None if tree is None else understood(tree, self._inner, self._zone)

    def _read(self, text: str) -> dict[str, Any] | None:
        """The fields of a line; None: it is a part of a line that goes on."""
        docker = self._docker_piece(text)
        if docker is not None:
            return self._joined(docker)
        fields = self._fields_of(text)
        if fields is None:
            return {"level": guessed_level(text), "msg": text}
        if not text.startswith("{") and "inner" in fields:
            return self._joined(fields)
        return fields

    def _docker_piece(self, text: str) -> dict[str, Any] | None:
        """A piece of a line that docker has cut, as those of CRI; None: the line is no such piece."""
        if not text.startswith('{"log":') or (len(text) < _DOCKER_PIECE_BYTES and not self._parts):
            return None
        tree = _tree(text) or {}
        log, moment = tree.get("log"), tree.get("time")
        stream = tree.get("stream")
        if not isinstance(log, str) or moment is None or stream not in _STREAMS:
            return None
        goes_on = not log.endswith("\n") and len(log.encode("utf-8", "replace")) >= _DOCKER_PIECE_BYTES
        if not goes_on and stream not in self._parts:
            return None
        inner = log if goes_on else log.rstrip("\r\n")
        return {"timestamp": moment, "stream": stream, "inner": inner, "part": "P" if goes_on else "F"}

    def _joined(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        stream = fields["stream"]
        parts = self._parts.setdefault(stream, [])
        parts.append(fields.pop("inner"))
        if fields.pop("part") == "P" and sum(map(len, parts)) < _MAX_STACK_CHARS:
            self._unfinished[stream] = fields
            return None
        self._unfinished.pop(stream, None)
        return fields | self._inner("".join(self._parts.pop(stream)))

    def _inner(self, text: str) -> dict[str, Any]:
        """A line that another one wraps; its own time counts, where it has one."""
        fields = self._fields_of(text)
        if fields is None or "inner" in fields:
            return {"level": guessed_level(text), "msg": text}
        return fields


# Numbers stay as they were written: 1.10 is not 1.1 for who compares.
_decoder: Final = msgspec.json.Decoder(dict[str, Any], float_hook=lambda text: msgspec.Raw(text.encode()))
