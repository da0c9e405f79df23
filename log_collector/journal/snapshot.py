"""What the journal must still know about entries whose segments are deleted."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from log_collector.journal.digests import Run
from log_collector.journal.producers import Producer


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
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(msgspec.msgpack.encode(snapshot))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_snapshot(path: Path) -> Snapshot:
    """Reads the file; an absent one is an empty snapshot. Raises ValueError if it is damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Snapshot()
    try:
        return msgspec.msgpack.decode(data, type=Snapshot)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
