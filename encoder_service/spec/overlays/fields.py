"""Fills in the fields of an overlay's text: {frame}, {time}, {job_id} and the keys of the job's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

OF_FRAMES: Final = ("frame", "time")
"""Differ from frame to frame."""
OF_JOBS: Final = ("job_id",)

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def field_names(text: str) -> tuple[str, ...]:
    """The fields that a text names, in order. Raises ValueError for a brace that stands alone."""
    names = []
    for found in _PIECE.finditer(text):
        if found[1] is not None:
            names.append(found[1])
        elif len(found[0]) == 1:
            raise ValueError(f'a single {found[0]!r}; write it twice to show one: "{found[0] * 2}"')
    return tuple(names)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text as it is shown. Raises KeyError for a field without a value."""
    return _PIECE.sub(lambda found: found[0][0] if found[1] is None else values[found[1]], text)
