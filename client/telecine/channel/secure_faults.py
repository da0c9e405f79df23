"""Says of a connection that failed whether TLS is why, and what to set."""

from __future__ import annotations

import threading
import time
from typing import Final

from telecine.channel.arguments import Target
from telecine.channel.proxy import proxy_note
from telecine.exceptions import UnavailableError
from telecine.tls.handshake import Diagnosis, diagnose, may_be_tls

_LOOK_AGAIN_SECONDS: Final = 5.0
"""A client that tries again and again does not shake hands each time."""


class SecureFaults:
    """Looks behind the errors of one target. Thread-safe."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._found: Diagnosis | None = None

    def explained(self, error: UnavailableError) -> UnavailableError:
        """The error with what TLS has to do with it, or the same one. Blocks for up to four seconds."""
        if type(error) is not UnavailableError or not may_be_tls(error.message):
            return error
        found = self._look()
        if found is None or found.fault is None:
            return error
        return UnavailableError(
            f"{found.message}; no connection to {self._target.address}",
            request_id=error.request_id,
            recovery=found.advice,
        )

    def _look(self) -> Diagnosis | None:
        if proxy_note(self._target.address):
            return None  # a handshake beside the proxy would be with somebody else
        with self._lock:
            now = time.monotonic()
            if self._looked_at is None or now - self._looked_at > _LOOK_AGAIN_SECONDS:
                self._found = diagnose(self._target.address, self._target.tls)
                self._looked_at = now
            return self._found
