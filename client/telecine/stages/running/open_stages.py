"""The stages that are open in this process: notified at its end, and after a fork."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Protocol


class OpenStage(Protocol):
    """A stage that has not ended."""

    def share(self) -> None:
        """Another stage is open in the same process; called from any thread."""

    def program_ended(self) -> None:
        """The program ends, and nobody has said how the stage ended."""

    def forked(self) -> None:
        """This is a forked child; the stage stays the parent's."""


_lock = threading.Lock()
_open: set[OpenStage] = set()


def enter(stage: OpenStage) -> None:
    """Notes that a stage has begun."""
    with _lock:
        others = list(_open)
        _open.add(stage)
    for other in others:
        other.share()
    if others:
        stage.share()


def leave(stage: OpenStage) -> None:
    """Notes that a stage has ended; idempotent."""
    with _lock:
        _open.discard(stage)


def _end_all() -> None:
    for stage in list(_open):
        stage.program_ended()


def _forked() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()
    for stage in list(_open):
        stage.forked()
    _open.clear()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forked)
