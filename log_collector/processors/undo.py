"""Takes back what a batch changed in the selecting processors, when the journal could not keep the batch."""

from __future__ import annotations

from collections.abc import Callable


class Undo:
    """Steps that are run in reverse, once."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def add(self, step: Callable[[], object]) -> None:
        """Notes how to take back the change that is being made."""
        self._steps.append(step)

    def run(self) -> None:
        """Takes all back."""
        while self._steps:
            self._steps.pop()()
