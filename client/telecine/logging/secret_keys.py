"""Decides by its name alone whether what stands under a key is a secret."""

from __future__ import annotations

import re

from telecine.logging.rules import SEPARATORS, KeyRule, Position, RulePack, Trigger

_REMEMBERED_KEYS = 4096
_REMEMBERED_KEY_LENGTH = 96
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

    def _judge(self, key: str) -> KeyRule | None:
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


def _key_pattern(rule: KeyRule) -> re.Pattern[str]:
    phrases = f"(?i:{rule.phrase_pattern()})"
    if rule.position is Position.WHOLE:
        pattern = rf"^[^A-Za-z0-9]*{phrases}[^A-Za-z0-9]*$"
    elif rule.position is Position.LAST:
        pattern = rf"{phrases}[^A-Za-z0-9]*$"
    else:
        # A lower-case letter behind the phrase makes it another word: secretary, cookiecutter.
        pattern = rf"{phrases}(?:s(?![a-z]))?(?![a-z])"
    return re.compile(pattern, re.ASCII)


def key_triggers(pack: RulePack) -> tuple[Trigger, ...]:
    """What is found in raw JSON or text wherever a key rule could apply."""
    # Behind the key: the closing quote, or an assignment, or (--token VALUE) a blank.
    ending = r"[^A-Za-z0-9\"'\\:=]{0,3}(?:\\{0,8}[\"']|[:=]|[ \t])"
    triggers = []
    for rule in pack.keys:
        # A whole key ends like any other; what stands before it is looked at when the record is open.
        right = "" if rule.position is Position.ANYWHERE else ending
        # One for each phrase: an engine finds many literals sooner than one alternation.
        triggers += [
            Trigger(f"(?i:{pattern}){right}", (phrase,))
            for phrase, pattern in zip(rule.phrases, rule.phrase_patterns(), strict=True)
        ]
    return tuple(triggers)
