"""Every error that a user can meet, in one table: its code, who can fix it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from telecine.errors.v1 import error_reason_pb2 as reasons
from telecine.exceptions.problems import PROBLEMS, WARNINGS
from telecine.exceptions.root import ErrorKind, TelecineError, code_of

TREES = ("telecine.exceptions", "telecine.stages.errors", "telecine.logging.configuration")
"""Modules with subclasses of TelecineError."""
_PREFIX = "ERROR_REASON_"
_KIND_PREFIX = "ERROR_KIND_"


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the table: an error and what to do about it."""

    code: str
    """The code for programs; stable."""
    name: str
    """Its class in the SDK; empty: the SDK has none."""
    kind: ErrorKind
    """Who can fix it."""
    is_retryable: bool
    """Whether the same call may succeed later."""
    recovery: str
    """What to do."""


def sdk_errors() -> list[ErrorRow]:
    """What the SDK raises; groups that are never raised themselves are among them, to be caught."""
    for module in TREES:
        import_module(module)
    return [
        ErrorRow(code_of(error), error.__name__, error.kind, error.is_retryable, error.recovery)
        for error in _below(TelecineError)
    ]


def _below(error: type[TelecineError]) -> Iterator[type[TelecineError]]:
    # By module: else the order would depend on what happened to be imported first.
    children = [child for child in error.__subclasses__() if child.__module__ in TREES]
    for child in sorted(children, key=lambda child: TREES.index(child.__module__)):
        yield child
        yield from _below(child)


def service_reasons() -> list[ErrorRow]:
    """What services answer, to any client: ErrorInfo.reason and what stands at it in the contract."""
    rows = []
    for value in reasons.ErrorReason.DESCRIPTOR.values:
        advice = value.GetOptions().Extensions[reasons.advice]
        if value.number:
            kind = ErrorKind(reasons.ErrorKind.Name(advice.kind).removeprefix(_KIND_PREFIX).lower())
            is_retryable = kind is ErrorKind.LATER
            rows.append(ErrorRow(value.name.removeprefix(_PREFIX), "", kind, is_retryable, advice.recovery))
    return rows


def job_problems() -> list[ErrorRow]:
    """Why an output or a job failed: `Problem.code`, and `problem.code` in a manifest."""
    return [
        ErrorRow(code, "", advice.kind, advice.is_retryable, advice.recovery)
        for code, advice in sorted(PROBLEMS.items())
    ]


def job_warnings() -> list[ErrorRow]:
    """What was done otherwise than asked; with `strict`, why the output failed."""
    return [
        ErrorRow(code, "", advice.kind, advice.is_retryable, advice.recovery)
        for code, advice in sorted(WARNINGS.items())
    ]
