"""The door to the multi-pattern engines: does anything in these bytes look like a secret, and where?

Hyperscan or google-re2 where they are installed, else the standard library.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from telecine.logging.redaction.rules import Trigger

_RE2_MEMORY_BYTES = 64 << 20


class Scanner(Protocol):
    """Finds triggers in raw bytes; safe to call from any thread."""

    engine: str
    """Which engine answers: `hyperscan`, `re2` or `re`."""

    def found_in(self, raw: bytes) -> bool:
        """Whether any trigger matches."""

    def ends_in(self, raw: bytes) -> list[int]:
        """Offsets just behind each match, in no certain order."""


def build_scanner(
    triggers: tuple[Trigger, ...], engine: str | None = None, *, prefers_fast_start: bool = False
) -> Scanner:
    """The fastest engine that is installed, or the one that is named.

    Hyperscan scans large batches three times as fast as RE2 and takes a second to build; for single
    records they are alike, so `prefers_fast_start` takes RE2 first.

    Raises:
        ValueError: an engine is named that is not installed or does not exist.
    """
    foreign = tuple(trigger._replace(is_foreign=False) for trigger in triggers if trigger.is_foreign)
    if foreign:
        plain = tuple(trigger for trigger in triggers if not trigger.is_foreign)
        return _BothScanner(
            build_scanner(plain, engine, prefers_fast_start=prefers_fast_start),
            build_scanner(foreign, engine, prefers_fast_start=prefers_fast_start),
        )
    builders: dict[str, Callable[[tuple[Trigger, ...]], Scanner]] = {
        "hyperscan": _HyperscanScanner,
        "re2": _Re2Scanner,
        "re": _ReScanner,
    }
    if engine is not None:
        if engine not in builders:
            raise ValueError(f"no such scan engine: {engine!r}; there are {', '.join(builders)}")
        try:
            return builders[engine](triggers)
        except ImportError as error:
            raise ValueError(f"scan engine {engine!r} is not installed") from error
    order = (_Re2Scanner, _HyperscanScanner) if prefers_fast_start else (_HyperscanScanner, _Re2Scanner)
    for builder in order:
        try:
            return builder(triggers)
        except ImportError:
            continue
    return _ReScanner(triggers)


class _BothScanner:
    """Looks for what only foreign letters could hide where there are any; most logs have none."""

    def __init__(self, plain: Scanner, foreign: Scanner) -> None:
        self.engine = plain.engine
        self._plain_found, self._plain_ends = plain.found_in, plain.ends_in
        self._foreign = foreign

    def found_in(self, raw: bytes) -> bool:
        return self._plain_found(raw) or (not raw.isascii() and self._foreign.found_in(raw))

    def ends_in(self, raw: bytes) -> list[int]:
        ends = self._plain_ends(raw)
        return ends if raw.isascii() else ends + self._foreign.ends_in(raw)


class _Forgetting(Protocol):
    def forget_parent(self) -> None:
        """In a forked child: uses nothing any more that another thread of the parent may have been using."""


_to_forget: weakref.WeakSet[_Forgetting] = weakref.WeakSet()


def _forgetting_in_child(scanner: _Forgetting) -> None:
    _to_forget.add(scanner)


def _forked() -> None:
    for scanner in list(_to_forget):
        scanner.forget_parent()


os.register_at_fork(after_in_child=_forked)


class _HyperscanScanner:
    engine = "hyperscan"

    def __init__(self, triggers: tuple[Trigger, ...]) -> None:
        import hyperscan

        self._hyperscan: Any = hyperscan
        database = hyperscan.Database()
        database.compile(
            expressions=[trigger.pattern.encode() for trigger in triggers],
            ids=list(range(len(triggers))),
            elements=len(triggers),
            flags=[0] * len(triggers),
        )
        self._database: Any = database
        self._scan: Any = database.scan
        self._terminated: Any = hyperscan.ScanTerminated
        self._local = threading.local()
        _forgetting_in_child(self)

    def forget_parent(self) -> None:
        """A thread that was scanning at a fork has left its scratch space in use."""
        self._local = threading.local()

    def _scratch(self) -> Any:
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = self._hyperscan.Scratch(self._database)
        return scratch

    def found_in(self, raw: bytes) -> bool:
        try:
            self._scan(raw, _stop, 0, None, self._scratch())
        except self._terminated:
            return True
        return False

    def ends_in(self, raw: bytes) -> list[int]:
        ends: list[int] = []

        def note(_id: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ends.append(end)

        self._database.scan(raw, match_event_handler=note, scratch=self._scratch())
        return ends


def _stop(_id: int, _start: int, _end: int, _flags: int, _context: object) -> bool:
    return True


class _Re2Scanner:
    engine = "re2"

    def __init__(self, triggers: tuple[Trigger, ...]) -> None:
        import re2

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = _RE2_MEMORY_BYTES
        joined = "|".join(f"(?:{trigger.pattern})" for trigger in triggers).encode()

        def compiled() -> tuple[Any, Any]:
            one_set = re2.Set.SearchSet(options)
            one_set.Add(joined)
            one_set.Compile()
            return one_set.Match, re2.compile(joined, options)

        self._compiled = compiled
        self._of_parent: list[Any] = []
        self._match, self._one = compiled()
        _forgetting_in_child(self)

    def forget_parent(self) -> None:
        """RE2 works without the interpreter lock and guards its cache: a lock held at a fork stays held."""
        # Kept, since taking them down would ask for their locks.
        self._of_parent += (self._match, self._one)
        self._match = self._first_match

    def _first_match(self, raw: bytes) -> Any:
        self._match, self._one = self._compiled()
        return self._match(raw)

    def found_in(self, raw: bytes) -> bool:
        return bool(self._match(raw))

    def ends_in(self, raw: bytes) -> list[int]:
        # Saying whether is twice as fast as saying where, and nearly always the answer.
        return [match.end() for match in self._one.finditer(raw)] if self._match(raw) else []


class _ReScanner:
    """Looks for literals first: an alternation in `re` costs a thousand times as much."""

    engine = "re"

    def __init__(self, triggers: tuple[Trigger, ...]) -> None:
        patterns = [re.compile(trigger.pattern.encode()) for trigger in triggers]
        self._always = tuple(p for p, t in zip(patterns, triggers, strict=True) if not t.hints)
        by_hint: dict[str, list[re.Pattern[bytes]]] = {}
        for pattern, trigger in zip(patterns, triggers, strict=True):
            for hint in trigger.hints:
                by_hint.setdefault(hint, []).append(pattern)
        self._by_hint = tuple((*_words(hint), tuple(found)) for hint, found in by_hint.items())

    def _candidates(self, raw: bytes) -> set[re.Pattern[bytes]]:
        # As str: searching in it is several times as fast as in bytes.
        lowered = raw.decode("latin-1").lower()
        candidates = set(self._always)
        for word, others, patterns in self._by_hint:
            if word in lowered and all(other in lowered for other in others):
                candidates.update(patterns)
        return candidates

    def found_in(self, raw: bytes) -> bool:
        return any(pattern.search(raw) is not None for pattern in self._candidates(raw))

    def ends_in(self, raw: bytes) -> list[int]:
        return [match.end() for pattern in self._candidates(raw) for match in pattern.finditer(raw)]


def _words(hint: str) -> tuple[str, tuple[str, ...]]:
    """The longest word, which decides most often, and the rest."""
    words = sorted(hint.split(" "), key=len, reverse=True)
    return words[0], tuple(words[1:])
