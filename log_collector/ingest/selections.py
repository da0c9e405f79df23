"""Keeps the rules in force with a memory for each tenant: no record of one moves those of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from log_collector.ingest.selection import Selection, SelectionConfig

_REMEMBERED: Final = 1000


class Selections:
    """Belongs to one thread."""

    def __init__(self, config: SelectionConfig) -> None:
        self._config = config
        self._of: dict[str, Selection] = {"": Selection(config)}
        self.is_active = self._of[""].is_active
        """False: every record is kept, no need to look at any."""

    @property
    def held_count(self) -> int:
        """How many accepted records wait in memory, of all tenants."""
        return sum(selection.held_count for selection in self._of.values())

    def held_by(self, tenant: str) -> int:
        """How many of one tenant's wait."""
        selection = self._of.get(tenant)
        return selection.held_count if selection is not None else 0

    def of(self, tenant: str) -> Selection:
        """A tenant's; "" is the root one's."""
        selection = self._of.get(tenant)
        if selection is None:
            if len(self._of) >= _REMEMBERED:
                self._of = {name: each for name, each in self._of.items() if not name or each.held_count}
            selection = self._of[tenant] = Selection(self._config)
        return selection

    def all(self) -> Iterator[tuple[str, Selection]]:
        """Each tenant with its own."""
        yield from list(self._of.items())
