"""Turns foreign objects into text within a bound of time and memory.

`str()` of objects that refer to each other takes without end: each `__repr__` that Python, attrs or pydantic
generates notices a cycle, but not that twelve nodes that know each other have 12! ways through them. So what
would be shown is counted first, the way `repr` would walk it.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec

_MAX_PARTS = 50_000
"""As many parts does a text show at most; 64 characters of a nested text count as one."""
_MAX_CALLS = 3
"""So deep may a `__str__` log what is shown by a `__str__` that logs."""

T = TypeVar("T")

_calls = threading.local()
_SCALARS = (int, float, complex, bool, type(None), type)


def text_of(value: Any, show: Callable[[Any], str] = str) -> str:
    """`str(value)`, or what else `show` makes of it, or a note where that would not end.

    Raises:
        Exception: whatever the object's own `__str__` raises.
    """
    if type(value) is str:
        return str(value)
    if not is_shown_soon(value):
        return f"<{type(value).__name__}: too many parts to be shown>"
    return called(show, value)


def called(function: Callable[..., T], *args: Any) -> T:
    """Calls what may run foreign code, which may log in its turn.

    Raises:
        RecursionError: the foreign code logs what makes it be called again.
    """
    depth = getattr(_calls, "depth", 0)
    if depth >= _MAX_CALLS:
        raise RecursionError("it logs itself while it is logged")
    _calls.depth = depth + 1
    try:
        return function(*args)
    finally:
        _calls.depth = depth


def is_shown_soon(value: Any) -> bool:
    """Whether the text of the value has a bounded number of parts; never raises."""
    if isinstance(value, (str, *_SCALARS)):
        return True
    try:
        return _is_within(value, _MAX_PARTS)
    except Exception:  # noqa: BLE001 - foreign code in __iter__ or a property: its own __repr__ may do better
        return True


def _is_within(value: Any, left: int) -> bool:
    path = {id(value)}
    stack: list[tuple[int, Iterator[Any]]] = [(id(value), iter(_parts(value)))]
    while stack:
        identity, parts = stack[-1]
        for part in parts:
            left -= 1
            if left < 0:
                return False
            if isinstance(part, (str, bytes, bytearray)):
                left -= len(part) >> 6
            elif not isinstance(part, _SCALARS) and id(part) not in path:
                path.add(id(part))
                stack.append((id(part), iter(_parts(part))))
                break
        else:
            path.discard(identity)
            stack.pop()
    return True


def _parts(value: Any) -> Iterable[Any]:
    """What the usual `__repr__` of such an object shows; nothing for one of its own making."""
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return islice(value, _MAX_PARTS + 1)
    if isinstance(value, dict):
        return (part for item in value.items() for part in item)
    if isinstance(value, BaseException):
        return value.args
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        # Only a generated one is wrapped against cycles.
        is_generated = hasattr(kind.__repr__, "__wrapped__")
        names = [field.name for field in dataclasses.fields(kind) if field.repr] if is_generated else []
    elif issubclass(kind, msgspec.Struct):
        names = list(kind.__struct_fields__)
    elif attributes := getattr(kind, "__attrs_attrs__", None):
        names = [attribute.name for attribute in attributes if attribute.repr]
    elif issubclass(kind, SimpleNamespace) or hasattr(kind, "__pydantic_fields__"):
        return list(vars(value).values())
    else:
        return ()
    return (getattr(value, name, None) for name in names)
