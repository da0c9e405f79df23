"""The audit trail of a service: who was refused, what administrators did, which credentials were used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from telecine.logging.catalogue import Level
from telecine.logging.logger import Logger
from telecine.logging.outputs.files import RotatingFile

FILE_NAME: Final = "audit.log"


class AuditFile:
    """Records in a file of their own, whatever the level and the outputs of the log are.

    Each goes to the log as well, and with it to a collector. A file that is full is rotated; of older ones
    `backups` stay.
    """

    def __init__(self, directory: Path, service: str, log: Logger, *, max_bytes: int, backups: int) -> None:
        """Opens the file. Raises OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        self._service = service
        self._log = log
        self._file = RotatingFile(directory / FILE_NAME, _as_it_is, Level.INFO, max_bytes, backups)
        self._encode = msgspec.json.Encoder().encode

    def write(self, event: str, fields: Mapping[str, str]) -> None:
        """Writes one record. A full disk costs the record here, and nobody else anything."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        head: dict[str, Any] = {"timestamp": now, "level": "INFO", "service": self._service, "msg": event}
        self._file.write(self._encode({**head, "logger": _LOGGER, "event": event, **fields}) + b"\n")
        self._log.info(event, event=event, **fields)

    def close(self) -> None:
        """Releases the file. Idempotent."""
        self._file.close()


_LOGGER: Final = "service_host.audit"


def _as_it_is(line: bytes) -> bytes:
    return line
