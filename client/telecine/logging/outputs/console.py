"""Writes records to standard output or standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from enum import StrEnum
from typing import TextIO

from telecine.logging.outputs.rendering import Renderer


class ConsoleTarget(StrEnum):
    """Where the console is."""

    STDOUT = "stdout"
    STDERR = "stderr"
    OFF = "off"


class Console:
    """An output; looks the stream up at each write, so that redirections are followed."""

    def __init__(self, target: ConsoleTarget, render: Renderer, level: int) -> None:
        """`level` is the lowest that is written."""
        self._is_stdout = target is ConsoleTarget.STDOUT
        self._render = render
        self.level = level

    def write(self, line: bytes) -> None:
        """Writes one record; a console that is gone is no reason to fail."""
        text = self._render(line)
        stream: TextIO | None = sys.stdout if self._is_stdout else sys.stderr
        if stream is None:
            return
        try:
            stream.write(text.decode("utf-8", "replace"))
            stream.flush()
        except RuntimeError:
            # A signal handler logs while the same stream is being written: past the buffer, then.
            with contextlib.suppress(OSError):
                os.write(1 if self._is_stdout else 2, text)
        except (OSError, ValueError):
            return

    def close(self) -> None:
        """Nothing to release: the stream belongs to the interpreter."""


def is_terminal(target: ConsoleTarget) -> bool:
    """Whether a person may be looking."""
    stream = sys.stdout if target is ConsoleTarget.STDOUT else sys.stderr
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
