"""The stretch of records that a viewer holds: bounded, followed or paused, scrolled back a page at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from telecine.log_view.record_view import Item, RecordView

_ITEM_BYTES: Final = 250
"""What a record costs beside its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLimits:
    """How much a viewer may hold. Raises ValueError for less than one."""

    records: int = 10_000
    size_bytes: int = 64 << 20
    """Bytes of their lines, with the overhead of each record. One record is always held."""

    def __post_init__(self) -> None:
        if self.records < 1 or self.size_bytes < 1:
            raise ValueError(f"a viewer must hold 1 record and 1 byte or more, not {self}")


class BoundedItems:
    """Items in order; over a limit, those at the other end leave. Not thread-safe."""

    def __init__(self, limits: WindowLimits) -> None:
        self._limits = limits
        self._items: deque[Item] = deque()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> Item:
        return self._items[place]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def append(self, items: Iterable[Item]) -> int:
        """Adds at the end; returns how many left at the beginning."""
        gone = 0
        for item in items:
            self._items.append(item)
            self.size_bytes += _size(item)
            while self._is_over():
                self.size_bytes -= _size(self._items.popleft())
                gone += 1
        return gone

    def prepend(self, items: Sequence[Item]) -> int:
        """Adds at the beginning, the last of them next to the first that is held; returns how many left."""
        gone = 0
        for item in reversed(items):
            self._items.appendleft(item)
            self.size_bytes += _size(item)
            while self._is_over():
                self.size_bytes -= _size(self._items.pop())
                gone += 1
        return gone

    def clear(self) -> None:
        """Drops all items that are held."""
        self._items.clear()
        self.size_bytes = 0

    def _is_over(self) -> bool:
        limits = self._limits
        is_over = len(self._items) > limits.records or self.size_bytes > limits.size_bytes
        return is_over and len(self._items) > 1


class RecordWindow:
    """What is shown, and what waits while it is paused. Not thread-safe.

    An item keeps its number for as long as it is held, while others come and leave; older pages
    have smaller numbers, below zero if need be.
    """

    def __init__(self, limits: WindowLimits) -> None:
        self._limits = limits
        self._shown = BoundedItems(limits)
        self._waiting = BoundedItems(limits)
        self._is_waiting_cut = False
        self.first_number = 0
        """The number of the oldest item that is shown."""
        self.is_paused = False
        self.is_detached = False
        """Whether newer records left while scrolling back: following again starts over."""
        self.waiting_count = 0
        """How many came since the pause."""

    def __len__(self) -> int:
        return len(self._shown)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._shown)

    @property
    def end_number(self) -> int:
        """One more than the newest's that is shown."""
        return self.first_number + len(self._shown)

    @property
    def size_bytes(self) -> int:
        """The size of everything that is held."""
        return self._shown.size_bytes + self._waiting.size_bytes

    def item(self, number: int) -> Item | None:
        """The item of a number; None: it is not held."""
        place = number - self.first_number
        return self._shown[place] if 0 <= place < len(self._shown) else None

    def add(self, items: Sequence[Item]) -> None:
        """Takes what has just arrived, in its order."""
        if not self.is_paused:
            self.first_number += self._shown.append(items)
            return
        self.waiting_count += len(items)
        self._is_waiting_cut |= bool(self._waiting.append(items))

    def pause(self) -> None:
        """Lets new records wait from now on."""
        self.is_paused = True

    def follow(self) -> bool:
        """Shows what waited. False: the window is detached and was emptied; load the newest again."""
        self.is_paused = False
        is_whole = not self.is_detached
        waited = list(self._waiting)
        if self._is_waiting_cut or self.is_detached:
            # What waited does not follow on what is shown: some between them are not held.
            self.first_number = self.end_number
            self._shown.clear()
        if is_whole:
            self.first_number += self._shown.append(waited)
        self._forget_waiting()
        self.is_detached = False
        return is_whole

    def add_older(self, items: Sequence[Item]) -> None:
        """Takes the page before the oldest that is shown, oldest first; pauses."""
        self.is_paused = True
        self.is_detached |= bool(self._shown.prepend(items))
        # What came over the limit left at the end, so the oldest keep their numbers.
        self.first_number -= min(len(items), len(self._shown))

    def clear(self) -> None:
        """Starts over with nothing, following."""
        self.first_number = 0
        self._shown.clear()
        self._forget_waiting()
        self.is_paused = self.is_detached = False

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._is_waiting_cut = False
        self.waiting_count = 0


def _size(item: Item) -> int:
    return _ITEM_BYTES + (len(item.line) if isinstance(item, RecordView) else len(item.reason))
