"""Takes secrets out of a batch before any byte of it reaches the disk."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from telecine.logging.redaction import Redactor, triggers_of
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import RulePack
from telecine.logging.redaction.scanner import build_scanner

from log_collector.processors.validate import TYPE_TRIGGERS


class Redacted(msgspec.Struct, frozen=True):
    """A batch without secrets."""

    lines: bytes
    counts: dict[str, int]
    """Secrets replaced, per rule; empty: the lines are what they were."""
    has_suspect_types: bool
    """Whether a catalogue field may have another type than its own."""


class Redaction:
    """One rule pack in force. Holds no state between calls; safe to use from any thread."""

    def __init__(self, pack: RulePack = DEFAULT_PACK, hash_key: bytes | None = None) -> None:
        """Raises ValueError where a pattern cannot be compiled."""
        self._redactor = Redactor(pack, hash_key=hash_key)
        self._suspect_types = build_scanner(TYPE_TRIGGERS)
        # One pass over the bytes answers both questions for nearly every batch.
        self._suspect = build_scanner((*triggers_of(pack), *TYPE_TRIGGERS))
        self.engine = self._redactor.engine

    def redact(self, lines: bytes) -> Redacted:
        """Redacts newline-delimited JSON, and lines that are none; what is clean is not opened."""
        ends = self._suspect.ends_in(lines)
        if not ends:
            return Redacted(lines, {}, has_suspect_types=False)
        redacted, counts, looked_at = self._redactor.redact_lines_at(lines, ends)
        return Redacted(redacted, counts, self._suspect_types.found_in(b"\n".join((*looked_at, b""))))


@lru_cache(maxsize=4)
def redaction_for(pack: RulePack, hash_key: bytes | None) -> Redaction:
    """The same object for the same rules: compiling them takes some hundred milliseconds.

    Raises ValueError where a pattern cannot be compiled.
    """
    return Redaction(pack, hash_key)
