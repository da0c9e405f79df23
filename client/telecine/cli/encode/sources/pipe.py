"""A pipe that has a name (`mkfifo`, `<(program)`), copied into a file: most formats are read to and fro."""

from __future__ import annotations

import os
import select
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from telecine.cli.show.failures import SourceError

WRITER_SECONDS: Final = 5.0
"""How long a pipe into which nobody writes is waited for."""
_PIECE_BYTES: Final = 1 << 20
_PIPE_ADVICE: Final = 'start the program that writes into it first, or pipe it into "telecine encode -"'


def is_pipe(path: Path) -> bool:
    """Whether it is a pipe, by whatever name a shell hands it on."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """A temporary file with all that comes out of the pipe. Raises SourceError, or OSError without room."""
    with tempfile.NamedTemporaryFile(prefix="telecine-pipe-") as file:
        with open_pipe(path) as pipe:
            while piece := pipe.read(_PIECE_BYTES):
                file.write(piece)
        file.flush()
        if not file.tell():
            raise SourceError(f"{path}: nothing came out of this pipe", _PIPE_ADVICE)
        yield Path(file.name)


def open_pipe(path: Path) -> BinaryIO:
    """Opens a pipe once somebody writes into it. Raises SourceError when nobody does."""
    # To open one without a writer would wait for ever, and Ctrl-C would be all that helps.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _await_writer(descriptor, path)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _await_writer(descriptor: int, path: Path) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + WRITER_SECONDS
    while (remaining := deadline - time.monotonic()) > 0:
        # POLLHUP alone: there has been no writer yet, or the only one has gone without a byte.
        events = poll.poll(min(remaining, 0.1) * 1000)
        if events and events[0][1] & select.POLLIN:
            return
        if events:
            time.sleep(0.02)
    raise SourceError(f"{path}: nobody wrote into this pipe for {WRITER_SECONDS:g} s", _PIPE_ADVICE)
