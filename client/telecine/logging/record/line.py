"""Renders a record as one redacted JSON line; the path of every log call, so it is kept short.

What was seen clean before (keys, short strings) is remembered; all else is scanned, and only on a hit
is the record opened.
"""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec

from telecine.logging.record.plain import Room, plain, utf8_safe
from telecine.logging.redaction import Redactor

MAX_LINE_BYTES = 256 << 10
"""Longer records are cut; the collector takes 1 MiB at most."""

_MAX_TEXT = 16 << 10
_MAX_CUT_FIELDS = 64
_OF_CUTTING = frozenset({"is_cut", "uncut_bytes", "cut_fields"})
"""They say of a record that it was cut, how many bytes it had, and how many fields are left out."""
_REMEMBERED = 2048
_REMEMBERED_LENGTH = 48
_SCALARS = frozenset({int, float, bool, type(None)})
_OPENING = b'{"timestamp":"'
_DIGITS = tuple(b"%03d" % number for number in range(1000))
HEAD_FIELDS = frozenset({"timestamp", "level", "service", "msg"})
"""They stand first in each line; a field of that name gets a trailing underscore."""
SHARED_FIELDS = frozenset({"env", "logger", "host", "pid"})
"""The pipeline's own; where a call or a logger brings a field of that name, that one alone is written."""
MERGED_FIELDS = SHARED_FIELDS | HEAD_FIELDS | {f"{name}_" for name in HEAD_FIELDS}
"""Bound to a logger they may come again under the same name, so that nothing can be rendered before."""


class LineRenderer:
    """Renders lines; safe to use from any thread and to re-enter."""

    def __init__(self, redactor: Redactor, counts: dict[str, int]) -> None:
        """`counts` takes how many secrets each rule took out."""
        self._redactor = redactor
        self._scan = redactor.scan
        self._counts = counts
        self._encode = msgspec.json.Encoder().encode
        self._harmless_keys: set[str] = set()
        self._harmless_texts: set[str] = set()
        self._second: tuple[int, bytes] = (-1, b"")

    def line(
        self,
        head: bytes,
        msg: str,
        source: bytes,
        bound: bytes,
        fields: dict[str, Any],
        when: bytes | None = None,
    ) -> bytes:
        """One line. `head` stands before the message; `source` and `bound` are rendered fields.

        `when`: the record's time as `timestamp` gave it; None: now.
        """
        if fields and not SHARED_FIELDS.isdisjoint(fields):
            source = _without(source, fields)
        text = self._encode(msg) if msg in self._harmless_texts else self.text_json(msg)
        rest = self.fields_json(fields) if fields else b""
        line = b"".join((_OPENING, when or self.timestamp(), head, text, source, bound, rest, b"}\n"))
        if len(line) > MAX_LINE_BYTES:
            return self._cut_line(
                head, msg, source + bound, source, fields, when or self.timestamp(), len(line)
            )
        return line

    def timestamp(self) -> bytes:
        """Now, in UTC with microseconds."""
        micro = time.time_ns() // 1000
        second = micro // 1_000_000
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode()
            self._second = (second, text)
        micro -= second * 1_000_000
        return text + _DIGITS[micro // 1000] + _DIGITS[micro % 1000]

    def text_json(self, text: str) -> bytes:
        """A redacted JSON string."""
        if text in self._harmless_texts:
            return self._encode(text)
        try:
            raw = self._encode(text)
        except UnicodeEncodeError:
            text = utf8_safe(text)
            raw = self._encode(text)
        if not self._scan(raw):
            self._remember_text(text)
            return raw
        redacted, counts = self._redactor.redact_text(text)
        self._count(counts)
        return self._encode(redacted)

    def fields_json(self, fields: dict[str, Any]) -> bytes:
        """Redacted fields, each begun by a comma; empty for none."""
        keys, texts = self._harmless_keys, self._harmless_texts
        new: str | None = None
        for key, value in fields.items():
            if key not in keys:
                return self._opened_json(fields)
            kind = type(value)
            if kind is str:
                if value not in texts:
                    new = value
            elif kind not in _SCALARS:
                return self._opened_json(fields)
        try:
            raw = self._encode(fields)
        except (ValueError, OverflowError):
            return self._opened_json(fields)
        # JSON knows neither NaN nor infinity: the encoder has written null.
        if b"null" in raw and any(type(x) is float and not math.isfinite(x) for x in fields.values()):
            return self._opened_json(fields)
        if new is not None:
            if self._scan(raw):
                return self._opened_json(fields)
            self._remember_text(new)
        return b"," + raw[1:-1] if len(raw) > 2 else b""

    def _opened_json(self, fields: dict[str, Any]) -> bytes:
        room = Room()
        tree = _named({key: plain(value, room) for key, value in fields.items()})
        redacted, counts = self._redactor.redact_mapping(tree)
        self._count(counts)
        for key in tree:
            if self._redactor.is_harmless_key(key):
                if len(self._harmless_keys) >= _REMEMBERED:
                    self._harmless_keys = set()
                self._harmless_keys.add(key)
        try:
            raw = self._encode(redacted)
        except (ValueError, OverflowError):
            raw = self._encode(_utf8_safe_tree(redacted))
        return b"," + raw[1:-1] if len(raw) > 2 else b""

    def _cut_line(
        self,
        head: bytes,
        msg: str,
        tail: bytes,
        source: bytes,
        fields: dict[str, Any],
        when: bytes,
        size: int,
    ) -> bytes:
        """Less of a record: `tail` is its source with what is bound, `size` the bytes that it would take."""
        room = Room()
        kept = [item for item in fields.items() if item[0] not in _OF_CUTTING][:_MAX_CUT_FIELDS]
        cut = {key: _cut(plain(value, room)) for key, value in kept}
        rest = self._opened_json(cut)
        left_out = len(fields.keys() - _OF_CUTTING) - len(cut)
        if len(rest) > MAX_LINE_BYTES // 2:
            rest = b""
            left_out += len(cut)
        # The logger's name stays where only what is bound is too long.
        if len(tail) > MAX_LINE_BYTES // 4:
            tail = source if len(source) <= MAX_LINE_BYTES // 4 else b""
        text = self.text_json(_cut(msg))
        end = b',"is_cut":true,"uncut_bytes":%d,"cut_fields":%d}\n' % (size, left_out)
        return b"".join((_OPENING, when, head, text, tail, rest, end))

    def _remember_text(self, text: str) -> None:
        if len(text) <= _REMEMBERED_LENGTH:
            if len(self._harmless_texts) >= _REMEMBERED:
                self._harmless_texts = set()
            self._harmless_texts.add(text)

    def _count(self, counts: dict[str, int]) -> None:
        for rule_id, count in counts.items():
            self._counts[rule_id] = self._counts.get(rule_id, 0) + count


def _named(fields: dict[Any, Any]) -> dict[str, Any]:
    """Fields under names that no other field of the line has."""
    found: dict[str, Any] = {}
    for key, value in fields.items():
        name = key if type(key) is str else str(plain(key))
        while name in HEAD_FIELDS or name in found or (name != key and name in fields):
            name += "_"
        found[name] = value
    return found


def _without(source: bytes, fields: dict[str, Any]) -> bytes:
    """Rendered fields without those that the call brings itself: no key may stand twice in a line."""
    if not source:
        return source
    kept = {
        name: value
        for name, value in msgspec.json.decode(b"{" + source[1:] + b"}").items()
        if name not in fields
    }
    return b"," + msgspec.json.encode(kept)[1:-1] if kept else b""


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}… ({len(value)} characters)"
    if isinstance(value, (dict, list)):
        return _cut(str(value)[: _MAX_TEXT + 1])
    return value


def _utf8_safe_tree(value: Any) -> Any:
    if isinstance(value, str):
        return utf8_safe(value)
    if isinstance(value, dict):
        return {utf8_safe(key): _utf8_safe_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_utf8_safe_tree(item) for item in value]
    return value
