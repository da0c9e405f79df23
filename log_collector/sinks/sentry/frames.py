"""Reads the frames out of a Python traceback's text."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_FRAME: Final = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_HEAD: Final = "Traceback (most recent call last):"
_MAX_FRAMES: Final = 100
_LIBRARIES: Final = ("site-packages/", "dist-packages/", "/lib/python")


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame, with Sentry's names."""

    filename: str
    lineno: int
    function: str = "<module>"
    context_line: str = ""
    in_app: bool = True


def read_frames(stack: str) -> list[Frame]:
    """The frames of the last traceback in a text, the outermost first, as Sentry wants them; else none.

    Of more than 100 the innermost stay.
    """
    found: list[Frame] = []
    lines = stack[stack.rfind(_HEAD) + len(_HEAD) :].split("\n") if _HEAD in stack else []
    for index, line in enumerate(lines):
        match = _FRAME.match(line)
        if match is None:
            continue
        after = lines[index + 1].strip() if index + 1 < len(lines) else ""
        is_source = bool(after) and _FRAME.match(lines[index + 1]) is None and lines[index + 1][:4] == "    "
        file = match["file"]
        found.append(
            Frame(
                filename=file,
                lineno=int(match["line"]),
                function=match["function"] or "<module>",
                context_line=after if is_source else "",
                in_app=not any(part in file for part in _LIBRARIES),
            )
        )
    return found[-_MAX_FRAMES:]
