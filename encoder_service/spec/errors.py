"""Why an output cannot be made."""

from __future__ import annotations


class OutputError(Exception):
    """The output cannot be made; `code` says why and `is_retryable` whether another try may help."""

    def __init__(self, code: str, message: str, *, is_retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_retryable = is_retryable


class StrictViolationError(OutputError):
    """A fallback was needed and the output is strict."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, f"{message} (strict forbids this fallback)")
