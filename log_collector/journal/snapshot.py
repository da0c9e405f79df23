"""What the journal must still know about entries whose segments are deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import google_crc32c
import msgspec
from telecine.durable_files import write_whole

from log_collector.journal.digests import Run
from log_collector.journal.producers import Producer

_MAGIC: Final = b"TCK1"


def seal(data: bytes) -> bytes:
    """Bytes with a checksum before them."""
    checksum: int = google_crc32c.value(data)
    return _MAGIC + checksum.to_bytes(4, "little") + data


def unseal(data: bytes) -> bytes:
    """What was sealed; bytes of release 0.1.0, which have no seal, as they are. Raises ValueError."""
    if not data.startswith(_MAGIC):
        return data
    if data[4:8] != google_crc32c.value(data[8:]).to_bytes(4, "little"):
        raise ValueError("its checksum does not match")
    return data[8:]


class Snapshot(msgspec.Struct, array_like=True):
    """The state as of one position; entries from there on are applied on top of it."""

    position: int = 0
    producers: dict[str, Producer] = {}
    uids_old: bytes = b""
    uids_young: bytes = b""
    held: list[tuple[int, bytes]] = []
    runs: list[Run] = []


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replaces the file atomically and durably."""
    write_whole(path, seal(msgspec.msgpack.encode(snapshot)), is_synced=True)


def read_snapshot(path: Path) -> Snapshot:
    """Reads the file; an absent one is an empty snapshot. Raises ValueError if it is damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Snapshot()
    try:
        return msgspec.msgpack.decode(unseal(data), type=Snapshot)
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
