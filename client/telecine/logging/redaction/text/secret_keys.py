"""Decides by its name alone whether what stands under a key is a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable

from telecine.logging.redaction.rules import SEPARATORS, Check, KeyRule, Position, RulePack, Trigger
from telecine.logging.redaction.text.lookalikes import fold_key, foreign_triggers

_REMEMBERED_KEYS = 4096
_REMEMBERED_KEY_LENGTH = 96
_WHOLE_KEY = re.compile(r"-{0,2}[^\W\d][\w.\-]{0,63}:?|\w+(?: \w+){1,2}:?")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.ASCII)


class SecretKeys:
    """Verdicts on keys, remembered; safe to use from any thread."""

    def __init__(self, pack: RulePack) -> None:
        self._rules = tuple((rule, _key_pattern(rule)) for rule in pack.keys)
        self._spared_endings = frozenset(pack.spared_key_endings)
        spared = (SEPARATORS.join(map(re.escape, phrase.split())) for phrase in pack.spared_keys)
        self._spared = re.compile(f"(?i:{'|'.join(spared) or '(?!)'})$", re.ASCII)
        self._identifier_endings = frozenset(pack.identifier_key_endings)
        self._verdicts: dict[str, KeyRule | None] = {}

    def rule_for(self, key: str) -> KeyRule | None:
        """The rule that makes the key secret, or None."""
        try:
            return self._verdicts[key]
        except KeyError:
            pass
        rule = self._judge(key)
        if len(key) <= _REMEMBERED_KEY_LENGTH:
            if len(self._verdicts) >= _REMEMBERED_KEYS:
                self._verdicts.clear()
            self._verdicts[key] = rule
        return rule

    def names_identifier(self, key: str) -> bool:
        """Whether digits under the key are an id, a hash or a position rather than a card number."""
        words = _WORDS.findall(key)
        return bool(words) and words[-1].lower() in self._identifier_endings

    def is_whole(self, text: str) -> bool:
        """Whether a text is a key and nothing else: no sentence, no assignment, no path."""
        return _WHOLE_KEY.fullmatch(fold_key(text)) is not None

    def _judge(self, key: str) -> KeyRule | None:
        key = fold_key(key)
        for rule, pattern in self._rules:
            match = pattern.search(key)
            if match is None:
                continue
            rest = _WORDS.findall(key[match.end() :])
            if rest and rest[-1].lower() in self._spared_endings:
                continue
            if self._spared.search(key):
                continue
            return rule
        return None


def phrase_pattern(rule: KeyRule) -> str:
    """An alternation of the rule's phrases as they look, separators folded."""
    return "|".join(_phrase_pattern(phrase) for phrase in rule.phrases)


def phrase_search(rules: Iterable[KeyRule]) -> re.Pattern[str]:
    """Finds all phrases of the rules in lower-case text."""
    phrases = {_phrase_pattern(phrase) for rule in rules for phrase in rule.phrases}
    return re.compile(factored(phrases) or "(?!)", re.ASCII)


def factored(patterns: Iterable[str], depth: int = 4) -> str:
    """An alternation of patterns that begin with letters, its first letters drawn together.

    An engine that tries one branch after the other leaves those alone that cannot begin where it is.
    """
    patterns = sorted(set(patterns))
    if depth == 0 or len(patterns) < 2:
        # Where one begins with another, the longer comes first.
        return "|".join(sorted(patterns, key=len, reverse=True))
    by_first: dict[str, list[str]] = {}
    whole: list[str] = []
    for pattern in patterns:
        # A sign that is escaped is one letter too.
        size = 2 if pattern[:1] == "\\" and not pattern[1:2].isalnum() else 1
        is_letter = size == 2 or pattern[:1].isalnum()
        if is_letter and len(pattern) >= size and pattern[size : size + 1] not in ("?", "*", "+", "{"):
            by_first.setdefault(pattern[:size], []).append(pattern[size:])
        else:
            whole.append(pattern)
    parts = [f"{first}(?:{factored(rests, depth - 1)})" for first, rests in by_first.items()]
    # The empty rest matches all: it comes last.
    return "|".join((*parts, *sorted(whole, key=len, reverse=True)))


def _phrase_pattern(phrase: str) -> str:
    return SEPARATORS.join(re.escape(fold_key(word)) for word in phrase.split())


def _key_pattern(rule: KeyRule) -> re.Pattern[str]:
    phrases = f"(?i:{phrase_pattern(rule)})"
    if rule.position is Position.WHOLE:
        pattern = rf"^[^A-Za-z0-9]*{phrases}[^A-Za-z0-9]*$"
    elif rule.position is Position.LAST_WORD:
        pattern = rf"(?:(?<![A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z])){phrases}[^A-Za-z0-9]*$"
    elif rule.position is Position.LAST:
        pattern = rf"{phrases}[^A-Za-z0-9]*$"
    else:
        # A lower-case letter behind the phrase makes it another word: secretary, cookiecutter.
        pattern = rf"{phrases}(?:s(?![a-z]))?(?![a-z])"
    return re.compile(pattern, re.ASCII)


def key_triggers(pack: RulePack) -> tuple[Trigger, ...]:
    """What is found in raw JSON or text wherever a key rule could apply."""
    # Behind the key: the closing quote, a tag's end, an assignment, or (--token VALUE) a blank.
    ending = r"[^A-Za-z0-9\"'\\:=]{0,3}(?:\\{0,8}[\"'tnru]|[:=<>|%,]|[ \t])"
    triggers: list[Trigger] = []
    # Phrases by their last word: where many end alike, an engine would look behind each such word many times.
    by_last: dict[tuple[str, str], list[str]] = {}
    for rule in pack.keys:
        if rule.check is Check.LUHN:
            continue  # its values are found by how they look
        # A whole key ends like any other; what stands before it is looked at when the record is open.
        right = "" if rule.position is Position.ANYWHERE else ending
        for phrase in rule.phrases:
            if phrase.isascii():
                by_last.setdefault((phrase.split()[-1], right), []).append(phrase)
            else:
                foreign = max((word for word in phrase.split() if not word.isascii()), key=len)
                triggers += foreign_triggers(foreign)
    for (last, right), phrases in by_last.items():
        alone = [phrase for phrase in phrases if phrase == last]
        triggers += (Trigger(f"(?i:{re.escape(last)}){right}", (last,)) for _ in alone[:1])
        firsts = sorted({phrase for phrase in phrases if phrase != last})
        if firsts:
            before = "|".join(SEPARATORS.join(map(re.escape, phrase.split()[:-1])) for phrase in firsts)
            pattern = f"(?i:(?:{before}){SEPARATORS}{re.escape(last)}){right}"
            triggers.append(Trigger(pattern, tuple(firsts)))
    return tuple(triggers)
