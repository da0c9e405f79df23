"""Text of others as a terminal may get it: whatever would act on the terminal is spelled out."""

from __future__ import annotations

import re

_ACTING = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: cursor, colours, titles, clipboard
    "\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, unseen
    "\u2028\u2029"  # line ends
    "\ud800-\udfff\U000e0000-\U000e0fff"  # halves, and tags that hide text
)
_LINE = re.compile(f"[{_ACTING}]")
_LINES = re.compile(f"(?![\n\t])[{_ACTING}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """One line: every character that acts on a terminal, line ends included, becomes an escape to read."""
    return _LINE.sub(_escaped, text)


def visible_lines(text: str) -> str:
    """Makes a text of several lines visible: like `visible`, but line feeds and tabs stay."""
    return _LINES.sub(_escaped, text)


def visible_json(line: bytes) -> bytes:
    """JSON with such characters as its own escapes: it means the same. Line feeds between documents stay."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _LINES.sub(_json_escaped, line.decode("utf-8", "replace")).encode("utf-8", "replace")


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
