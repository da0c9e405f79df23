"""What a batch changes in the selecting processors: noted for the journal, and taken back if that fails."""

from __future__ import annotations

from collections.abc import Callable


class Undo:
    """Steps that are run in reverse, once; and which records are held that were not, and the reverse."""

    __slots__ = ("_steps", "given", "taken")

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []
        self.taken: list[tuple[int, bytes]] = []
        """Records that are held from now on, each with how many were left out before it."""
        self.given: list[bytes] = []
        """Records that are held no more: given out or given up."""

    def add(self, step: Callable[[], object]) -> None:
        """Notes how to take back the change that is being made."""
        self._steps.append(step)

    def run(self) -> None:
        """Takes all back."""
        while self._steps:
            self._steps.pop()()
