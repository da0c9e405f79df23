"""Folds letters that look like others onto them, and drops what cannot be seen: for keys in disguise.

`рassword` with a Cyrillic letter, `ｔｏｋｅｎ` in full width, `pass\\u200bword` and `contraseña` are read
as they look.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from telecine.logging.redaction.rules import Trigger

_CONFUSABLE = str.maketrans(
    "абвеԁһіјкӏмнорԛѕтԝхугьАВЕНІЈКМОРЅТХУҮԌαβεηικνορτυχγΑΒΕΖΗΙΚΜΝΟΡΤΥΧłøđħıŀɑɡɩօ",
    "abbedhijklmhopqstwxyrbabehijkmopstxyygabenikvoptuxyabezhikmnoptyxlodhilagio",
)
"""Letters of other alphabets that are drawn like Latin ones."""


class Folded(NamedTuple):
    """A text as it looks, and where its characters came from."""

    text: str
    offsets: list[int] | None
    """Offset in the original of each character, and of the end; None: they are the same."""


class _Table(dict[int, int | None]):
    """What each code point looks like, found when it is first asked for."""

    def __missing__(self, code: int) -> int | None:
        self[code] = folded = _folded_code(code)
        return folded


def _folded_code(code: int) -> int | None:
    char = chr(code)
    if code < 0x80:
        return code
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return None
    plain = unicodedata.normalize("NFKD", char)
    if len(plain) > 1:
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    if len(plain) != 1:
        return code
    plain = plain.lower() if not plain.isascii() and len(plain.lower()) == 1 else plain
    return ord(plain.translate(_CONFUSABLE))


_TABLE = _Table()


def fold(text: str) -> Folded:
    """The text as it looks."""
    if text.isascii():
        return Folded(text, None)
    folded = text.translate(_TABLE)
    if len(folded) == len(text):
        return Folded(folded, None)
    offsets = [i for i, char in enumerate(text) if _TABLE[ord(char)] is not None]
    offsets.append(len(text))
    return Folded(folded, offsets)


def fold_key(key: str) -> str:
    """A key as it looks."""
    return key if key.isascii() else key.translate(_TABLE)


def foreign_triggers(word: str) -> tuple[Trigger, Trigger]:
    """Find a word in bytes, in lower, upper and title case, as UTF-8 and as JSON escapes it."""
    forms = tuple(dict.fromkeys((word.lower(), word.upper(), word.title())))
    as_bytes = ("".join(f"\\x{byte:02x}" for byte in form.encode()) for form in forms)
    units = (form.encode("utf-16-be").hex() for form in forms)
    escaped = ("".join(r"\\u" + _any_case(unit[i : i + 4]) for i in range(0, len(unit), 4)) for unit in units)
    # What the engine without a better way looks for first: in bytes read as Latin-1, in lower case.
    hints = tuple(form.encode().decode("latin-1").lower() for form in forms)
    return Trigger("|".join(as_bytes), hints, is_foreign=True), Trigger("|".join(escaped), ("\\u",))


def _any_case(digits: str) -> str:
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in digits)


_LETTER = "[A-Za-z0-9_]"
_UNSEEN = (
    r"(?:\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xc2\xad|\xcc[\x80-\xbf]|\xcd[\x80-\xaf]"
    r"|\xf3\xa0\x81[\x80-\xbf])"
)
_UNSEEN_HINTS = tuple(
    raw.decode("latin-1").lower()
    for raw in (b"\xe2\x80", b"\xe2\x81", b"\xef\xbb\xbf", b"\xc2\xad", b"\xcc", b"\xcd", b"\xf3\xa0")
)
_SIMILAR = (
    r"(?:\xd0[\x85\x86\x88\x90\x92\x95\x9a\x9c-\x9e\xa0-\xa3\xa5\xb0\xb2\xb5\xba\xbc-\xbe]"
    r"|\xd1[\x80-\x83\x85\x95\x96\x98\xbb]|\xd2[\xae\xbb]|\xd3\x8f|\xd4[\x81\x8c\x9b\x9d]"
    r"|\xce[\x91\x92\x95-\x97\x99\x9a\x9c\x9d\x9f\xa1\xa4\xa5\xa7\xb1\xb2\xb5\xb7\xb9\xba\xbd\xbf]"
    r"|\xcf[\x81\x84\x85\x87]|\xc4[\x91\xb1\xa7]|\xc5\x82|\xc3\xb8|\xc9[\x91\xa1\xa9]|\xd6\x85)"
)
_SIMILAR_HINTS = tuple(
    raw.decode("latin-1").lower()
    for raw in (
        b"\xd0",
        b"\xd1",
        b"\xd2",
        b"\xd3",
        b"\xd4",
        b"\xce",
        b"\xcf",
        b"\xc4",
        b"\xc5",
        b"\xc3",
        b"\xc9",
        b"\xd6",
    )
)
_BLANK = r"(?:\xc2\xa0|\xe2\x80[\x80-\x8a\xaf]|\xe3\x80\x80)"
TRIGGERS = (
    # Digits in groups, behind blanks of other widths.
    Trigger(
        r"[0-9]" + _BLANK + r"[0-9]{4}",
        tuple(raw.decode("latin-1").lower() for raw in (b"\xc2\xa0", b"\xe2\x80", b"\xe3\x80\x80")),
        is_foreign=True,
    ),
    Trigger(_LETTER + _UNSEEN, _UNSEEN_HINTS, is_foreign=True),
    Trigger(_UNSEEN + "[A-Za-z]", _UNSEEN_HINTS, is_foreign=True),
    Trigger(
        r"\xef\xbc[\xa1-\xba]|\xef\xbd[\x81-\x9a]|\xf0\x9d[\x90-\x9f]",
        tuple(raw.decode("latin-1").lower() for raw in (b"\xef\xbc", b"\xef\xbd", b"\xf0\x9d")),
        is_foreign=True,
    ),
    Trigger(_LETTER + _SIMILAR, _SIMILAR_HINTS, is_foreign=True),
    Trigger(_SIMILAR + "[A-Za-z]", _SIMILAR_HINTS, is_foreign=True),
    Trigger(r"\\u(?:00[2-9a-fA-F]|0[1-5]|1[dD]|20[0-6]|[fF][eEfF]|[dD]83)", ("\\u",)),
)
"""Bytes and JSON escapes behind which a key in disguise may stand: such a line is opened."""
