"""Finds what looks like a secret: places found by a short pattern, each then tried by the rules for it."""

from __future__ import annotations

import re
import re._parser as sre_parser  # type: ignore[import-not-found]  # the parser has no public name
from collections import deque
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, NamedTuple, Protocol

from telecine.logging.redaction.rules import Check, Trigger, ValueRule
from telecine.logging.redaction.text.checks import IS_MASK, begins_alone, is_card_number, passes
from telecine.logging.redaction.text.secret_keys import factored

_WINDOW = 64 << 10
"""As much is searched by one call into `re`, which holds the interpreter while it runs."""
_OVERLAP = 512
"""More than the longest beginning that rules are recognised by."""
_NAME_BEFORE = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]{0,40})[:=]?(?:\\{0,8}[\"'])?[ ]{0,2}[:=, ][ ]{0,2}\\{0,8}[\"']?$", re.ASCII
)
_CARD_BEFORE = re.compile(
    r"(?i:card|paid|payment|visa|amex|maestro|mastercard|pan|karte|carte|tarjeta|no\.?|number)[ ]?[:#]$"
)
_CARD_WORDS = (
    *("card", "paid", "payment", "visa", "amex", "maestro", "pan", "cc", "num", "number", r"no\.", "no"),
    *("karte", "carte", "tarjeta"),
)
"""Ends of words and of keys behind which digits may be a card's, though a colon stands between."""
_ESCAPED = "nrtbf"
_TO_CLOSING = "(?P<secret>(?s:.*?))"
"""In a pattern: the secret goes on to what stands behind this, which is searched once for many beginnings."""
_MAX_BEGINNINGS = 48
_LONGEST_BEGINNING = 24
_SHORTEST_BEGINNING = 3

TRIGGERS = tuple(
    # One for each word and sign: joined, they cost Hyperscan as much as all the others.
    Trigger(rf"(?i:{word}{sign}):\s?[2-6]\d{{12}}", (word.replace("\\", "") + hint,))
    for word in _CARD_WORDS
    for sign, hint in (
        ("", ":"),
        (" ", " :"),
        ("'", "':"),
        ('"', '":'),
        (r"\\{1,8}\"", "\\"),
        ('_"', '_":'),
        (r"_\\{1,8}\"", "_\\"),
    )
)
"""What stands in raw bytes wherever digits behind a colon could be a card's."""


class Secret(NamedTuple):
    """Where a secret stands in a text, and which rule says so."""

    start: int
    end: int
    rule_id: str


class CompiledRule(NamedTuple):
    """A value rule, ready to be tried at a place."""

    rule: ValueRule
    pattern: re.Pattern[str]
    group: str | int
    segment: re.Pattern[str] | None
    closing: re.Pattern[str] | None = None
    """What ends the secret however far it goes on; the pattern then ends where the secret begins."""


class Spot(NamedTuple):
    """A short pattern that finds the places where some rules are worth trying."""

    anchor: re.Pattern[str]
    rules: tuple[CompiledRule, ...]
    by_letters: dict[str, list[CompiledRule]] | None
    """The rules by the first two letters of the place; None: `rules` apply everywhere."""
    is_short: bool
    """Whether the anchor never matches more than `_OVERLAP` characters."""
    hints: tuple[str, ...] = ()
    """Lower-case literals, one of which stands in every match; empty: none is known."""

    def may_match(self, lowered: str) -> bool:
        """Whether a text, in lower case, holds what every match holds."""
        return not self.hints or any(hint in lowered for hint in self.hints)


class Search(Protocol):
    """Looks for one kind of secrets in one text, from left to right."""

    def advance(self, floor: int) -> Secret | None:
        """The first secret of the kind whose beginning is at `floor` or behind; what is before is masked."""

    def at(self, floor: int) -> Secret | None:
        """A secret that begins right at `floor`, and could not while what is before it was none."""


class SpotSearch:
    """What looks like a secret: places found by a short pattern, each then tried by the rules for it."""

    def __init__(
        self,
        text: str,
        spot: Spot,
        *,
        is_id: bool,
        names_identifier: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._text = text
        self._spot = spot
        self._anchor = spot.anchor
        self._is_id = is_id
        self._names_identifier = names_identifier
        self.waiting: deque[Secret] = deque()
        """Digits that were no number of their own, for what follows them."""
        self._hopeless_before: dict[str, int] = {}
        self._closings: dict[re.Pattern[str], tuple[int, re.Match[str] | None]] = {}
        """Of each closing: from where it was looked for, and the first one behind."""

    def advance(self, floor: int) -> Secret | None:
        """See `Search`."""
        position = floor
        while (start := self._next(position)) is not None:
            secret = self._try(start, floor)
            if secret is not None:
                return secret
            position = start + 1
        return None

    def at(self, floor: int) -> Secret | None:
        """A secret that begins right behind a mask."""
        return self._try(floor, floor) if self._anchor.match(self._text, floor) else None

    def end_at(self, start: int) -> int:
        """Where a secret that begins here ends; 0: none does."""
        secret = self._try(start, start, is_whole=True) if self._anchor.match(self._text, start) else None
        return secret.end if secret is not None else 0

    def ends_before(self, start: int, floor: int) -> Secret | None:
        """Digits that were no number of their own until what follows them was masked."""
        while self.waiting and self.waiting[0].end < start:
            waiting = self.waiting.popleft()
            between = self._text[waiting.end : start] if waiting.end + 1 >= start else "?"
            if waiting.start >= floor and between in (".", "-"):
                return waiting
        if self.waiting and self.waiting[0].end == start:
            waiting = self.waiting.popleft()
            return waiting if waiting.start >= floor else None
        return None

    def _next(self, position: int) -> int | None:
        text, size = self._text, len(self._text)
        if not self._spot.is_short:
            match = self._anchor.search(text, position)
            return match.start() if match is not None else None
        while position <= size:
            match = self._anchor.search(text, position, position + _WINDOW + _OVERLAP)
            if match is not None:
                return match.start()
            position += _WINDOW
        return None

    def _is_named_id(self, start: int, floor: int) -> bool:
        """Whether the text says of digits that they are an id: `job_id=…`, `"seed": …`, `frame …`."""
        named = _NAME_BEFORE.search(self._text[max(floor, start - _OVERLAP // 8) : start])
        return named is not None and self._names_identifier(named[1])

    def _is_named_card(self, start: int, floor: int) -> bool:
        """Whether the text says of digits that they are a card's, before the sign that ids have too."""
        return _CARD_BEFORE.search(self._text[max(floor, start - _OVERLAP // 8) : start]) is not None

    def _try(self, start: int, floor: int, *, is_whole: bool = False) -> Secret | None:
        text = self._text
        before = "" if start == 0 else "*" if start == floor else text[start - 1]
        is_word = before.isalnum() and before.isascii()
        if before in _ESCAPED and is_word and start - 2 >= floor and text[start - 2] == "\\":
            # A line end that is written as an escape, in text that is no JSON.
            is_word = False
        by_letters = self._spot.by_letters
        rules = self._spot.rules if by_letters is None else by_letters.get(text[start : start + 2], ())
        for compiled in rules:
            rule = compiled.rule
            if start < self._hopeless_before.get(rule.id, 0):
                continue
            if rule.needs_left_edge and (is_word or (before == "_" and rule.joins_underscore)):
                continue
            if rule.check is Check.LUHN and (self._is_id or self._is_named_id(start, floor)):
                continue
            found = self._match(compiled, start)
            if found is None:
                continue
            begin, end, match_end = found
            if begin >= end or IS_MASK.fullmatch(text, begin, end):
                continue
            edge = before if begin == start else text[begin - 1]
            if edge in (":", "#") and rule.check is Check.LUHN and self._is_named_card(start, floor):
                edge = " "
            if passes(rule.check, text, begin, end, edge):
                return Secret(begin, match_end if is_whole else end, rule.id)
            self._note_failure(rule, Secret(begin, end, rule.id), before)
        return None

    def _match(self, compiled: CompiledRule, start: int) -> tuple[int, int, int] | None:
        """Where the secret of a rule begins and ends, and where all that the rule matched ends."""
        match = compiled.pattern.match(self._text, start)
        if match is None:
            segment = compiled.segment
            if segment is not None and (same := segment.match(self._text, start)) is not None:
                self._hopeless_before[compiled.rule.id] = same.end()
            return None
        if compiled.closing is None:
            return *match.span(compiled.group), match.end()
        closed = self._closing_behind(compiled.closing, match.end())
        return (match.end(), *closed.span()) if closed is not None else None

    def _closing_behind(self, closing: re.Pattern[str], position: int) -> re.Match[str] | None:
        """The first closing behind a beginning; beginnings without a closing between them share one."""
        begin, match = self._closings.get(closing, (len(self._text) + 1, None))
        if position < begin or (match is not None and position > match.start()):
            match = closing.search(self._text, position)
            self._closings[closing] = position, match
        return match

    def _note_failure(self, rule: ValueRule, failed: Secret, before: str) -> None:
        """Remembers what of a place that is no secret need not be tried again, or must be."""
        text = self._text[failed.start : failed.end]
        if rule.check in (Check.TOKEN_LIKE, Check.HAS_DIGIT):
            # A part of it is no more of a token than the whole.
            self._hopeless_before[rule.id] = failed.end
        if rule.check is Check.LUHN and begins_alone(before, text) and is_card_number(text):
            self.waiting.append(failed)


def spots_of(rules: Iterable[ValueRule]) -> list[Spot]:
    """Where the rules apply; those that begin with known letters share one spot."""
    spots: list[Spot] = []
    by_beginning: dict[str, list[CompiledRule]] = {}
    for rule in map(_compiled, rules):
        beginnings = None if rule.rule.anchor else _beginnings(rule.rule.pattern)
        if beginnings is None:
            anchor = re.compile(rule.rule.anchor or rule.rule.pattern, re.ASCII)
            hints = tuple(max(hint.split(" "), key=len) for hint in rule.rule.hints)
            spots.append(Spot(anchor, (rule,), None, is_short=bool(rule.rule.anchor), hints=hints))
        else:
            for beginning in beginnings:
                by_beginning.setdefault(beginning, []).append(rule)
    if by_beginning:
        by_letters: dict[str, list[CompiledRule]] = {}
        for beginning, found in by_beginning.items():
            known = by_letters.setdefault(beginning[:2], [])
            known += [rule for rule in found if rule not in known]
        spots.append(Spot(re.compile(_joined(set(by_beginning))), (), by_letters, is_short=True))
    return spots


def _compiled(rule: ValueRule) -> CompiledRule:
    segment = re.compile(rule.segment, re.ASCII) if rule.segment else None
    opening, found, closing = rule.pattern.partition(_TO_CLOSING)
    if found and closing:
        return CompiledRule(rule, re.compile(opening, re.ASCII), 0, segment, re.compile(closing, re.ASCII))
    pattern = re.compile(f"(?:{rule.pattern})", re.ASCII)
    return CompiledRule(rule, pattern, "secret" if "secret" in pattern.groupindex else 0, segment)


def _joined(beginnings: set[str]) -> str:
    """An alternation, factored by first letters: an engine leaves those alone that cannot begin here."""
    shortest = [
        one for one in beginnings if not any(one != other and one.startswith(other) for other in beginnings)
    ]
    return factored(map(re.escape, shortest))


def _beginnings(pattern: str) -> set[str] | None:
    """The texts with which every match begins, where they are few and long enough."""
    try:
        found, _ = _expand(sre_parser.parse(pattern))
    except (_TooManyError, re.error):
        return None
    if not found or min(map(len, found)) < _SHORTEST_BEGINNING or len(found) > _MAX_BEGINNINGS:
        return None
    return found


class _TooManyError(Exception):
    """A pattern begins in more ways than can be listed."""


def _expand(parsed: Any) -> tuple[set[str], bool]:
    """All beginnings of the pattern, and whether they are the whole of it."""
    texts = {""}
    for operation, argument in parsed:
        name = str(operation)
        if name == "LITERAL":
            options, is_whole = {chr(argument)}, True
        elif name == "IN":
            options, is_whole = _letters(argument)
        elif name == "SUBPATTERN" and not argument[1] and not argument[2]:
            options, is_whole = _expand(argument[3])
        elif name == "BRANCH":
            parts = [_expand(part) for part in argument[1]]
            options, is_whole = set().union(*(own for own, _ in parts)), all(whole for _, whole in parts)
        elif name == "MAX_REPEAT" and argument[:2] == (0, 1):
            inner, is_whole = _expand(argument[2])
            options = inner | {""}
        else:
            return texts, False
        if not options:
            return texts, False
        combined = {left + right for left, right in product(texts, options)}
        if len(combined) > _MAX_BEGINNINGS:
            return texts, False
        texts = combined
        if not is_whole or max(map(len, texts)) >= _LONGEST_BEGINNING:
            return texts, False
    return texts, True


def _letters(members: Any) -> tuple[set[str], bool]:
    if any(str(kind) != "LITERAL" for kind, _ in members):
        return set(), False
    return {chr(code) for _, code in members}, True
