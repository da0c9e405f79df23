"""When a stand-in goes back to the tool's own function: with a coded warning, and never with `strict`."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from telecine.exceptions import TelecineError

OURS = "is_telecine"
"""The attribute of functions that stand in for others."""


class CompatCode(StrEnum):
    """What a stand-in has to say; docs/integrations.md explains each."""

    FELL_BACK = "COMPAT_FELL_BACK"
    BOUND_BEFORE = "COMPAT_BOUND_BEFORE"
    NOT_INSTALLED = "COMPAT_NOT_INSTALLED"
    UNKNOWN_SIGNATURE = "COMPAT_UNKNOWN_SIGNATURE"
    ARGUMENT_IGNORED = "COMPAT_ARGUMENT_IGNORED"
    VALUES_AS_CODES = "COMPAT_VALUES_AS_CODES"


class CompatWarning(UserWarning):
    """A warning with a code: `str(warning)` begins with it."""

    def __init__(self, code: CompatCode, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def warn(code: CompatCode, message: str) -> None:
    """Warns the caller outside of this package."""
    level = 2
    frame = sys._getframe(1)  # noqa: SLF001 - what warnings.warn itself looks at
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("telecine."):
        frame, level = frame.f_back, level + 1
    warnings.warn(CompatWarning(code, message), stacklevel=level)


def with_fallback(
    ours: Callable[..., Any], original: Callable[..., Any], may_fall_back: Callable[[], bool]
) -> Callable[..., Any]:
    """A function of the original's name and signature that calls ours, and the original where ours cannot.

    `may_fall_back` is asked at each failure. An argument that is an iterator may be used up by then: such a
    call raises instead.
    """

    @functools.wraps(original)
    def stand_in(*arguments: Any, **named: Any) -> Any:
        try:
            return ours(*arguments, **named)
        except TelecineError as error:
            is_used_up = any(isinstance(each, Iterator) for each in (*arguments, *named.values()))
            if is_used_up or not may_fall_back():
                raise
            text = f"{original.__module__}.{original.__name__} itself is used: {error.message}"
            warn(CompatCode.FELL_BACK, text)
        return original(*arguments, **named)

    setattr(stand_in, OURS, True)
    return stand_in


def takes_the_same(ours: Callable[..., Any], original: Any) -> bool:
    """Whether the original has the parameters that ours stands in for, in the same order."""
    try:
        theirs = list(inspect.signature(original).parameters)
    except (TypeError, ValueError):
        return False
    return theirs == list(inspect.signature(ours).parameters)


def bound_elsewhere(original: object, homes: tuple[str, ...]) -> list[str]:
    """Where else, among the modules that are imported, the original is bound to a name."""
    return sorted(
        f"{name}.{key}"
        for name, module in list(sys.modules.items())
        if name not in homes and module is not None
        for key, value in list(getattr(module, "__dict__", {}).items())
        if value is original
    )
