"""Shows a client's token with each call, and says whether another try may be taken with a new one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from telecine.channel.calls import call_metadata
from telecine.exceptions import (
    CredentialsExpiredError,
    CredentialsRenewingError,
    FieldViolation,
    InvalidRequestError,
    TelecineError,
    UnauthenticatedError,
)
from telecine.settings.token import Token, TokenError

AUTHORIZATION = "authorization"

Metadata = tuple[tuple[str, str], ...]


class Bearer:
    """The token of one channel. Thread-safe."""

    def __init__(self, token: Token | None) -> None:
        """Reads it once. Raises InvalidRequestError for one that cannot be used."""
        self._token = token
        self._lock = threading.Lock()
        self._last = ""
        if token is not None:
            try:
                self._last = token.read()
            except TokenError as error:
                raise refused_token(error) from error

    def metadata(self, request_id: str) -> Metadata:
        """What travels with a call. A file that cannot be read just now gives what it gave last."""
        if self._token is None:
            return call_metadata(request_id)
        return (*call_metadata(request_id), (AUTHORIZATION, f"Bearer {self._read()}"))

    def renewed(self, error: TelecineError, sent: Sequence[tuple[str, str]]) -> TelecineError:
        """The error itself, or one that says to try again: the file has another token, or will have.

        An expired token is waited for, because what writes the file is about to write the next one.
        """
        if self._token is None or self._token.file is None or not isinstance(error, UnauthenticatedError):
            return error
        has_changed = (AUTHORIZATION, f"Bearer {self._read()}") not in sent
        if not has_changed and not isinstance(error, CredentialsExpiredError):
            return error
        return CredentialsRenewingError(f"{error.message} ({self._token.name})", request_id=error.request_id)

    def _read(self) -> str:
        if self._token is None:
            return ""
        try:
            found = self._token.read()
        except TokenError:
            found = ""
        with self._lock:
            self._last = found or self._last
            return self._last


def refused_token(error: TokenError) -> InvalidRequestError:
    """The SDK's error for a token that cannot be used."""
    return InvalidRequestError(
        str(error),
        faults=[FieldViolation("token", str(error))],
        recovery="Name a file that holds one token or API key, or leave it out.",
    )
