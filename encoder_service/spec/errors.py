"""Why an output cannot be made."""

from __future__ import annotations

from encoder_service.spec.codes import FailureCode, WarningCode


class OutputError(Exception):
    """The output cannot be made; `code` says why and `is_retryable` whether another try may help.

    A code of a warning: a fallback that a strict output forbids.
    """

    def __init__(self, code: FailureCode | WarningCode, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_retryable = is_retryable


class StrictViolationError(OutputError):
    """A fallback was needed and the output is strict."""

    def __init__(self, code: WarningCode, message: str) -> None:
        super().__init__(code, f"{message} (strict forbids this fallback)")
