"""Verifies API keys against a file that may change while the service runs."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

import structlog

from service_host.auth.admission import Admission, CredentialKind, expired, refused
from service_host.auth.key_file import KeyFileError, StoredKey, hash_of, id_of, read_keys
from service_host.auth.principal import Principal

_WRONG_PLACE = "keys made with --origin are for pages of these origins alone, all others for programs alone"
_NOBODY = "0" * 64
_log = structlog.get_logger("service_host.auth")


class KeyRing:
    """The keys in force. Belongs to the event loop; the file is small, and is read only when it changed."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """Raises KeyFileError."""
        self._path = path
        self._now = now
        self._stamp = self._read_stamp()
        self._keys = _by_id(read_keys(path))

    def admit(self, key: str, origin: str = "") -> Admission:
        """Who holds this key. `origin`: the web page that shows it; empty: a program. Raises ServiceError."""
        key_id = id_of(key)
        if not key_id:
            raise refused("this is not an API key of `telecine keys`")
        if key_id not in self._keys:
            self.reload_if_changed()
        stored = self._keys.get(key_id)
        is_equal = hmac.compare_digest(hash_of(key), stored.sha256 if stored else _NOBODY)
        if stored is None or not is_equal:
            raise refused("the API key is not known here")
        if fault := self.fault_of(key_id):
            raise expired(fault)
        if bool(stored.origins) != bool(origin) or (origin and origin not in stored.origins):
            # What stands in a page can be read by all: no other key must, and it opens nothing else.
            raise refused(_WRONG_PLACE)
        principal = Principal(stored.subject, stored.tenant, frozenset(stored.scopes))
        return Admission(principal, CredentialKind.KEY, key_id, stored.expires_at_unix)

    def fault_of(self, key_id: str) -> str:
        """Why the key is no longer taken; empty: it is."""
        stored = self._keys.get(key_id)
        if stored is None or stored.revoked_at is not None:
            return f"the API key {key_id} was revoked"
        if stored.expires_at_unix is not None and stored.expires_at_unix <= self._now():
            return f"the API key {key_id} has expired"
        return ""

    def holds(self, admission: Admission) -> bool:
        """Whether the key still gives what it gave."""
        stored = self._keys.get(admission.credential_id)
        return stored is not None and admission.principal == Principal(
            stored.subject, stored.tenant, frozenset(stored.scopes)
        )

    def reload_if_changed(self) -> None:
        """Reads the file again when it looks different; a broken one leaves the keys as they are."""
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _by_id(read_keys(self._path))
        except KeyFileError as error:
            _log.error("keys_not_reloaded", error=str(error), keys_in_force=len(self._keys))
        else:
            _log.info("keys_reloaded", keys_in_force=len(self._keys))

    def _read_stamp(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (status.st_mtime_ns, status.st_ino, status.st_size)


def _by_id(keys: tuple[StoredKey, ...]) -> dict[str, StoredKey]:
    return {key.id: key for key in keys}
