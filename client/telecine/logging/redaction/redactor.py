"""Takes secrets out of lines, texts and trees, by key and by look."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from telecine.logging.redaction import named_values
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import Check, KeyRule, RulePack, Trigger
from telecine.logging.redaction.scanner import build_scanner
from telecine.logging.redaction.text import addresses, commands, encodings, escapes, lookalikes, spots
from telecine.logging.redaction.text.checks import IS_MASK, is_secret_value
from telecine.logging.redaction.text.secret_keys import SecretKeys, key_triggers
from telecine.logging.redaction.text.secret_text import MASK, SecretText

Counts = dict[str, int]
"""How many secrets each rule took out, by rule id."""

MAX_DEPTH = 64
"""What is nested deeper is replaced as a whole, under the rule id `too_deep`."""

_MAX_UNFOLDED = 4
"""JSON in strings of JSON is opened so often; deeper it is read as text."""
_LONG_KEY = 24
"""A key so long may hold a secret itself."""
_PLAIN_KEY = re.compile(r"[\w.\-]*")
"""What is more than that may be an assignment: `password=X`."""


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
        # Some ten milliseconds, which a program that logs no secret need not spend.
        self._made_text = lru_cache(maxsize=1)(lambda: SecretText(pack, self._keys))
        self._scanner = build_scanner(triggers_of(pack), engine, prefers_fast_start=prefers_fast_start)
        if not (prefers_fast_start and pack is DEFAULT_PACK):
            # Own rules may be faulty, and that is said here.
            self._made_text()
        self.scan = self._scanner.found_in
        self.engine = self._scanner.engine
        # Numbers pass through as they were written: 1.10 stays 1.10.
        self._decode = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode())).decode
        self._encode = msgspec.json.Encoder().encode

    @property
    def _text(self) -> SecretText:
        return self._made_text()

    def make_ready(self) -> None:
        """Makes now what `prefers_fast_start` leaves for the first record that looks suspicious."""
        self._made_text()
        self._scanner.make_ready()

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
            redacted = self._redact_text(text, counts, is_id=False)
            return line if redacted is text else redacted.encode("utf-8", "surrogateescape")
        redacted = self._redact_tree(tree, counts, 0, is_id=False)
        self._redact_shadowed(line, counts)
        return self._encode(redacted) if sum(counts.values()) > before else line

    def _redact_shadowed(self, line: bytes, counts: Counts) -> None:
        """Counts what stands under keys that come again in the same object: the last one alone is read.

        Where it holds a secret, the line is written anew, without it.
        """
        shadowed: list[dict[str, Any]] = []

        def pairs_to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(pairs)
            if len(found) < len(pairs):
                last = {key: index for index, (key, _) in enumerate(pairs)}
                shadowed.extend(
                    {key: value} for index, (key, value) in enumerate(pairs) if last[key] != index
                )
            return found

        try:
            json.loads(line, object_pairs_hook=pairs_to_dict, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            return
        for mapping in shadowed:
            self._redact_dict(mapping, counts, 0)

    def _redact_string(self, text: str, counts: Counts, *, is_id: bool = False, depth: int = 0) -> str:
        # The blank stands for the quote that a string has around it in JSON.
        if not self.scan(f' {text}"'.encode("utf-8", "surrogatepass")):
            return text
        return self._redact_text(text, counts, is_id=is_id, unfolded=depth)

    def _redact_text(
        self, text: str, counts: Counts, *, is_id: bool, unfolded: int = 0, is_decoded: bool = False
    ) -> str:
        """Text that may hold a secret: JSON in it is opened, and Base64, once."""
        if unfolded < _MAX_UNFOLDED and text[:1] in ("{", "[", " ", "\n", '"') and len(text) > 4:
            opened = self._redact_inner_json(text, counts, unfolded)
            if opened is not None:
                return opened
        redacted = self._text.replace(text, self.mask, counts, is_id=is_id)
        if is_decoded:
            return redacted
        pieces: list[str] = []
        done = 0
        for start, end, decoded in encodings.base64_stretches(redacted):
            inner = self._redact_text(
                decoded, counts, is_id=False, unfolded=_MAX_UNFOLDED - 1, is_decoded=True
            )
            if inner != decoded:
                pieces += (redacted[done:start], encodings.encoded_like(redacted[start:end], inner))
                done = end
        return "".join((*pieces, redacted[done:])) if pieces else redacted

    def _redact_inner_json(self, text: str, counts: Counts, unfolded: int) -> str | None:
        """A string that is a JSON value, written anew where it had a secret; None: it is no JSON."""
        stripped = text.strip()
        if (stripped[:1], stripped[-1:]) not in (("{", "}"), ("[", "]"), ('"', '"')):
            return None
        raw = stripped.encode("utf-8", "surrogatepass")
        try:
            tree = self._decode(raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        before = sum(counts.values())
        redacted = self._redact_tree(tree, counts, 0, is_id=False, unfolded=unfolded + 1)
        self._redact_shadowed(raw, counts)
        if sum(counts.values()) == before:
            return text
        return self._encode(redacted).decode()

    def _redact_tree(self, value: Any, counts: Counts, depth: int, *, is_id: bool, unfolded: int = 0) -> Any:
        if isinstance(value, str):
            return self._redact_string(value, counts, is_id=is_id, depth=unfolded)
        if isinstance(value, (bytes, bytearray)):
            text = value.decode("utf-8", "surrogateescape")
            redacted = self._redact_string(text, counts, is_id=is_id, depth=unfolded)
            return value if redacted is text else redacted.encode("utf-8", "surrogateescape")
        if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return value
        if depth >= MAX_DEPTH:
            return self._count("too_deep", MASK, counts)
        if isinstance(value, Mapping):
            return self._redact_dict(value, counts, depth, unfolded)
        items = self._without_listed(value, counts)
        return [
            self._redact_tree(
                item,
                counts,
                depth + 1,
                is_id=is_id or named_values.follows_identifier(items, index, self._keys),
                unfolded=unfolded,
            )
            for index, item in enumerate(items)
        ]

    def _redact_dict(
        self, mapping: Mapping[Any, Any], counts: Counts, depth: int, unfolded: int = 0
    ) -> dict[Any, Any]:
        redacted: dict[Any, Any] = {}
        named, value_keys, is_loose = named_values.value_rule(mapping, self._keys)
        for key, value in mapping.items():
            if not isinstance(key, str):
                redacted[key] = self._redact_tree(value, counts, depth + 1, is_id=False, unfolded=unfolded)
                continue
            rule = self._keys.rule_for(key)
            if rule is None and named is not None and key.lower() in value_keys:
                rule = named if not is_loose or named_values.looks_secret(value) else None
            new_key = key
            if rule is None or len(key) >= _LONG_KEY or _PLAIN_KEY.fullmatch(key) is None:
                new_key = self._redact_string(key, counts)
                while new_key is not key and new_key in redacted:
                    new_key += "'"
            if rule is not None:
                redacted[new_key] = self._redact_secret(value, rule, counts, depth + 1)
                continue
            is_id = self._keys.names_identifier(key) if type(value) is str else False
            redacted[new_key] = self._redact_tree(value, counts, depth + 1, is_id=is_id, unfolded=unfolded)
        return redacted

    def _without_listed(self, value: Any, counts: Counts) -> list[Any]:
        """A list without the secrets that its other items name: header pairs, options, arguments."""
        items = list(value)
        if isinstance(value, (set, frozenset)) or not any(type(item) is str for item in items):
            return items
        for index, rule in named_values.listed_secrets(items, self._keys).items():
            items[index] = self._redact_secret(items[index], rule, counts, 0)
        texts = [item if type(item) is str else "" for item in items]
        if any(text.startswith("-") for text in texts):
            for index, start, end in commands.secrets_in(texts):
                text = texts[index]
                masked = self.mask(text[start:end])
                items[index] = text[:start] + self._count(commands.RULE_ID, masked, counts) + text[end:]
        return items

    def _redact_secret(self, value: Any, rule: KeyRule, counts: Counts, depth: int) -> Any:
        """What stands under a telling key."""
        if value is None or isinstance(value, bool) or value in ("", b""):
            return value
        has_parts = isinstance(value, (Mapping, list, tuple, set, frozenset))
        if has_parts and (rule.keeps_numbers or rule.check is not Check.NONE):
            if depth >= MAX_DEPTH:
                return self._count("too_deep", MASK, counts)
            if isinstance(value, Mapping):
                return {k: self._redact_secret(v, rule, counts, depth + 1) for k, v in value.items()}
            return [self._redact_secret(item, rule, counts, depth + 1) for item in value]
        text = _text_of(value)
        if rule.check is not Check.NONE:
            if is_secret_value(rule, text):
                return self._count(rule.id, self.mask(text), counts)
            return self._redact_tree(value, counts, depth, is_id=False)
        if isinstance(value, (int, float, msgspec.Raw)) and rule.keeps_numbers:
            return value
        if not has_parts and not is_secret_value(rule, text):
            is_text = isinstance(value, str) and not IS_MASK.fullmatch(text)
            return self._redact_string(text, counts) if is_text else value
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
    own = (
        *encodings.TRIGGERS,
        *escapes.TRIGGERS,
        *commands.TRIGGERS,
        *addresses.TRIGGERS,
        *lookalikes.TRIGGERS,
        *spots.TRIGGERS,
    )
    return (*values, *key_triggers(pack), *own)


def _text_of(value: Any) -> str:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode("ascii", "replace")
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else str(value)


def _cheapened(pattern: str) -> str:
    """Without the group, and without the upper bound of a repetition that ends an alternative."""
    pattern = re.sub(r"={0,[0-9]}(?=\)*$)", "", pattern.replace("(?P<secret>", "(?:"))
    return re.sub(r"\{(\d+),\d*\}(?=\)*(?:\||$))", r"{\1}", pattern)
