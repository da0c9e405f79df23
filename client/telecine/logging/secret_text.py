"""Finds secrets in running text: messages, exception texts, stack traces, JSON inside strings."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from telecine.logging.rules import Check, KeyRule, RulePack, ValueRule
from telecine.logging.secret_keys import SecretKeys

MASK = "***redacted***"
IS_MASK = re.compile(r"\*\*\*redacted(?::[0-9a-f]{1,64})?\*\*\*", re.ASCII)

_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_KEY_REACH = 64
_KEY_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_ASSIGNMENT = re.compile(r"(?:\\{0,8}[\"'])?\]?\s{0,4}(?:=>|:=|[:=])\s{0,4}", re.ASCII)
_OPTION_BLANK = re.compile(r"[ \t]{1,4}(?!-)", re.ASCII)
_PAIR_COMMA = re.compile(r"[\"']\s{0,4},\s{0,4}(?=[bru]{0,2}[\"'])", re.ASCII)
_QUOTED = re.compile(r"[bru]{0,2}(\\{0,8})([\"'])", re.ASCII)
_BRACKETED = re.compile(r"[\[{(][^\]})]*[\]})]?")
_BARE = re.compile(r"[^\s\"'\\,;&<>)}\]]+")
_AUTHORIZATION = re.compile(
    r"(?i:digest|aws4-hmac-sha256)\s[^\r\n]*|(?:[A-Za-z][A-Za-z0-9-]{1,30}[ \t]{1,4})?[^\s\"'\\,;&<>)}\]]+"
)
_COOKIES = re.compile(r"[^\r\n\"'\\]+")
_HARMLESS = re.compile(
    r"(?i:none|null|nil|true|false|undefined|\*+|\.\.\.|\[?<?redacted>?\]?)|\$?\{[^{}]*\}|%\(?\w*\)?s"
)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_PATH = re.compile(r"(?:~?/|[A-Za-z]:\\|\.{1,2}/)")


class Secret(NamedTuple):
    """Where a secret stands in a text, and which rule says so."""

    start: int
    end: int
    rule_id: str


class SecretText:
    """Finds and replaces; holds no state between calls, safe to use from any thread."""

    def __init__(self, pack: RulePack, keys: SecretKeys) -> None:
        self._keys = keys
        self._rules = tuple((rule, _value_pattern(rule)) for rule in pack.values if rule.is_on)
        phrases = "|".join(rule.phrase_pattern() for rule in pack.keys) or "(?!)"
        self._phrases = re.compile(f"(?i:{phrases})", re.ASCII)

    def replace(
        self, text: str, mask: Callable[[str], str], counts: dict[str, int], *, is_id: bool = False
    ) -> str:
        """The text with every secret replaced by `mask(secret)`; the same object when there is none.

        `is_id` says that the text stands under an identifier's key, where digits are no card number.
        """
        plain = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text) if "\\u00" in text else text
        before, redacted = "", plain
        # A replacement can free the left edge of what stands behind it.
        while redacted != before:
            before = redacted
            redacted = self._replaced(redacted, mask, counts, is_id=is_id)
        return text if redacted is plain else redacted

    def _replaced(self, text: str, mask: Callable[[str], str], counts: dict[str, int], *, is_id: bool) -> str:
        text = self._replace_once(text, self._assigned(text), mask, counts)
        for rule, pattern in self._rules:
            if is_id and rule.check is Check.LUHN:
                continue
            text = self._replace_once(text, _found(rule, pattern, text), mask, counts)
        return text

    @staticmethod
    def _replace_once(
        text: str, secrets: Iterator[Secret], mask: Callable[[str], str], counts: dict[str, int]
    ) -> str:
        pieces: list[str] = []
        done = 0
        for start, end, rule_id in secrets:
            if start < done or IS_MASK.fullmatch(text, start, end):
                continue
            pieces += (text[done:start], mask(text[start:end]))
            done = end
            counts[rule_id] = counts.get(rule_id, 0) + 1
        if not done:
            return text
        pieces.append(text[done:])
        return "".join(pieces)

    def _assigned(self, text: str) -> Iterator[Secret]:
        """Secrets behind a telling name: `password=…`, `"api_key": "…"`, `--token …`."""
        reached = 0
        for match in self._phrases.finditer(text):
            if match.start() < reached:
                continue
            start, end = _widened(text, match.start(), match.end())
            rule = self._keys.rule_for(text[start:end].lstrip("-."))
            if rule is None:
                continue
            assignment = _ASSIGNMENT.match(text, end)
            if assignment is None and text.startswith("--", start):
                assignment = _OPTION_BLANK.match(text, end)
            if assignment is None and text[max(0, start - 2) : start].startswith("("):
                assignment = _PAIR_COMMA.match(text, end)
            if assignment is None:
                continue
            span = _assigned_span(rule, text, assignment.end(), assignment[0])
            if span is not None:
                reached = span[1]
                yield Secret(*span, rule.id)


def _value_pattern(rule: ValueRule) -> re.Pattern[str]:
    edge = r"(?<![A-Za-z0-9_])" if rule.needs_left_edge else ""
    return re.compile(f"{edge}(?:{rule.pattern})", re.ASCII)


def _found(rule: ValueRule, pattern: re.Pattern[str], text: str) -> Iterator[Secret]:
    group = "secret" if "secret" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        start, end = match.span(group)
        if start < end and _passes(rule.check, text, start, end):
            yield Secret(start, end, rule.id)


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole key around a phrase, at most `_KEY_REACH` characters to each side."""
    first, last = max(0, start - _KEY_REACH), min(len(text), end + _KEY_REACH)
    while start > first and text[start - 1] in _KEY_CHARACTERS:
        start -= 1
    while end < last and text[end] in _KEY_CHARACTERS:
        end += 1
    return start, end


def _assigned_span(rule: KeyRule, text: str, start: int, assignment: str) -> tuple[int, int] | None:
    """Where the assigned value stands, or None where it is harmless."""
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        start = quoted.end()
        end = text.find(quoted[1] + quoted[2], start)
        end = len(text) if end < 0 else end
    else:
        form = _AUTHORIZATION if rule.id == "authorization" else _COOKIES if rule.id == "cookie" else _BARE
        match = _BRACKETED.match(text, start) if text[start : start + 1] in ("[", "{", "(") else None
        match = match or form.match(text, start)
        if match is None:
            return None
        end = match.end()
        if rule.id == "cookie" and "=" not in match[0]:
            return None
        is_prose = assignment.endswith((" ", "\t")) and ":" in assignment and rule.keeps_numbers
        if is_prose and not _is_token_like(match[0]):
            return None
    value = text[start:end]
    if not value or _HARMLESS.fullmatch(value) or IS_MASK.fullmatch(value):
        return None
    if (rule.keeps_numbers and _NUMBER.fullmatch(value)) or (rule.keeps_paths and _PATH.match(value)):
        return None
    return start, end


def _passes(check: Check, text: str, start: int, end: int) -> bool:
    if check is Check.NONE:
        return True
    value = text[start:end]
    if check is Check.TOKEN_LIKE:
        return _is_token_like(value)
    if check is Check.BASIC_CREDENTIALS:
        return _is_basic_credentials(value)
    return _stands_alone(text, start, end) and is_card_number(value)


def _is_token_like(value: str) -> bool:
    letters = sum(c.isalpha() for c in value)
    digits = sum(c.isdigit() for c in value)
    is_mixed_case = value != value.lower() and value[1:] != value[1:].lower()
    return (
        len(value) >= 8
        and letters > 0
        and (digits > 0 or (is_mixed_case and len(value) >= 16) or len(value) >= 24)
    )


def _is_basic_credentials(value: str) -> bool:
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (ValueError, binascii.Error):
        return False
    return b":" in decoded and all(32 <= byte < 127 for byte in decoded)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether digits are a number of their own: no piece of a float, an id, a path or a longer number."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before and (before.isalnum() or before in "._-/\\+#@"):
        return False
    if before == ":" and text[start:end].isdigit():
        return False
    if after and (after.isalnum() or after in "_/\\@"):
        return False
    return not (after in (".", "-") and after and text[end + 1 : end + 2].isalnum())


def is_card_number(value: str) -> bool:
    """Whether the digits carry the check digit of a payment card (Luhn), and are not all alike."""
    digits = [int(c) for c in value if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0
