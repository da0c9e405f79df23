"""The door to the multi-pattern engines: does anything in these bytes look like a secret, and where?

Hyperscan or google-re2 where they are installed, else the standard library.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from typing import Any, Protocol

from telecine.logging.redaction.rules import Trigger

_RE2_MEMORY_BYTES = 64 << 20
_MAX_BEGINNINGS = 160
_PART = 3
_FREQUENT = 'zqjxkvwybgpf_hcm-ul.d/:1023rsnaiote" '
"""Characters of log lines, the most frequent last."""
_Find = Callable[[], re.Pattern[bytes]]
_Hint = tuple[tuple[str, ...], tuple[_Find, ...]]
"""Words that stand in a match, the longest first, and what they lead to."""
_BEGINNING = re.compile(r"(?:\(\?:([A-Za-z0-9]+(?:\|[A-Za-z0-9]+)+)\)|\[[^\]\\^]+\])(?![?*+{])")
"""A group of literals, or a class of characters."""


class Scanner(Protocol):
    """Finds triggers in raw bytes; safe to call from any thread."""

    @property
    def engine(self) -> str:
        """Which engine answers: `hyperscan`, `re2` or `re`."""

    def found_in(self, raw: bytes) -> bool:
        """Whether any trigger matches."""

    def ends_in(self, raw: bytes) -> list[int]:
        """Offsets just behind each match, in no certain order."""

    def make_ready(self) -> None:
        """Makes now what is otherwise made when it is needed first."""


def build_scanner(
    triggers: tuple[Trigger, ...], engine: str | None = None, *, prefers_fast_start: bool = False
) -> Scanner:
    """The fastest engine that is installed, or the one that is named.

    Hyperscan scans large batches three times as fast as RE2 and takes a second to build; for single
    records they are alike, so `prefers_fast_start` takes RE2 first, and leaves for later what few need.

    Raises:
        ValueError: an engine is named that is not installed or does not exist.
    """
    foreign = tuple(trigger._replace(is_foreign=False) for trigger in triggers if trigger.is_foreign)
    if foreign:
        plain = tuple(trigger for trigger in triggers if not trigger.is_foreign)
        plain_scanner = build_scanner(plain, engine, prefers_fast_start=prefers_fast_start)
        both = _BothScanner(
            plain_scanner, lambda: build_scanner(foreign, engine, prefers_fast_start=prefers_fast_start)
        )
        if not prefers_fast_start:
            both.make_ready()
        return both
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


def build_scanner_beside(triggers: tuple[Trigger, ...]) -> Scanner:
    """Answers at once, and with Hyperscan as soon as a thread has built it, which needs no interpreter lock.

    Where RE2 is missing, Hyperscan is waited for: until it is there, nothing else would be fast enough.
    """
    if not (find_spec("hyperscan") and find_spec("re2")):
        return build_scanner(triggers)
    return EarlyScanner(build_scanner(triggers, "re2"), lambda: build_scanner(triggers, "hyperscan"))


class EarlyScanner:
    """What can be built at once, until what is faster with large batches is built."""

    def __init__(self, early: Scanner, build: Callable[[], Scanner]) -> None:
        self._current = early
        self._build = build
        self._building = threading.Thread(target=self._change, name="telecine-scanner")
        self._building.start()

    def _change(self) -> None:
        self._current = self._build()

    @property
    def engine(self) -> str:
        """The one that answers now."""
        return self._current.engine

    def make_ready(self) -> None:
        """Returns once the faster one answers."""
        self._building.join()

    def found_in(self, raw: bytes) -> bool:
        """Whether any trigger matches."""
        return self._current.found_in(raw)

    def ends_in(self, raw: bytes) -> list[int]:
        """Offsets just behind each match."""
        return self._current.ends_in(raw)


class _BothScanner:
    """Looks for what only foreign letters could hide where there are any; most logs have none."""

    def __init__(self, plain: Scanner, build_foreign: Callable[[], Scanner]) -> None:
        self.engine = plain.engine
        self._plain = plain
        self._plain_found, self._plain_ends = plain.found_in, plain.ends_in
        self._foreign = lru_cache(maxsize=1)(build_foreign)

    def make_ready(self) -> None:
        self._plain.make_ready()
        self._foreign().make_ready()

    def found_in(self, raw: bytes) -> bool:
        return self._plain_found(raw) or (not raw.isascii() and self._foreign().found_in(raw))

    def ends_in(self, raw: bytes) -> list[int]:
        ends = self._plain_ends(raw)
        return ends if raw.isascii() else ends + self._foreign().ends_in(raw)


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
        expressions = [piece.encode() for trigger in triggers for piece in _by_beginning(trigger)]
        database.compile(
            expressions=expressions,
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=[0] * len(expressions),
        )
        self._database: Any = database
        self._scan: Any = database.scan
        self._terminated: Any = hyperscan.ScanTerminated
        self._local = threading.local()
        _forgetting_in_child(self)

    def forget_parent(self) -> None:
        """A thread that was scanning at a fork has left its scratch space in use."""
        self._local = threading.local()

    def make_ready(self) -> None:
        """All is made already."""

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


def _by_beginning(trigger: Trigger) -> list[str]:
    """One pattern for each of the few beginnings of a trigger without any other literal.

    Hyperscan looks for literals many times as fast as for classes and alternations.
    """
    beginnings, rest = [""], trigger.pattern
    while not trigger.hints and (match := _BEGINNING.match(rest)):
        options = match[1].split("|") if match[1] else _members(match[0])
        if len(beginnings) * len(options) > _MAX_BEGINNINGS:
            break
        beginnings = [beginning + option for beginning in beginnings for option in options]
        rest = rest[match.end() :]
    return [beginning + rest for beginning in beginnings]


def _members(character_class: str) -> list[str]:
    found = re.compile(character_class)
    return [re.escape(chr(code)) for code in range(128) if found.match(chr(code))]


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

        def compiled() -> Any:
            one_set = re2.Set.SearchSet(options)
            one_set.Add(joined)
            one_set.Compile()
            return one_set.Match

        self._compiled = compiled
        self._compiled_one: Callable[[], Any] = lambda: re2.compile(joined, options)
        self._of_parent: list[Any] = []
        self._match = compiled()
        self._one: Any = None
        """Says where: made when it is asked for first, which is never where single records are scanned."""
        _forgetting_in_child(self)

    def forget_parent(self) -> None:
        """RE2 works without the interpreter lock and guards its cache: a lock held at a fork stays held."""
        # Kept, since taking them down would ask for their locks.
        self._of_parent += (self._match, self._one)
        self._match, self._one = self._first_match, None

    def make_ready(self) -> None:
        """What says where a match is waits on: where it is asked for, it is so in few batches."""

    def _first_match(self, raw: bytes) -> Any:
        self._match = self._compiled()
        return self._match(raw)

    def found_in(self, raw: bytes) -> bool:
        return bool(self._match(raw))

    def ends_in(self, raw: bytes) -> list[int]:
        # Saying whether is twice as fast as saying where, and nearly always the answer.
        if not self._match(raw):
            return []
        one = self._one
        if one is None:
            one = self._one = self._compiled_one()
        return [match.end() for match in one.finditer(raw)]


class _ReScanner:
    """Looks for literals first: an alternation in `re` costs a thousand times as much."""

    engine = "re"

    def __init__(self, triggers: tuple[Trigger, ...]) -> None:
        self._always = tuple(_lazily(trigger.pattern) for trigger in triggers if not trigger.hints)
        by_hint: dict[str, list[_Find]] = {}
        for trigger in triggers:
            find = _lazily(trigger.pattern)
            for hint in trigger.hints:
                by_hint.setdefault(hint, []).append(find)
        self._short: list[_Hint] = []
        self._by_part: dict[str, list[_Hint]] = {}
        for hint, found in by_hint.items():
            words = tuple(sorted(hint.split(" "), key=len, reverse=True))
            parts = [words[0][i : i + _PART] for i in range(len(words[0]) - _PART + 1)]
            known = self._by_part.setdefault(max(parts, key=_rarity), []) if parts else self._short
            known.append((words, tuple(found)))
        self._parts = frozenset(self._by_part)

    def make_ready(self) -> None:
        """Each pattern waits on."""

    def _candidates(self, raw: bytes) -> set[_Find]:
        # As str: searching in it is several times as fast as in bytes.
        lowered = raw.decode("latin-1").lower()
        candidates = set(self._always)
        parts = self._parts.intersection(map("".join, zip(lowered, lowered[1:], lowered[2:], strict=False)))
        for words, finds in chain(self._short, *(self._by_part[part] for part in parts)):
            if all(word in lowered for word in words):
                candidates.update(finds)
        return candidates

    def found_in(self, raw: bytes) -> bool:
        return any(find().search(raw) is not None for find in self._candidates(raw))

    def ends_in(self, raw: bytes) -> list[int]:
        return [match.end() for find in self._candidates(raw) for match in find().finditer(raw)]


def _lazily(pattern: str) -> _Find:
    """Compiles the pattern when it is needed: most never are, and a program should start quickly."""
    return lru_cache(maxsize=1)(lambda: re.compile(pattern.encode()))


def _rarity(part: str) -> int:
    """How seldom its rarest letter stands in what programs write."""
    return max(len(_FREQUENT) - found if (found := _FREQUENT.rfind(char)) >= 0 else 99 for char in part)
