"""Asks a struct what its fields' types cannot say, also while some of its fields could not be read."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

FAULTY: Any = object()
"""Stands for a value that could not be read and whose fault is reported."""


class _UnknownValueError(Exception):
    """A check needs a field whose value is not known; it is not the time to judge."""


class _Partial:
    """Looks like the struct; touching a field that could not be read ends the check."""

    def __init__(self, kind: type, values: Mapping[str, object]) -> None:
        self._kind = kind
        self._values = values

    def __getattr__(self, name: str) -> object:
        if name in self._values:
            if self._values[name] is FAULTY:
                raise _UnknownValueError(name)
            return self._values[name]
        found = inspect.getattr_static(self._kind, name)
        return found.__get__(self, self._kind) if hasattr(found, "__get__") else found


def find_faults(kind: type, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yields (field, what is expected) from `kind.find_faults`, where it has one.

    So that all faults are told at once, the checks run on the fields that are sound, up to the first
    check that needs another.
    """
    check = getattr(kind, "find_faults", None)
    if check is None:
        return
    try:
        yield from check(_Partial(kind, values))
    except _UnknownValueError:
        return
