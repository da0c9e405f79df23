"""The id under which one call is known: taken from the caller's metadata or newly made."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar

_FORM = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

_CURRENT: ContextVar[str] = ContextVar("telecine_request_id", default="")


def current_request_id() -> str:
    """The id of the call that is being handled; empty outside of one."""
    return _CURRENT.get()


def set_request_id(request_id: str) -> None:
    """Makes the id current for the rest of this task."""
    _CURRENT.set(request_id)


def request_id_of(metadata: Iterable[tuple[str, str | bytes]], key: str) -> str:
    """The caller's id where it is one that can stand in a log and in metadata; else a new one."""
    for name, value in metadata:
        if name == key and isinstance(value, str) and _FORM.fullmatch(value):
            return value
    return secrets.token_hex(16)
