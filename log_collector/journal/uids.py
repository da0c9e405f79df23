"""A bounded memory of record uids: what makes an OTLP request that is sent again stand once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from log_collector.journal.entry import UID_BYTES


def uid_key(uid: bytes) -> bytes:
    """The UID_BYTES that stand for a uid of any length."""
    return uid if len(uid) == UID_BYTES else hashlib.blake2b(uid, digest_size=UID_BYTES).digest()


def split_keys(joined: bytes) -> list[bytes]:
    """The keys that an entry's header holds one after the other."""
    return [joined[i : i + UID_BYTES] for i in range(0, len(joined), UID_BYTES)]


class UidWindow:
    """Remembers at least the newest `limit` keys, at most twice as many.

    A key is pending until its record is on the disk. Two generations instead of an order per key: the
    older one is forgotten as a whole.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._pending: set[bytes] = set()

    def __contains__(self, key: bytes) -> bool:
        return key in self._young or key in self._old or key in self._pending

    def __len__(self) -> int:
        return len(self._young) + len(self._old) + len(self._pending)

    def is_pending(self, key: bytes) -> bool:
        """Whether the key's record is still on its way to the disk."""
        return key in self._pending

    def reserve(self, keys: Iterable[bytes]) -> None:
        """Notes that the records of these keys are on their way to the disk."""
        self._pending.update(keys)

    def commit(self, keys: Iterable[bytes]) -> None:
        """Notes that the records of these keys are on the disk."""
        keys = list(keys)
        self._pending.difference_update(keys)
        self._young.update(keys)
        if len(self._young) >= self._limit:
            self._old = self._young
            self._young = set()

    def reset_reservations(self) -> None:
        """Forgets what was on its way to a disk that failed."""
        self._pending.clear()

    def dump(self) -> tuple[bytes, bytes]:
        """The durable keys, old and young generation, each joined."""
        return b"".join(self._old), b"".join(self._young)

    def load(self, old: bytes, young: bytes) -> None:
        """Takes over what `dump` returned."""
        self._old = set(split_keys(old))
        self._young = set(split_keys(young))
