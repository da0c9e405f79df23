"""What every error of the SDK says: what happened, who can fix it, whether to try again, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field of a request."""

    field: str
    """Its path, such as "spec.video.width"."""
    description: str
    """What was wrong and what is expected."""


class ErrorKind(StrEnum):
    """Who can fix an error; the values of telecine.errors.v1.ErrorKind."""

    CALLER = "caller"
    LATER = "later"
    """Time does; nobody has to act."""
    JOB = "job"
    """Nobody: the job has ended, and not as it was asked to."""
    SERVICE = "service"


class TelecineError(Exception):
    """The root: catch it to catch everything that the SDK raises."""

    reason: ClassVar[str] = ""
    """The value of telecine.errors.v1.ErrorReason (without prefix) that it stands for; empty: none."""
    kind: ClassVar[ErrorKind] = ErrorKind.SERVICE
    """Who can fix it."""
    is_retryable: ClassVar[bool] = False
    """Whether the same call may succeed later. The SDK has already retried as long as its policy allows."""
    about: ClassVar[str] = ""
    """The argument that it is about where no field is named. Empty: it is about none."""
    recovery: str = "Read the message."
    """What to do, in plain words; shown below the traceback too."""

    def __init__(
        self,
        message: str,
        *,
        request_id: str = "",
        retry_delay_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
        faults: Sequence[FieldViolation] = (),
        recovery: str = "",
    ) -> None:
        """Takes what the server or the SDK knows of this very case.

        Args:
            message: What happened.
            request_id: Finds the call in the service's log. Empty: there was no call.
            retry_delay_seconds: When the server asks to try again. None: it does not say.
            metadata: ErrorInfo.metadata as the server sent it. None: nothing.
            faults: Each wrong field.
            recovery: What to do in this very case. Empty: what the class says.
        """
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        """Finds the call in the service's log; empty when there was no call."""
        self.retry_delay_seconds = retry_delay_seconds
        """When the server says to try again; None: it did not say."""
        self.metadata = dict(metadata or {})
        """ErrorInfo.metadata as the server sent it."""
        self.faults = tuple(faults) or ((FieldViolation(self.about, message),) if self.about else ())
        """Each wrong field, where it has a name."""
        self.job_id = ""
        """The job that it is about; empty where there is none yet."""
        self.recovery = recovery or type(self).recovery
        self.add_note(f"What to do: {self.recovery}")
        if self.is_retryable:
            self.add_note("Trying the same again later may help.")

    @property
    def code(self) -> str:
        """The error for programs, stable: its reason, or the name of its class in the same style."""
        return code_of(type(self))


def code_of(kind: type[TelecineError]) -> str:
    """The error for programs, stable: its reason, or the name of its class in the same style."""
    if kind.reason:
        return kind.reason
    name = kind.__name__.removesuffix("Error")
    return "".join(f"_{c}" if c.isupper() and at else c for at, c in enumerate(name)).upper()
