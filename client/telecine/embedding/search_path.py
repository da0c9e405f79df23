"""Keeps a program of ours from importing what merely lies in the working directory."""

from __future__ import annotations

import os
import sys


def leave_working_directory(main_file: str) -> None:
    """Undoes that `python -m` searches the working directory before everything else.

    Call it first thing in a `__main__` module, with its `__file__`. Where the program itself lies in the
    working directory, as in a checkout that is not installed, it is searched last. What `python -m` imports
    before a program runs is out of reach: only `python -P -m` keeps all of it safe.
    """
    if sys.flags.safe_path or not sys.path:
        return
    first = os.path.realpath(sys.path[0])
    if first != os.path.realpath(""):
        return
    del sys.path[0]
    if os.path.realpath(main_file).startswith(first.rstrip(os.sep) + os.sep):
        sys.path.append(first)
