"""What every error of the SDK tells: what happened, who can mend it, whether to try again, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One wrong field of a request."""

    field: str
    """Its path, such as "spec.video.width"."""
    description: str
    """What was wrong and what is expected."""


class ErrorKind(StrEnum):
    """Who can mend an error; as telecine.errors.v1.ErrorKind."""

    CALLER = "caller"
    LATER = "later"
    """Nobody has to: time does."""
    JOB = "job"
    """Nobody: the job has ended otherwise than asked."""
    SERVICE = "service"


class TelecineError(Exception):
    """The root: catch it to catch everything that the SDK raises."""

    reason: ClassVar[str] = ""
    """The telecine.errors.v1.ErrorReason (without prefix) that it stands for; empty: none."""
    kind: ClassVar[ErrorKind] = ErrorKind.SERVICE
    """Who can mend it."""
    is_retryable: ClassVar[bool] = False
    """Trying the same again may help. The SDK has already done so for as long as it was told to."""
    recovery: str = "Read the message."
    """What to do, in plain words; shown below the traceback too."""

    def __init__(
        self,
        message: str,
        *,
        request_id: str = "",
        retry_delay_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
        faults: Sequence[FieldFault] = (),
        recovery: str = "",
    ) -> None:
        """`recovery`: what to do in this very case; empty: what stands at the class."""
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        """Under which the service's log tells more; empty when there was no call."""
        self.retry_delay_seconds = retry_delay_seconds
        """When the server says to try again; None: it did not say."""
        self.metadata = dict(metadata or {})
        """ErrorInfo.metadata as the server sent it."""
        self.faults = tuple(faults)
        """Each wrong field, where the server named them."""
        self.recovery = recovery or type(self).recovery
        self.add_note(f"What to do: {self.recovery}")
        if self.is_retryable:
            self.add_note("Trying the same again later may help.")

    @property
    def code(self) -> str:
        """For programs, and stable: see `code_of`."""
        return code_of(type(self))


def code_of(kind: type[TelecineError]) -> str:
    """An error for programs, and stable: its reason, or its class's name in the same style."""
    if kind.reason:
        return kind.reason
    name = kind.__name__.removesuffix("Error")
    return "".join(f"_{c}" if c.isupper() and at else c for at, c in enumerate(name)).upper()
