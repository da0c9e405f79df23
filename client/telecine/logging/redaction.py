"""Takes secrets out of records, by key and by look, before any byte of them reaches a disk or a wire."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from telecine.logging.rule_pack import DEFAULT_PACK
from telecine.logging.rules import KeyRule, RulePack, Trigger
from telecine.logging.scanner import build_scanner
from telecine.logging.secret_keys import SecretKeys, key_triggers
from telecine.logging.secret_text import IS_MASK, MASK, SecretText

Counts = dict[str, int]
"""How many secrets each rule took out, by rule id."""

MAX_DEPTH = 64
"""What is nested deeper is replaced as a whole, under the rule id `too_deep`."""

_ESCAPES = (Trigger(r"\\u00[2-7]", ("\\u00",)), Trigger(r"\\/", ("\\/",)))
"""JSON escapes that can hide a key or a token from the scan: such a line is opened."""

_NAME_KEYS = ("name", "key", "header", "field")
_VALUE_KEYS = ("value", "val", "values")


class Redactor:
    """One rule pack, compiled. Holds no state between calls; safe to use from any thread.

    `scan` says on raw bytes whether anything could be a secret; it may be wrong in that direction only.
    Everything else returns what it was given, unchanged and uncopied, where there is nothing to redact.
    """

    def __init__(
        self,
        pack: RulePack = DEFAULT_PACK,
        *,
        hash_key: bytes | None = None,
        engine: str | None = None,
        prefers_fast_start: bool = False,
    ) -> None:
        """Compile the pack.

        `engine` is `hyperscan`, `re2` or `re`; None: the fastest for batches, or, with
        `prefers_fast_start`, for single records in a program that must start quickly.
        `hash_key` puts a keyed hash into the replacement, so that equal secrets stay correlatable.

        Raises:
            ValueError: a pattern does not compile, the named scan engine is not installed.
        """
        self._hash_key = hash_key
        self._keys = SecretKeys(pack)
        self._text = SecretText(pack, self._keys)
        self._scanner = build_scanner(triggers_of(pack), engine, prefers_fast_start=prefers_fast_start)
        self.scan = self._scanner.found_in
        self.engine = self._scanner.engine
        # Numbers pass through as they were written: 1.10 stays 1.10.
        self._decode = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode())).decode
        self._encode = msgspec.json.Encoder().encode

    def redact_lines(self, batch: bytes) -> tuple[bytes, Counts]:
        """A batch of newline-delimited JSON; lines without a hit pass through byte for byte."""
        redacted, counts, _ = self.redact_lines_at(batch, self._scanner.ends_in(batch))
        return redacted, counts

    def redact_lines_at(self, batch: bytes, ends: list[int]) -> tuple[bytes, Counts, list[bytes]]:
        """As `redact_lines`, where the batch was scanned already, for this pack's triggers and maybe others.

        `ends` are offsets behind the hits. The third value is the lines in which they lie, redacted.
        """
        counts: Counts = {}
        pieces: list[bytes] = []
        looked_at: list[bytes] = []
        done = 0
        for end in sorted(set(ends)):
            if end <= done:
                continue
            start = batch.rfind(b"\n", done, end - 1) + 1 or done
            stop = batch.find(b"\n", end - 1)
            stop = len(batch) if stop < 0 else stop
            line = batch[start:stop]
            if self.scan(line):
                line = self._redact_line(line, counts)
            looked_at.append(line)
            pieces += (batch[done:start], line)
            done = stop
        if not counts:
            return batch, counts, looked_at
        pieces.append(batch[done:])
        return b"".join(pieces), counts, looked_at

    def redact_json_line(self, line: bytes) -> tuple[bytes, Counts]:
        """One JSON record, or any text where it is no JSON."""
        counts: Counts = {}
        if not self.scan(line):
            return line, counts
        redacted = self._redact_line(line, counts)
        return (redacted if counts else line), counts

    def redact_text(self, text: str) -> tuple[str, Counts]:
        """Running text: a message, a stack trace."""
        counts: Counts = {}
        return self._redact_string(text, counts), counts

    def redact_value(self, value: Any) -> tuple[Any, Counts]:
        """Any tree of mappings, sequences, strings, bytes and scalars; changed branches are copies."""
        counts: Counts = {}
        return self._redact_tree(value, counts, 0, is_id=False), counts

    def redact_mapping(self, mapping: Mapping[str, Any]) -> tuple[dict[str, Any], Counts]:
        """A record as a dict."""
        counts: Counts = {}
        return self._redact_dict(mapping, counts, 0), counts

    def is_harmless_key(self, key: str) -> bool:
        """Whether what stands under the key need not be taken out for the key's sake."""
        # A rule may ask what stands before it; the quote behind it would make a key of each mention of one.
        return self._keys.rule_for(key) is None and not self.scan(f" {key}".encode("utf-8", "surrogatepass"))

    def mask(self, secret: str) -> str:
        """What stands in a secret's place."""
        if self._hash_key is None:
            return MASK
        digest = hashlib.blake2b(
            secret.encode("utf-8", "surrogatepass"), key=self._hash_key[:64], digest_size=6
        )
        return f"***redacted:{digest.hexdigest()}***"

    def _redact_line(self, line: bytes, counts: Counts) -> bytes:
        before = sum(counts.values())
        try:
            tree = self._decode(line)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            text = line.decode("utf-8", "surrogateescape")
            return self._text.replace(text, self.mask, counts).encode("utf-8", "surrogateescape")
        redacted = self._redact_tree(tree, counts, 0, is_id=False)
        return self._encode(redacted) if sum(counts.values()) > before else line

    def _redact_string(self, text: str, counts: Counts, *, is_id: bool = False) -> str:
        # The blank stands for the quote that a string has around it in JSON.
        if not self.scan(f' {text}"'.encode("utf-8", "surrogatepass")):
            return text
        return self._text.replace(text, self.mask, counts, is_id=is_id)

    def _redact_tree(self, value: Any, counts: Counts, depth: int, *, is_id: bool) -> Any:
        if isinstance(value, str):
            return self._redact_string(value, counts, is_id=is_id)
        if isinstance(value, (bytes, bytearray)):
            text = value.decode("utf-8", "surrogateescape")
            redacted = self._redact_string(text, counts, is_id=is_id)
            return value if redacted is text else redacted.encode("utf-8", "surrogateescape")
        if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return value
        if depth >= MAX_DEPTH:
            return self._count("too_deep", MASK, counts)
        if isinstance(value, Mapping):
            return self._redact_dict(value, counts, depth)
        pair = self._redact_pair(value, counts)
        return pair or [self._redact_tree(item, counts, depth + 1, is_id=is_id) for item in value]

    def _redact_dict(self, mapping: Mapping[Any, Any], counts: Counts, depth: int) -> dict[Any, Any]:
        redacted: dict[Any, Any] = {}
        named = self._named_secret(mapping)
        for key, value in mapping.items():
            if not isinstance(key, str):
                redacted[key] = self._redact_tree(value, counts, depth + 1, is_id=False)
                continue
            rule = self._keys.rule_for(key)
            if rule is None and named is not None and key.lower() in _VALUE_KEYS:
                rule = named
            if rule is not None:
                redacted[key] = self._redact_secret(value, rule, counts, depth + 1)
                continue
            is_id = self._keys.names_identifier(key) if type(value) is str else False
            new_key = self._redact_string(key, counts)
            redacted[new_key] = self._redact_tree(value, counts, depth + 1, is_id=is_id)
        return redacted

    def _named_secret(self, mapping: Mapping[Any, Any]) -> KeyRule | None:
        """`{"name": "authorization", "value": "…"}`: the key stands in a value."""
        for name_key in _NAME_KEYS:
            name = mapping.get(name_key)
            if isinstance(name, str) and len(mapping) <= len(_NAME_KEYS):
                return self._keys.rule_for(name)
        return None

    def _redact_pair(self, items: Any, counts: Counts) -> list[Any] | None:
        """`["authorization", "…"]`: a header as a pair."""
        if not isinstance(items, (list, tuple)) or len(items) != 2:
            return None
        name, value = items
        if not isinstance(name, str) or not isinstance(value, (str, bytes)):
            return None
        rule = self._keys.rule_for(name)
        return None if rule is None else [name, self._redact_secret(value, rule, counts, 0)]

    def _redact_secret(self, value: Any, rule: KeyRule, counts: Counts, depth: int) -> Any:
        """What stands under a telling key."""
        if value is None or isinstance(value, bool) or value in ("", b""):
            return value
        if isinstance(value, (int, float, msgspec.Raw)):
            return value if rule.keeps_numbers else self._count(rule.id, self.mask(str(value)), counts)
        if isinstance(value, (Mapping, list, tuple, set, frozenset)) and rule.keeps_numbers:
            if depth >= MAX_DEPTH:
                return self._count("too_deep", MASK, counts)
            if isinstance(value, Mapping):
                return {k: self._redact_secret(v, rule, counts, depth + 1) for k, v in value.items()}
            return [self._redact_secret(item, rule, counts, depth + 1) for item in value]
        text = value if isinstance(value, str) else str(value)
        if IS_MASK.fullmatch(text) or (rule.keeps_paths and text.startswith(("/", "~/"))):
            return value
        return self._count(rule.id, self.mask(text), counts)

    @staticmethod
    def _count(rule_id: str, replacement: str, counts: Counts) -> str:
        counts[rule_id] = counts.get(rule_id, 0) + 1
        return replacement


def triggers_of(pack: RulePack) -> tuple[Trigger, ...]:
    """What the scan looks for: a superset of all that the pack could redact in a JSON line."""
    values = (
        Trigger(_cheapened(pattern), rule.hints)
        for rule in pack.values
        if rule.is_on
        for pattern in (rule.trigger or rule.pattern, *rule.more_triggers)
    )
    return (*values, *key_triggers(pack), *_ESCAPES)


def _cheapened(pattern: str) -> str:
    """Without the group, and without the upper bound of a repetition that ends an alternative."""
    return re.sub(r"\{(\d+),\d*\}(?=\)*(?:\||$))", r"{\1}", pattern.replace("(?P<secret>", "(?:"))
