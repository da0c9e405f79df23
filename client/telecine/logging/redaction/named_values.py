"""Decides which values of a list or an object are named by their neighbours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from telecine.logging.redaction.rules import Check, KeyRule
from telecine.logging.redaction.text.checks import (
    STATE,
    is_generated,
    is_harmless,
    is_of_words,
    is_password_like,
    is_token_like,
)
from telecine.logging.redaction.text.secret_keys import SecretKeys

_NAME_KEYS = frozenset(
    {
        *("name", "k", "key", "header", "field", "variable", "param", "parameter", "setting"),
        *("parameterkey", "option", "property"),
    }
)
_LOOSE_NAME_KEYS = frozenset({"id", "label", "path", "type", "field", "column"})
"""What stands under them names a value, or something else: the value must look like a secret."""
_VALUE_KEYS = frozenset(
    {
        *("value", "v", "val", "values", "data"),
        *("content", "plaintext", "string_value", "stringvalue", "newvalue", "oldvalue", "parametervalue"),
    }
)
_LOOSE_VALUE_KEYS = frozenset({*_VALUE_KEYS, "new", "old", "text", "from", "to", "input"})
_JWK_KEY = "kty"
_JWK_SECRETS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
"""Private parts of a JSON Web Key."""
_JWK = KeyRule(id="jwk", phrases=("d",), check=Check.RANDOM)
_AMBIGUOUS = frozenset({"pass", "token", "bearer"})
"""Words that are no secret's name in every sentence."""
_FIELDS = frozenset(
    {"email", "e-mail", "user", "username", "login", "name", "id", "host", "port", "phone", "address"}
)
"""Names of fields that stand beside a password's in a list of fields."""
_PLAIN_WORD = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z]+)*")
_SIGNS = "[](){}<>*&!?.,;:'\"` "
_TYPE = re.compile(r"[a-z_]{2,20}\([0-9, ]{1,16}\)[,;)]{0,3}", re.ASCII)
"""`varchar(255)`."""
_PROSE_LENGTH = 16
"""A word of a sentence is shorter."""


def value_rule(mapping: Mapping[Any, Any], keys: SecretKeys) -> tuple[KeyRule | None, frozenset[str], bool]:
    """`{"name": "authorization", "value": "…"}`: the rule of the name, under which keys its value stands,
    and whether the value must look like a secret."""
    if _JWK_KEY in mapping:
        return _JWK, _JWK_SECRETS, False
    for key, named in mapping.items():
        if not isinstance(named, str) or not isinstance(key, str):
            continue
        lowered = key.lower()
        is_loose = lowered in _LOOSE_NAME_KEYS
        if not is_loose and lowered not in _NAME_KEYS:
            continue
        name = named.rpartition("/")[2] if lowered == "path" else named
        rule = keys.rule_for(name) if keys.is_whole(name) else None
        if rule is not None:
            return rule, _LOOSE_VALUE_KEYS if is_loose else _VALUE_KEYS, is_loose
    return None, frozenset(), False


def looks_secret(value: Any) -> bool:
    """Whether a value that may be named is a secret by its own look."""
    return isinstance(value, str) and (is_password_like(value) or is_generated(value))


def listed_secrets(items: Sequence[Any], keys: SecretKeys) -> dict[int, KeyRule]:
    """Which items of a list the items before them name as secrets: header pairs, options, arguments."""
    is_pair = len(items) == 2
    found: dict[int, KeyRule] = {}
    named: KeyRule | None = None
    for index, item in enumerate(items):
        if named is not None:
            name = items[index - 1]
            if _is_listed_secret(item, name, named, keys, is_pair=is_pair):
                is_option = name.startswith("--") and named.check is Check.NO_WORD
                found[index] = msgspec.structs.replace(named, check=Check.NONE) if is_option else named
            named = None
            continue
        named = keys.rule_for(item) if type(item) is str and keys.is_whole(item) else None
    return found


def follows_identifier(items: Sequence[Any], index: int, keys: SecretKeys) -> bool:
    """Whether the item before says that digits are an id: `frame`, `4111…`."""
    before = items[index - 1] if index else None
    return type(before) is str and type(items[index]) is str and keys.names_identifier(before)


def _is_listed_secret(item: Any, name: str, rule: KeyRule, keys: SecretKeys, *, is_pair: bool) -> bool:
    """Whether an item is the value of the name before it rather than the next name of a list."""
    if not isinstance(item, (str, bytes)):
        return False
    if is_pair and not name.startswith("-"):
        return not isinstance(item, str) or not _is_of_prose(item, name, rule, keys)
    text = item if isinstance(item, str) else item.decode("utf-8", "replace")
    if name.startswith("-"):
        # `-pass val` explains an option; nobody doubts `--password`.
        return not text.startswith("-") and (name.startswith("--") or not text.isalpha())
    if _PLAIN_WORD.fullmatch(text) or _TYPE.fullmatch(text) or is_of_words(text.strip(_SIGNS)):
        return False
    return is_token_like(text) or (is_password_like(text) and name.lower().strip(":") not in _AMBIGUOUS)


def _names_a_key(item: str, keys: SecretKeys) -> bool:
    """Whether a word is a key itself; a generated password may end as one does: `Whoak59kMAz1PW`."""
    return keys.rule_for(item) is not None and not is_generated(item)


def _is_of_prose(item: str, name: str, rule: KeyRule, keys: SecretKeys) -> bool:
    """Whether the second of two words goes on with the first: `password`, `changed`."""
    bare = item.strip(_SIGNS)
    if not bare or item.lower() in _FIELDS or _names_a_key(item, keys) or STATE.fullmatch(bare):
        return True
    if name.lower().strip(":") in _AMBIGUOUS and (not any(map(str.isalpha, item)) or is_of_words(item)):
        return True
    is_word = (
        bare.isalpha() and len(bare) < _PROSE_LENGTH and bare in (bare.lower(), bare.title(), bare.upper())
    )
    return is_word or ("/" in item and name.lower().strip(":") in _AMBIGUOUS) or is_harmless(item)
