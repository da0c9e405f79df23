"""Runs a program (ffmpeg, whisperx …) for a stage, with everything that it says in the stage's log."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from telecine.stages.errors import StageUsageError, ToolFailedError
from telecine.stages.running.logger import StageLogger

_TAIL_LINES = 20
_TAIL_CHARS = 2000


def run_tool(
    logger: StageLogger,
    command: Sequence[str | Path],
    *,
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Runs a command to its end; its two outputs become DEBUG lines, in the order in which they come.

    `run_tool(stage.logger, ["ffmpeg", "-y", "-i", source, target])`. It reads no input, and ends with this
    call, also where that is interrupted.

    Args:
        logger: Gets the command and every line of it.
        command: The program and its arguments; no shell reads them.
        directory: Where it runs. None: where this process does.
        environ: Variables that are added to this process's own. None: no others.

    Raises:
        StageUsageError: The command is no list of arguments.
        ToolFailedError: It ended with another code than 0; the message holds its last lines.
        OSError: It cannot be started.
    """
    logger.debug("$ %s", shlex.join(words := _words_of(command)))
    began_seconds = time.monotonic()
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    program = subprocess.Popen(
        words,
        cwd=directory,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with program:
        try:
            for line in program.stdout or ():
                if text := line.rstrip():
                    tail.append(text)
                    logger.debug("%s", text)
        except BaseException:
            program.kill()
            raise
    seconds = time.monotonic() - began_seconds
    logger.debug("%s ended with code %d after %.2f s", words[0], program.returncode, seconds)
    if program.returncode:
        said = "\n".join(tail)[-_TAIL_CHARS:]
        raise ToolFailedError(f"{words[0]} ended with code {program.returncode}: {said}")


def _words_of(command: object) -> list[str]:
    is_list = isinstance(command, Iterable) and not isinstance(command, str | bytes | os.PathLike | Mapping)
    words = list(command) if isinstance(command, Iterable) and is_list else []
    if not words or not all(isinstance(word, str | os.PathLike) for word in words):
        raise StageUsageError(
            f"the command is {command!r}; expected a list of arguments, text or paths, such as "
            '["ffmpeg", "-version"]; no shell reads them'
        )
    return [os.fspath(word) for word in words]
