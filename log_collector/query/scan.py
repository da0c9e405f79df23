"""Finds the records of files that pass a selector, in the order of their times, a page at a time."""

from __future__ import annotations

import hashlib
import heapq
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from log_collector.files.names import LogFile
from log_collector.query.reading_files import Prepare, read_sound_blocks
from log_collector.query.selector import Selector

_KNOWN_BLOCKS: Final = 200_000
_KNOWN_BY_BYTES: Final = 4 << 10
_NEWLINE: Final = b"\n"


class Place(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Where a record stands among all; stays the same when its file is rotated or packed."""

    timestamp: str
    stream: str
    number: int
    offset: int


class Found(msgspec.Struct, frozen=True, order=True):
    """A record that passes."""

    place: Place
    line: bytes


class _Time(msgspec.Struct, gc=False):
    timestamp: str = ""


class TimeIndex:
    """Remembers the oldest and newest time of blocks that were read once: those never change."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int, int], tuple[str, str]] = OrderedDict()
        self._decoder = msgspec.json.Decoder(_Time)

    def times(self, block: bytes) -> tuple[str, str]:
        """Oldest and newest time in a block, which is known by what it holds: names and places change."""
        key = (len(block), hash(block[:_KNOWN_BY_BYTES]), hash(block[-_KNOWN_BY_BYTES:]))
        known = self._known.get(key)
        if known is None:
            known = self._read(block)
            self._known[key] = known
            if len(self._known) > _KNOWN_BLOCKS:
                self._known.popitem(last=False)
        return known

    def _read(self, block: bytes) -> tuple[str, str]:
        try:
            times = [key.timestamp for key in self._decoder.decode_lines(block)]
        except msgspec.MsgspecError:
            return "", "\x7f"
        return min(times), max(times)


class Page(msgspec.Struct):
    """What one scan found."""

    found: list[Found]
    has_more: bool
    scanned_bytes: int
    damaged: list[str]
    """Files that could not be read to their end, each with its fault."""


class Scanner:
    """Holds no files between calls; `index` may be shared by threads, for it is only a memory."""

    def __init__(self, index: TimeIndex, prepare: Prepare | None = None) -> None:
        """`prepare`: for files whose lines need not be records; None: they are the collector's own."""
        self._index = index
        self._prepare = prepare

    def page(
        self,
        files: Sequence[LogFile],
        selector: Selector,
        size: int,
        after: Place | None,
        *,
        is_newest_first: bool,
    ) -> Page:
        """The first `size` records that pass behind `after`."""
        kept = _Best(size + 1, is_newest_first=is_newest_first)
        scanned = 0
        damaged: list[str] = []
        for listed in reversed(files) if is_newest_first else files:
            file = listed
            for offset, block in read_sound_blocks(listed.path, damaged, self._prepare):
                if not offset and not listed.number:
                    # Others number anew at each rotation: what the file begins with is all that stays.
                    file = msgspec.structs.replace(listed, number=_number_of(block))
                scanned += len(block)
                self._scan(file, offset, block, selector, after, kept)
        found = kept.in_order()
        return Page(found[:size], len(found) > size, scanned, damaged)

    def _scan(
        self, file: LogFile, offset: int, block: bytes, selector: Selector, after: Place | None, kept: _Best
    ) -> None:
        is_time_all = not selector.needles
        if is_time_all or kept.is_full or after is not None or selector.since or selector.until:
            oldest, newest = self._index.times(block)
            if (selector.since and newest < selector.since) or (selector.until and oldest >= selector.until):
                return
            if not kept.may_take(oldest, newest):
                return
            if after is not None and not kept.may_follow(oldest, newest, after.timestamp):
                return
        if not selector.is_narrow:
            self._scan_times(file, offset, block, selector, after, kept)
            return
        for start, line in candidates(block, selector):
            timestamp = selector.passes(line)
            if timestamp is not None:
                place = Place(timestamp, file.stream, file.number, offset + start)
                if after is None or kept.is_behind(place, after):
                    kept.take(Found(place, line))

    def _scan_times(
        self, file: LogFile, offset: int, block: bytes, selector: Selector, after: Place | None, kept: _Best
    ) -> None:
        """As the rest of `_scan`, where nothing but the time counts."""
        decoder = self._index._decoder  # noqa: SLF001 - the same module's
        lines = block[:-1].split(_NEWLINE)
        try:
            times = decoder.decode_lines(block)
        except msgspec.MsgspecError:
            times = [_time_of(line) for line in lines]
        at = offset
        for line, key in zip(lines, times, strict=True):
            timestamp = key.timestamp
            is_in = (not selector.since or timestamp >= selector.since) and (
                not selector.until or timestamp < selector.until
            )
            if is_in and kept.may_take(timestamp, timestamp):
                place = Place(timestamp, file.stream, file.number, at)
                if after is None or kept.is_behind(place, after):
                    kept.take(Found(place, line))
            at += len(line) + 1


def _number_of(block: bytes) -> int:
    """A number below 0 for a file that others have rotated, which it keeps when it is renamed or packed."""
    digest = hashlib.blake2b(block[:_KNOWN_BY_BYTES], digest_size=7).digest()
    return -1 - int.from_bytes(digest, "big")


def _time_of(line: bytes) -> _Time:
    try:
        return msgspec.json.decode(line, type=_Time)
    except msgspec.MsgspecError:
        return _Time()


class _Best:
    """The first `size` records of an order, whatever order they come in."""

    def __init__(self, size: int, *, is_newest_first: bool) -> None:
        self._size = size
        self._is_newest_first = is_newest_first
        self._records: list[Found] = []
        self._limit = ""
        self._trim_at = max(2 * size, 1000)

    @property
    def is_full(self) -> bool:
        """Whether a further record must be better than the worst."""
        return bool(self._limit)

    def may_take(self, oldest: str, newest: str) -> bool:
        """Whether anything between these times could be among the first."""
        if not self._limit:
            return True
        return newest >= self._limit if self._is_newest_first else oldest <= self._limit

    def may_follow(self, oldest: str, newest: str, after: str) -> bool:
        """Whether anything between these times comes behind a time."""
        return oldest <= after if self._is_newest_first else newest >= after

    def is_behind(self, place: Place, after: Place) -> bool:
        """Whether a place comes later in the order."""
        return place < after if self._is_newest_first else place > after

    def take(self, found: Found) -> None:
        """Considers a record."""
        self._records.append(found)
        if len(self._records) >= self._trim_at:
            self._records = self.in_order()
            self._limit = self._records[-1].place.timestamp

    def in_order(self) -> list[Found]:
        """The first of all, in order."""
        if self._is_newest_first:
            return heapq.nlargest(self._size, self._records)
        return heapq.nsmallest(self._size, self._records)


def candidates(block: bytes, selector: Selector) -> Iterator[tuple[int, bytes]]:
    """The lines that may pass, with their offsets in the block, in order."""
    if not selector.needles:
        start = 0
        for line in block[:-1].split(_NEWLINE):
            yield start, line
            start += len(line) + 1
        return
    searched = block.lower() if selector.folds_case else block
    # The rarest kind of test first: a text or an id is rarer than a level.
    needles = [*selector.needles[0]]
    if b"\\u" in block:
        needles.append(b"\\u")
    yield from _lines_with(block, searched, needles)


def _lines_with(block: bytes, searched: bytes, needles: list[bytes]) -> Iterator[tuple[int, bytes]]:
    heads = [(at, needle) for needle in needles if (at := searched.find(needle)) >= 0]
    heapq.heapify(heads)
    while heads:
        at, needle = heads[0]
        start = block.rfind(_NEWLINE, 0, at) + 1
        end = block.find(_NEWLINE, at)
        yield start, block[start:end]
        while heads and heads[0][0] < end:
            _, needle = heapq.heappop(heads)
            following = searched.find(needle, end)
            if following >= 0:
                heapq.heappush(heads, (following, needle))
