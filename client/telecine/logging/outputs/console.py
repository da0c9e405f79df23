"""Writes records to standard output or standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from enum import StrEnum
from typing import Any, Final

from telecine.logging.outputs.rendering import Renderer

_MAX_NESTED: Final = 2
"""So many records of one thread may be written within each other: a signal handler logs while the thread
writes. More are a stream that logs what it is given."""


class _Text:
    """What is being written, and whether it came back as a record."""

    __slots__ = ("is_echoed", "lines")

    def __init__(self, text: str) -> None:
        self.lines = [line.strip() for line in text.splitlines() if line.strip()]
        self.is_echoed = False


WRITING: dict[int, list[_Text]] = {}
"""What each thread is writing to a console. Empty while none does: then no record can be an echo."""


class ConsoleTarget(StrEnum):
    """Where the console is."""

    STDOUT = "stdout"
    STDERR = "stderr"
    OFF = "off"


class Console:
    """An output; looks the stream up at each write, so that redirections are followed.

    The stream may be any object that can write: what it cannot do, and what it raises, costs the console
    its text and nobody else anything.
    """

    def __init__(self, target: ConsoleTarget, render: Renderer, level: int) -> None:
        """`level` is the lowest that is written."""
        self._is_stdout = target is ConsoleTarget.STDOUT
        self._render = render
        self._echoing: object = None
        self.level = level
        self.failures = 0

    def write(self, line: bytes) -> None:
        """Writes one record; a console that is gone is no reason to fail."""
        stream: Any = sys.stdout if self._is_stdout else sys.stderr
        if stream is self._echoing:
            # It hands to a logger what it is given: the terminal is behind it.
            stream = sys.__stdout__ if self._is_stdout else sys.__stderr__
        if stream is None:
            return
        raw = self._render(line)
        texts = WRITING.setdefault(threading.get_ident(), [])
        if len(texts) >= _MAX_NESTED:
            return
        text = raw.decode("utf-8", "replace")
        texts.append(_Text(text))
        try:
            _write(stream, text, raw)
        except RuntimeError:
            # A signal handler logs while the same stream is being written: past the buffer, then.
            with contextlib.suppress(OSError):
                os.write(1 if self._is_stdout else 2, raw)
        except Exception:  # noqa: BLE001 - the application's own stream
            return
        finally:
            if texts.pop().is_echoed:
                self._echoing = stream
            if not texts:
                WRITING.pop(threading.get_ident(), None)

    def close(self) -> None:
        """Nothing to release: the stream belongs to the interpreter."""


def is_echo(event: object) -> bool:
    """Whether a record only repeats what this thread is just writing to a console.

    That is so where a program has put a stream in the place of standard output that logs what is printed.
    """
    texts = WRITING.get(threading.get_ident())
    if not texts or not isinstance(event, str):
        return False
    if not any(line in event for line in texts[-1].lines):
        return False
    texts[-1].is_echoed = True
    return True


def is_terminal(target: ConsoleTarget) -> bool:
    """Whether a person may be looking."""
    stream: Any = sys.stdout if target is ConsoleTarget.STDOUT else sys.stderr
    try:
        return bool(stream.isatty())
    except Exception:  # noqa: BLE001 - the application's own stream, which may have no such method
        return False


def _write(stream: Any, text: str, raw: bytes) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = getattr(stream, "encoding", None) or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except TypeError:
        stream.write(raw)
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()
