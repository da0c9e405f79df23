"""What may stand between a name and its value besides a sign, and how far a value reaches."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from enum import Enum
from typing import NamedTuple

_QUOTE = r"\\{0,64}[\"']"
_LINE = r"(?:\r?\n|(?:\\r)?\\n)"
_NAME_REACH = 96
_NAMES_BEFORE = re.compile(
    rf"(?i:name|key|field|variable|header|param|parameter|setting|option"
    rf"|property)(?:{_QUOTE})?[ ]{{0,4}}[:=][ ]{{0,4}}(?:{_QUOTE})?$"
)
_VARIABLE_BEFORE = re.compile(r"variable[ ]{1,4}\\{0,8}\"$")
_NEXT_VALUE = re.compile(
    rf"(?:{_QUOTE})?[ ]{{0,4}}[,;]?[ ]{{0,4}}(?:{_LINE}\s{{0,32}})?(?:{_QUOTE})?"
    rf"(?:[A-Za-z_]{{0,12}}?[_a-z])?(?i:value|val)(?:{_QUOTE})?\s{{0,4}}[:=][ ]{{0,4}}"
)
_LATER_VALUE = re.compile(
    rf"{_QUOTE}\s{{0,4}},\s{{0,4}}(?:{_QUOTE}[A-Za-z_]{{1,24}}{_QUOTE}\s{{0,4}}:\s{{0,4}}"
    rf"(?:{_QUOTE}[^\"'\\]{{0,64}}{_QUOTE}|[^\s\"',{{}}\[\]\\]{{1,32}})\s{{0,4}},\s{{0,4}}){{0,4}}"
    rf"{_QUOTE}(?i:[a-z]{{0,12}}value|val|new|old|text|to|input|plaintext|content){_QUOTE}\s{{0,4}}:\s{{0,4}}(?={_QUOTE})"
)
_LOOSE_BEFORE = re.compile(
    rf"(?i:name|key|field|variable|header|param|parameter|setting|option|property|id|label|path|type|column)"
    rf"{_QUOTE}\s{{0,4}}:\s{{0,4}}{_QUOTE}(?:[^\"'\\\s]{{0,64}}/)?$"
)
_FORM_PART = re.compile(
    rf"{_QUOTE}(?:;[^\r\n\\]{{0,64}})?(?:{_LINE}[A-Z][A-Za-z-]{{1,32}}: [^\r\n\\]{{0,64}})?{_LINE}{_LINE}"
)
_ATTRIBUTES = re.compile(
    rf"{_QUOTE}(?:\s{{1,4}}[a-z-]{{1,16}}={_QUOTE}[^\"'<>\\]{{0,64}}{_QUOTE}){{0,4}}\s{{1,4}}(?:value|content)="
)
_DEFAULT = re.compile(rf"{_QUOTE}\s{{0,4}}\{{[^{{}}]{{0,256}}?default\s{{0,4}}=\s{{0,4}}(?={_QUOTE})")
_SERIALIZED = re.compile(rf"{_QUOTE};s:[0-9]{{1,6}}:(?={_QUOTE})")
_PROTO = re.compile(
    rf"{_QUOTE}\s{{0,4}}value\s{{0,2}}:?\s{{0,2}}\{{\s{{0,8}}string_value:\s{{0,4}}(?={_QUOTE})"
)
_TUPLE = re.compile(rf",[ ]{{0,2}}(?:<<)?(?={_QUOTE})")
_CALL = re.compile(rf"{_QUOTE}[ ]{{0,2}},[ ]{{0,2}}(?={_QUOTE})")
_CALL_END = re.compile(rf"{_QUOTE}\s{{0,4}}\)")
_QUOTED_NEXT = re.compile(rf"{_QUOTE} (?={_QUOTE})")
_QUOTE_BEFORE = re.compile(r"[\"'] \\{0,64}[\"']$")
_VALIDATED = re.compile(rf"(?:\.[\w.]{{0,64}})?{_LINE}[ \t]{{1,4}}[^\n]{{0,256}}?input_value=(?={_QUOTE})")
_SET_FOR = re.compile(rf"[ ](?i:for)[ ][^\s=]{{1,64}}[ ]?=[ ]?(?={_QUOTE})")
_CELL = re.compile(
    r"[*`]{0,3}[ \t]{0,40}(?:[|│┃][ \t]{0,40}|[ ]?\.{3,40}[ ]|\t[ \t]{0,8}|[ ]{4,60}|[ ]-[ ])(?=[^\s|│┃])"
)
_CELL_END = re.compile(r"`?[ \t]{0,40}(?:[|│┃\r\n]|\\[rn]|$)")
_MARK = re.compile(
    r"(?:(?:&[A-Za-z_][\w-]{0,31}|!{1,2}[A-Za-z][\w/-]{0,31})[ \t]{1,4}(?=[^\s|>]))"
    rf"|\[\]string\{{(?={_QUOTE})|\s{{0,12}}string\([0-9]{{1,6}}\)\s(?={_QUOTE})|N(?={_QUOTE})|[A-Z][a-z]{{1,12}}\(\[(?={_QUOTE})"
)
"""YAML's anchors and tags, and the types that dumps of values show."""
NEXT_LINE = re.compile(
    rf"[ \t]{{0,4}}{_LINE}(?P<indent>[ \t]{{0,16}})(?P<item>-[ \t]{{1,4}})?"
    rf"(?P<quote>{_QUOTE})?(?P<value>[^\s\"'\\#:]{{4,256}})(?(quote){_QUOTE})[ \t]{{0,4}}(?:{_LINE}|$)"
)
YAML_WORD = re.compile(r"(?:[&*]|!{1,2})[A-Za-z_/-]+$")
PROGRAM_SAYS = re.compile(r"[A-Za-z]{2,16}[ ][A-Za-z0-9]")
"""Behind a program's name and a colon comes what it says: `passwd: password updated`."""
PROGRAMS = frozenset({"passwd", "chpasswd", "gpasswd", "htpasswd", "ldappasswd", "smbpasswd"})
EMPTY_COOKIE = re.compile(r"[^=;,\s]{1,128}=[ ]?(?:;|$)")
CREDENTIALS = re.compile(r"[A-Za-z0-9._@+-]{1,64}[ ]?/[ ]?(?P<value>[^\s\"'\\,;)/]{3,128})")
CHANGED = re.compile(rf"{_QUOTE}[ ]{{0,4}}->[ ]{{0,4}}{_QUOTE}[^\"'\\]{{0,256}}")
AFTER_FOREIGN = re.compile(r"\s?(?:是|为|為|は|:|：|=)\s?(?P<value>[!-~]{6,128})")
"""Behind a name in letters that need no blank: `密码是…`."""


class Kind(Enum):
    """How sure the form is of the value."""

    SURE = 1
    LOOSE = 2
    """The value must look like a secret by itself."""
    CELL = 3
    """As `LOOSE`, and it fills its cell."""
    CALL = 4
    """As `LOOSE`, and it is the last argument."""


class Place(NamedTuple):
    """Where a value begins, and how sure it is one."""

    start: int
    kind: Kind


def place_of(text: str, start: int, end: int) -> Place | None:
    """Where the value of the name at `start` to `end` begins, whose sign is none."""
    char = text[end : end + 1]
    if not char:
        return None
    for form, kind, before in _FORMS:
        match = form.match(text, end)
        if match is not None and _stands_behind(text, start, before):
            return Place(match.end(), kind)
    return None


def _stands_behind(text: str, start: int, before: re.Pattern[str] | str) -> bool:
    if isinstance(before, str):
        return not before or text[max(0, start - 1) : start] in before
    return before.search(text[max(0, start - _NAME_REACH) : start]) is not None


_ARGUMENT_BEFORE = re.compile(rf",[ ]{{0,2}}{_QUOTE}$")
_FORMS: tuple[tuple[re.Pattern[str], Kind, re.Pattern[str] | str], ...] = (
    (_NEXT_VALUE, Kind.SURE, _NAMES_BEFORE),
    (_LATER_VALUE, Kind.LOOSE, _LOOSE_BEFORE),
    (_FORM_PART, Kind.SURE, _NAMES_BEFORE),
    (_ATTRIBUTES, Kind.SURE, _NAMES_BEFORE),
    (_DEFAULT, Kind.SURE, _VARIABLE_BEFORE),
    (_SERIALIZED, Kind.SURE, ""),
    (_PROTO, Kind.SURE, ""),
    (_SET_FOR, Kind.SURE, ""),
    (_VALIDATED, Kind.LOOSE, ""),
    (_TUPLE, Kind.LOOSE, "{("),
    (_CALL, Kind.CALL, _ARGUMENT_BEFORE),
    (_QUOTED_NEXT, Kind.LOOSE, _QUOTE_BEFORE),
    (_CELL, Kind.CELL, ""),
)


_LONG = 512
"""A value that is longer is judged once, together with the values that begin later and end where it ends."""


class Reach:
    """How far the values of one text go, and what they are worth.

    Names may stand in the value of a name, as in `token=[token=[…`. Were each value measured and judged from
    its own beginning, the time would grow with the square of the text's length.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._measured: dict[re.Pattern[str], tuple[int, int]] = {}
        self._verdicts: dict[tuple[Hashable, int], bool] = {}

    def end(self, form: re.Pattern[str], start: int) -> int | None:
        """Where a match of `form` at `start` ends, or None.

        The form must match to the same end from each place in a match at which it matches at all.
        """
        begin, end = self._measured.get(form, (0, 0))
        if begin <= start < end:
            return end
        match = form.match(self._text, start)
        if match is None:
            return None
        self._measured[form] = match.span()
        return match.end()

    def judge(self, question: Hashable, start: int, end: int, verdict: Callable[[str], bool]) -> bool:
        """What `verdict` says of the text from `start` to `end`, of a long one by its longest form."""
        if end - start <= _LONG:
            return verdict(self._text[start:end])
        known = self._verdicts.get((question, end))
        if known is None:
            known = self._verdicts[question, end] = verdict(self._text[start:end])
        return known


_PAIR_END = re.compile(rf"{_QUOTE}\s{{0,4}}[\])]")


def closes_pair(text: str, end: int) -> bool:
    """Whether the value that ends here is the second and last of its list."""
    return _PAIR_END.match(text, end) is not None


def is_other_sign(text: str, name: str, sign: str, start: int) -> bool:
    """Whether a colon is a piece of a longer sign (`::`), or a program says something (`passwd: …`)."""
    if sign.endswith(":") and text.startswith(":", start):
        return True
    return name in PROGRAMS and sign == ": " and PROGRAM_SAYS.match(text, start) is not None


def skipped_mark(text: str, start: int) -> int:
    """Where the value begins behind an anchor, a tag or a type."""
    match = _MARK.match(text, start)
    return match.end() if match is not None else start


def ends_as(kind: Kind, text: str, end: int) -> bool:
    """Whether what follows a value is what the form asks for."""
    if kind is Kind.CELL:
        return _CELL_END.match(text, end) is not None
    return kind is not Kind.CALL or _CALL_END.match(text, end) is not None
