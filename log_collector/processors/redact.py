"""Takes secrets out of a batch before any byte of it reaches the disk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec
from telecine.logging.redaction import Redactor, triggers_of
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import RulePack
from telecine.logging.redaction.scanner import build_scanner, build_scanner_beside

from log_collector.journal.entry import Origin
from log_collector.processors.validate import TYPE_TRIGGERS

_WINDOW_BYTES = 256 * 1024
"""As much is scanned at once: what is found in more would take much memory."""
_MAX_ORIGIN = 256
"""Characters of what a batch says of its sender."""
_REMEMBERED_ORIGINS = 256


class Redacted(msgspec.Struct, frozen=True):
    """A batch without secrets."""

    lines: bytes
    counts: dict[str, int]
    """Secrets replaced, per rule; empty: the lines are what they were."""
    has_suspect_types: bool
    """Whether a catalogue field may have another type than its own."""


class CostlyError(Exception):
    """The work is too much for where it was asked for."""


class Redaction:
    """One rule pack in force. Holds no state between calls; safe to use from any thread."""

    def __init__(self, pack: RulePack = DEFAULT_PACK, hash_key: bytes | None = None) -> None:
        """Raises ValueError where a pattern cannot be compiled."""
        # For single lines: what scans batches fastest takes long to build, and is built once.
        self._redactor = Redactor(pack, hash_key=hash_key, prefers_fast_start=True)
        self._redactor.make_ready()
        self._suspect_types = build_scanner(TYPE_TRIGGERS)
        # One pass over the bytes answers both questions for nearly every batch.
        # Own rules may be faulty, and that is reported here: nothing of them is built beside.
        build = build_scanner_beside if pack is DEFAULT_PACK else build_scanner
        self._suspect = build((*triggers_of(pack), *TYPE_TRIGGERS))
        # Each batch of a producer says the same of its sender.
        self._redacted_origin = lru_cache(maxsize=_REMEMBERED_ORIGINS)(self._redact_origin)

    @property
    def engine(self) -> str:
        """Which engine scans batches now: `hyperscan`, `re2` or `re`."""
        return self._suspect.engine

    def redact(self, lines: bytes, limit_bytes: float = math.inf) -> Redacted:
        """Redacts newline-delimited JSON, and lines that are none; what is clean is not opened.

        Raises CostlyError where more than `limit_bytes` would have to be opened.
        """
        counts: Counter[str] = Counter()
        parts: list[bytes] = []
        has_suspect_types = False
        for window, ends in self._scanned(lines, limit_bytes):
            if not ends:
                parts.append(window)
                continue
            redacted, found, looked_at = self._redactor.redact_lines_at(window, ends)
            counts.update(found)
            has_suspect_types |= self._suspect_types.found_in(b"\n".join((*looked_at, b"")))
            parts.append(redacted)
        return Redacted(b"".join(parts) if counts else lines, dict(counts), has_suspect_types)

    def _scanned(self, lines: bytes, limit_bytes: float) -> Iterable[tuple[bytes, list[int]]]:
        """The lines in pieces, with the places behind hits."""
        if limit_bytes == math.inf:
            return ((window, self._suspect.ends_in(window)) for window in _windows(lines))
        scanned: list[tuple[bytes, list[int]]] = []
        suspect_bytes = 0
        for window in _windows(lines):
            if len(window) > max(limit_bytes, 2 * _WINDOW_BYTES) and self._suspect.found_in(window):
                # One line. Saying where would take long, where it is nothing but hits.
                raise CostlyError
            ends = self._suspect.ends_in(window)
            suspect_bytes += _suspect_bytes(window, ends) if ends else 0
            if suspect_bytes > limit_bytes:
                raise CostlyError
            scanned.append((window, ends))
        return scanned

    def is_suspect(self, raw: bytes) -> bool:
        """Whether anything in the bytes looks like a secret."""
        return self._redactor.scan(raw)

    def redact_text(self, text: str) -> str:
        """A name or another short text."""
        return self._redactor.redact_text(text)[0]

    def redact_bytes(self, raw: bytes, counts: dict[str, int]) -> bytes:
        """Bytes that may be text, JSON, or neither; `counts` takes what was found."""
        redacted, found = self._redactor.redact_json_line(raw)
        for rule_id, count in found.items():
            counts[rule_id] = counts.get(rule_id, 0) + count
        return redacted

    def redact_origin(self, origin: Origin) -> Origin:
        """Who sent a batch: its texts go into the journal, the statistics and the names of files."""
        texts = (origin.service, origin.env, origin.service_version, origin.host)
        if max(map(len, texts)) > _MAX_ORIGIN:
            service, env, service_version, host = (text[:_MAX_ORIGIN] for text in texts)
            origin = Origin(service, env, service_version, host, origin.pid)
        return self._redacted_origin(origin)

    def _redact_origin(self, origin: Origin) -> Origin:
        texts = (origin.service, origin.env, origin.service_version, origin.host)
        if not self._suspect.found_in(" ".join(('"', *texts, '"')).encode("utf-8", "surrogatepass")):
            return origin
        service, env, service_version, host = map(self.redact_text, texts)
        return Origin(service, env, service_version, host, origin.pid)


def _windows(lines: bytes) -> Iterator[bytes]:
    """The same lines in pieces that end with lines."""
    if len(lines) <= _WINDOW_BYTES:
        yield lines
        return
    start = 0
    while start < len(lines):
        stop = lines.find(b"\n", min(start + _WINDOW_BYTES, len(lines)) - 1) + 1 or len(lines)
        yield lines[start:stop]
        start = stop


def _suspect_bytes(lines: bytes, ends: list[int]) -> int:
    """How long the lines are in which the hits lie."""
    total = done = 0
    for end in sorted(set(ends)):
        if end > done:
            start = max(done, lines.rfind(b"\n", done, end - 1) + 1)
            stop = lines.find(b"\n", end - 1)
            done = len(lines) if stop < 0 else stop + 1
            total += done - start
    return total


@lru_cache(maxsize=4)
def redaction_for(pack: RulePack, hash_key: bytes | None) -> Redaction:
    """The same object for the same rules: compiling them takes time.

    Raises ValueError where a pattern cannot be compiled.
    """
    return Redaction(pack, hash_key)
