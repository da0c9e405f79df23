"""Recognizes clients of the same user on the same machine: they alone can read a secret of ours."""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import weakref

import msgspec
from telecine.machine import host_id
from telecine.sharing.secret import MEMFD_NAME, SECRET_BYTES


class Disclosure(msgspec.Struct, frozen=True):
    """What one stream may learn of this machine."""

    is_proved: bool = False
    """The client is the same user on the same machine: it may learn paths."""
    proof_path: str = ""
    """Where it could read the secret; empty: it is elsewhere."""


class Neighbours:
    """A secret in memory that the kernel opens to this process's own user alone, and to root.

    It lies behind `/proc/<pid>/fd`: to follow such a link takes the right to trace the process. Where
    there are no such files (not Linux) nobody can prove anything, and nothing is disclosed.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._host_id = host_id()
        self._path = self._laid() if self._host_id else ""

    def challenge(self, client_host_id: str) -> str:
        """Where a client may find the secret; empty for one on another machine."""
        return self._path if self._is_here(client_host_id) else ""

    def is_proved(self, client_host_id: str, proof: bytes) -> bool:
        """The client runs on this machine and has read the secret."""
        return self._is_here(client_host_id) and hmac.compare_digest(proof, self._secret)

    def _is_here(self, client_host_id: str) -> bool:
        return bool(self._path) and client_host_id == self._host_id

    def _laid(self) -> str:
        try:
            file = os.memfd_create(MEMFD_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            return ""
        weakref.finalize(self, os.close, file)
        os.write(file, self._secret)
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        return f"/proc/{os.getpid()}/fd/{file}"
