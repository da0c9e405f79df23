"""What a redaction rule is: the typed form in which rule packs and configuration state their rules."""

from __future__ import annotations

import re
import re._parser as sre_parser  # type: ignore[import-not-found]  # the parser has no public name
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

_MAX_NESTED_REPEAT = 64
"""A repetition with a higher bound than this counts as one without."""

SEPARATORS = r"[ _.\-]{0,3}"
"""What may stand between the words of a key: `api_key`, `X-Api-Key`, `apiKey` and `api.key` are one key."""


class Trigger(NamedTuple):
    """What the scan of raw bytes looks for."""

    pattern: str
    """RE2 syntax; found wherever a rule could apply."""
    hints: tuple[str, ...]
    """Lower-case literals, one of which stands in every match (of one with blanks: each of its words);
    empty: none is known."""
    is_foreign: bool = False
    """Whether only bytes beyond ASCII can match."""


class Check(StrEnum):
    """What a match must pass beyond its pattern before it counts as a secret."""

    NONE = "none"
    LUHN = "luhn"
    """A card number: grouping, check digit, and not a part of a longer number, float, id or path."""
    IBAN = "iban"
    """A bank account number: country, length and check digits."""
    IP_ADDRESS = "ip_address"
    """An address of IPv4 or IPv6 that is not the machine's own."""
    TOKEN_LIKE = "token_like"  # noqa: S105 - the name of a check
    """Letters and digits mixed, or long: not a word of prose."""
    RANDOM = "random"
    """Long, with letters and digits: generated."""
    GENERATED = "generated"
    """Letters of both cases and digits, in no piece a word: made by a program, not a name or a test's."""
    PASSWORD = "password"  # noqa: S105 - the name of a check
    """Letters with digits or signs among them: not a word of a sentence."""
    NO_WORD = "no_word"
    """Anything but a short word or a piece of one, as language models speak them."""
    CODE = "code"
    """A PIN: four to eight digits."""
    SEED = "seed"
    """The words of a wallet's seed, or a token."""
    HAS_DIGIT = "has_digit"
    """Letters and digits in one long piece: not words joined by hyphens."""
    BASIC_CREDENTIALS = "basic_credentials"
    """Base64 of `user:password`."""


class ValueRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret that is recognised by how it looks, wherever it stands."""

    id: str
    """Names the rule in counters and configuration."""
    pattern: str
    """RE2 syntax (no look-around, no back-reference). The group `secret` is replaced, or the whole match."""
    trigger: str = ""
    """A cheap pattern that is found in raw bytes wherever `pattern` could match; empty: `pattern` serves."""
    more_triggers: tuple[str, ...] = ()
    """Other ways in: several simple patterns are faster than one alternation."""
    hints: tuple[str, ...] = ()
    """Lower-case literals, one of which stands in every match; they make the scan without RE2 bearable."""
    needs_left_edge: bool = True
    """Whether the match must begin a word."""
    joins_underscore: bool = False
    """Whether an underscore before the match makes it a part of that word: `cache_key_…`."""
    anchor: str = ""
    """A short pattern that begins where every match begins; empty: the pattern's own beginning serves."""
    segment: str = ""
    """Where the rule does not match, it matches nowhere in what this pattern matches; empty: unknown."""
    check: Check = Check.NONE
    is_on: bool = True
    """Whether the rule applies without being asked for."""
    matches: tuple[str, ...] = ()
    """Positive examples: each must be redacted."""
    spares: tuple[str, ...] = ()
    """Negative examples: each must stay as it is."""


class Position(StrEnum):
    """Where in a key the words of a key rule must stand."""

    ANYWHERE = "anywhere"
    LAST = "last"
    LAST_WORD = "last_word"
    """Last, and words of their own: `db_pw`, `dbPw`, not `mpw`."""
    WHOLE = "whole"


class KeyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret that is recognised by the name it stands under."""

    id: str
    """Names the rule in counters and configuration."""
    phrases: tuple[str, ...]
    """Lower-case words with spaces between them; case and separators of the key do not matter."""
    position: Position = Position.ANYWHERE
    keeps_numbers: bool = False
    """Whether numbers under such a key are harmless (`token: 5`)."""
    keeps_paths: bool = False
    """Whether an absolute path under such a key is harmless (`PWD=/srv`)."""
    check: Check = Check.NONE
    """What a value under such a key must pass before it counts as a secret."""
    is_prose: bool = False
    """Whether a sentence may name the value: `the password is hunter2`."""
    matches: tuple[str, ...] = ()
    """Keys that the rule covers."""
    spares: tuple[str, ...] = ()
    """Keys that no rule covers."""


class RulePack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A set of rules; packs are joined with `joined_with`."""

    values: tuple[ValueRule, ...] = ()
    keys: tuple[KeyRule, ...] = ()
    spared_key_endings: tuple[str, ...] = ()
    """Last words that make a key harmless: `secret_name`, `password_length`."""
    spared_keys: tuple[str, ...] = ()
    """Phrases of whole keys (or ends of keys) that are never secret: `eos token`."""
    identifier_key_endings: tuple[str, ...] = ()
    """Last words of keys whose digits are never taken for a card number: `job_id`."""

    def joined_with(self, other: RulePack) -> RulePack:
        """Both packs in one; a rule of `other` replaces the rule of the same id."""
        replaced = {rule.id for rule in other.values} | {rule.id for rule in other.keys}
        return RulePack(
            values=(*(r for r in self.values if r.id not in replaced), *other.values),
            keys=(*(r for r in self.keys if r.id not in replaced), *other.keys),
            spared_key_endings=(*self.spared_key_endings, *other.spared_key_endings),
            spared_keys=(*self.spared_keys, *other.spared_keys),
            identifier_key_endings=(*self.identifier_key_endings, *other.identifier_key_endings),
        )

    def with_rules_on(self, *rule_ids: str) -> RulePack:
        """The same pack with optional rules switched on.

        Raises:
            ValueError: a rule id does not exist.
        """
        if not rule_ids:
            return self
        unknown = sorted(set(rule_ids) - {rule.id for rule in self.values})
        if unknown:
            known = ", ".join(rule.id for rule in self.values if not rule.is_on)
            raise ValueError(
                f"no such redaction rule: {', '.join(unknown)}; rules that can be switched on: {known}"
            )
        values = tuple(
            msgspec.structs.replace(rule, is_on=True) if rule.id in rule_ids else rule for rule in self.values
        )
        return msgspec.structs.replace(self, values=values)


def pack_from_mapping(mapping: object) -> RulePack:
    """Own rules as they stand in a configuration file.

    Raises:
        ValueError: the mapping does not describe a rule pack; the message says where.
    """
    try:
        pack = msgspec.convert(mapping, RulePack)
    except msgspec.ValidationError as error:
        raise ValueError(f"redaction rules: {error}") from error
    for rule in pack.values:
        _require_linear(rule.id, "pattern", rule.pattern)
        _require_linear(rule.id, "anchor", rule.anchor)
        for trigger in (rule.trigger, *rule.more_triggers):
            _require_linear(rule.id, "trigger", trigger)
    return pack


def _require_linear(rule_id: str, name: str, pattern: str) -> None:
    if re.search(r"\(\?[=!<](?!P)|\\[1-9]|\(\?P=", pattern):
        raise ValueError(
            f"redaction rule {rule_id!r}: {name} uses look-around or a back-reference; "
            "use RE2 syntax and name the secret part (?P<secret>...)"
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"redaction rule {rule_id!r}: {name} is not a pattern: {error}") from error
    if _has_nested_repeat(sre_parser.parse(pattern)):
        raise ValueError(
            f"redaction rule {rule_id!r}: {name} repeats a repetition without bound, as in (a+)+, "
            "which takes exponential time; give the inner or the outer one a bound"
        )


def _has_nested_repeat(parsed: Any, depth: int = 0) -> bool:
    """Whether an unbounded repetition stands in an unbounded repetition."""
    for operation, argument in parsed:
        inner: list[Any] = []
        is_repeat = str(operation) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
        is_unbounded = is_repeat and argument[1] > _MAX_NESTED_REPEAT
        if is_repeat:
            inner = [argument[2]]
        elif str(operation) == "SUBPATTERN":
            inner = [argument[3]]
        elif str(operation) == "BRANCH":
            inner = argument[1]
        if is_unbounded and depth:
            return True
        if any(_has_nested_repeat(part, depth + is_unbounded) for part in inner):
            return True
    return False
