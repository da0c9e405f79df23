"""Looks behind escapes of programs and mails: `\\x3d`, `&quot;`, `=3D`, line ends, and the NULs of UTF-16."""

from __future__ import annotations

import re

from telecine.logging.redaction.rules import Trigger
from telecine.logging.redaction.text.encodings import View

# Signs and letters that no encoder needs to escape: what has them hides a name, or the sign behind it.
_TELLING = r"(?:3[aAdD]|2[27]|[46][1-9a-fA-F]|[57][0-9aA])"
_ENTITY = r"&(?:quot|apos|equals|colon|#0{0,4}(?:34|39|58|61|[xX]0{0,4}(?:2[27]|3[aAdD])));"
_WIDE = r"[A-Za-z]\x00[A-Za-z]\x00"
_SHOWN_WIDE = r"[A-Za-z]\\x00[A-Za-z]\\x00"
_SIGN = re.compile(rf"\\x{_TELLING}|{_ENTITY}|=3[dD]|{_WIDE}|{_SHOWN_WIDE}")
_LINE_FEED = r"(?:\\{1,16}(?:n|u000[aA]|x0[aA]|012)|#012|&#(?:10|[xX]0?[aA]);)"
_RETURN = r"(?:\\{1,16}(?:r|u000[dD]|x0[dD]|015)|#015|&#(?:13|[xX]0?[dD]);)"
# A tab counts at the beginning of a line alone: elsewhere `\\t` begins the name of a folder as well.
_LINE_END = rf"{_RETURN}?{_LINE_FEED}(?P<tabs>(?:\\{{1,16}}t){{0,16}})"
_HAS_LINE_END = re.compile(_LINE_FEED)
_LINE_ENDS = re.compile(rf"(?P<line>{_LINE_END})")
_ESCAPE = re.compile(
    rf"(?P<line>{_LINE_END})"
    r"|\\x(?P<byte>[2-7][0-9a-fA-F])"
    r"|&(?:(?P<name>quot|apos|equals|colon|amp|lt|gt)|#(?P<number>[0-9]{1,5})|#[xX](?P<hex>[0-9a-fA-F]{1,4}));"
    r"|=(?P<quoted>[2-7][0-9A-F])|(?P<soft>=\r?\n)"
    r"|(?P<wide>(?:[\t-~]\x00){4,}[\t-~]?|(?:\x00[\t-~]){4,}|(?:[ -\[\]-~]\\x00){4,}[ -\[\]-~]?)"
)
_HINTS = ("\\x", "&", "=3", "\0")
"""One of them stands in every sign; they are found sooner."""
_LINE_HINTS = ("\\", "#012", "&#")
_NAMED = {"quot": '"', "apos": "'", "equals": "=", "colon": ":", "amp": "&", "lt": "<", "gt": ">"}

TRIGGERS = (
    Trigger(rf"\\x{_TELLING}", ("\\x",)),
    Trigger(_ENTITY, ("&",)),
    Trigger(r"=3[dD]", ("=3d",)),
    Trigger(_WIDE, ("\0",)),
    Trigger(r"[A-Za-z]\\{1,8}(?:u00|x)00[A-Za-z]\\{1,8}(?:u00|x)00", ("\\u0000", "\\x00")),
)
"""Escapes that can hide a key or its sign from the scan: such a line is opened."""


def line_view(text: str) -> View | None:
    """The text with its escaped line ends as line ends; None: it has none.

    In a log line a dump of values, a header or a page of XML has them as `\\n`, and what stands on the line
    behind a name is its value there as well.
    """
    if any(hint in text for hint in _LINE_HINTS) and _HAS_LINE_END.search(text) is not None:
        return _view(text, _LINE_ENDS)
    return None


def escape_view(text: str) -> View | None:
    """The text without its escapes; None: it has none that matter."""
    if any(hint in text for hint in _HINTS) and _SIGN.search(text) is not None:
        return _view(text, _ESCAPE)
    return None


def _view(text: str, escape: re.Pattern[str]) -> View:
    has_quoted = "=3D" in text or "=3d" in text
    pieces: list[str] = []
    offsets: list[int] = []
    done = 0
    for match in escape.finditer(text):
        start, end = match.span()
        is_line = match["line"] is not None
        if not is_line and match["quoted"] is not None and not has_quoted:
            continue
        pieces.append(text[done:start])
        offsets.extend(range(done, start))
        done = end
        if is_line:
            pieces.append("\n" + "\t" * match["tabs"].count("t"))
            offsets.extend([start] * len(pieces[-1]))
        elif match["wide"] is not None:
            for at in _kept(match["wide"]):
                pieces.append(text[start + at])
                offsets.append(start + at)
        elif match["soft"] is None:
            pieces.append(_char(match))
            offsets.append(start)
    pieces.append(text[done:])
    offsets.extend(range(done, len(text) + 1))
    return View("".join(pieces), offsets)


def _kept(wide: str) -> range:
    """Where the letters stand in a stretch of UTF-16."""
    if "\\x00" in wide:
        return range(0, len(wide), 5)
    return range(1 if wide[0] == "\0" else 0, len(wide), 2)


def _char(match: re.Match[str]) -> str:
    if match["name"] is not None:
        return _NAMED[match["name"]]
    if match["number"] is not None:
        code = int(match["number"])
    else:
        code = int(match["byte"] or match["quoted"] or match["hex"], 16)
    # Half of a surrogate pair is no letter, and no more is NUL.
    return chr(code) if 32 <= code < 0xD800 else " "
