"""What a principal may do, declared beside each method of a servicer."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

_MARK = "__telecine_scopes__"

MethodT = TypeVar("MethodT", bound=Callable[..., object])


class Scope(StrEnum):
    """A kind of act that is permitted as a whole."""

    ENCODE = "encode"
    """Upload clips; cancel and delete jobs."""
    READ = "read"
    """See jobs and manifests, download artifacts."""
    ADMIN = "admin"
    """Everything that any other scope permits, for every tenant; the configuration of a service."""
    LOGS_WRITE = "logs.write"
    """Ship records."""
    LOGS_READ = "logs.read"
    """Read records, stories and what became of records."""
    METRICS = "metrics"
    """Read the metrics of a service."""


EVERY_SCOPE = frozenset(Scope)


def requires(*any_of: Scope) -> Callable[[MethodT], MethodT]:
    """Declares the scope that a servicer's method needs; of several, one suffices. `admin` always does."""
    if not any_of:
        raise TypeError("requires() needs at least one scope")

    def mark(method: MethodT) -> MethodT:
        setattr(method, _MARK, frozenset(any_of))
        return method

    return mark


def scopes_of(method: object) -> frozenset[Scope] | None:
    """What `requires` declared for a method, bound or not; None where nothing is declared."""
    found = getattr(method, _MARK, None)
    return found if isinstance(found, frozenset) else None
