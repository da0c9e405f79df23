"""Keeps notices on the disk until they are taken: one file each, replaced whole, removed at the end.

data_dir/webhooks/<notice_id>.json
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from encoder_service.webhooks.notice import Notice

DIRECTORY = "webhooks"


class Outbox:
    """Blocking; for one service. A notice that was put survives the death of the process."""

    def __init__(self, root: Path, *, is_synced: bool) -> None:
        self._directory = root / DIRECTORY
        self._is_synced = is_synced

    def open(self) -> Iterator[Notice | tuple[Path, str]]:
        """Makes the directory and reads what is owed; for a file that cannot be read, its path and why.

        Raises OSError.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._directory.iterdir()):
            if path.suffix != ".json":
                path.unlink(missing_ok=True)
                continue
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Notice)
            except (msgspec.DecodeError, OSError) as error:
                yield path, str(error)

    def put(self, notices: Iterable[Notice]) -> None:
        """Writes notices, whole or not at all each; again is the same as once. Raises OSError."""
        for notice in notices:
            path = self._path(notice)
            temporary = path.with_suffix(".tmp")
            # URLs often are secrets themselves.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(notice))
                if self._is_synced:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        if self._is_synced:
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def remove(self, notice: Notice) -> None:
        """It is taken, or given up; idempotent. Raises OSError."""
        self._path(notice).unlink(missing_ok=True)

    def _path(self, notice: Notice) -> Path:
        return self._directory / f"{notice.notice_id}.json"
