"""Keeps deliveries on the disk until they are taken: one file each, replaced whole, removed at the end.

data_dir/webhooks/<delivery_id>.json
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from telecine.durable_files import write_whole

from encoder_service.data_layout import WEBHOOKS
from encoder_service.store.seal import sealed, unsealed
from encoder_service.webhooks.delivery import WebhookDelivery
from service_host.disk.data_directory import is_plain_file
from service_host.disk.plain_files import read_plain

_LEFTOVER = re.compile(r"\.?[A-Za-z0-9_-]+(\.json)?\.tmp")


class Outbox:
    """Blocking; for one service. A delivery that was put survives the death of the process."""

    def __init__(self, root: Path, *, is_synced: bool) -> None:
        self._directory = root / WEBHOOKS
        self._is_synced = is_synced

    def open(self) -> Iterator[WebhookDelivery | tuple[Path, str]]:
        """Makes the directory and reads what is owed; for a file that cannot be read, its path and why.

        Raises OSError.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._directory.iterdir()):
            if _LEFTOVER.fullmatch(path.name) and is_plain_file(path):
                path.unlink(missing_ok=True)
                continue
            try:
                yield _read(path)
            except (msgspec.MsgspecError, ValueError, RecursionError, OSError) as error:
                yield path, str(error)

    def put(self, deliveries: Iterable[WebhookDelivery]) -> None:
        """Writes deliveries, whole or not at all each; again is the same as once. Raises OSError."""
        for delivery in deliveries:
            data = sealed(msgspec.json.encode(delivery))
            # URLs often are secrets themselves: not even a group that may read the rest gets to see them.
            write_whole(self._path(delivery), data, is_synced=self._is_synced, mode=0o600)

    def remove(self, delivery: WebhookDelivery) -> None:
        """It is taken, or given up; idempotent. Raises OSError."""
        self._path(delivery).unlink(missing_ok=True)

    def _path(self, delivery: WebhookDelivery) -> Path:
        return self._directory / f"{delivery.delivery_id}.json"


def _read(path: Path) -> WebhookDelivery:
    delivery = msgspec.json.decode(unsealed(read_plain(path)), type=WebhookDelivery)
    if path.name != f"{delivery.delivery_id}.json":
        raise ValueError(f"it is the delivery {delivery.delivery_id[:80]!r}")
    return delivery
