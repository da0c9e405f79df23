"""Where each tenant's records, frames and artifacts lie: one room for each tenant in the data directory.

data_dir/{jobs,spool,artifacts}/                    of the root tenant: what every earlier release wrote
data_dir/tenants/<tenant>/{jobs,spool,artifacts}/   of each other one, made with its first job
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec

from encoder_service import data_layout as layout
from service_host.auth.principal import DEFAULT_TENANT, is_tenant
from service_host.disk.data_directory import is_plain_directory


class DataDirectoryError(Exception):
    """The data directory cannot be used; the message names it and says what to do."""


class Room(msgspec.Struct, frozen=True):
    """The places of one tenant."""

    tenant: str
    records: Path
    spools: Path
    artifacts: Path

    @property
    def places(self) -> tuple[Path, Path, Path]:
        """All of them."""
        return self.records, self.spools, self.artifacts


class Rooms:
    """Blocks on the disk. `open` may be called from several threads."""

    def __init__(self, root: Path, root_tenant: str = DEFAULT_TENANT) -> None:
        """`root_tenant`: whose room the data directory itself is."""
        self._root = root
        self._tenants = root / layout.TENANTS
        self.root_tenant = root_tenant
        self._opened: set[str] = set()

    def of(self, tenant: str) -> Room:
        """The room of a tenant, whether it is there or not."""
        if not is_tenant(tenant):
            raise ValueError(f"{tenant[:140]!r} cannot name a directory")
        base = self._root if tenant == self.root_tenant else self._tenants / tenant
        return Room(tenant, base / layout.RECORDS, base / layout.SPOOLS, base / layout.ARTIFACTS)

    def open(self, tenant: str) -> Room:
        """Makes the room unless this process has done so: one that goes meanwhile is not made anew, empty.

        Raises OSError, DataDirectoryError.
        """
        room = self.of(tenant)
        if tenant not in self._opened:
            if tenant != self.root_tenant:
                make_room(self._tenants)
                make_room(self._tenants / tenant)
            for place in room.places:
                make_room(place)
            self._opened.add(tenant)
        return room

    def found(self) -> list[Room]:
        """The rooms that are there, the root tenant's first; all of them are open then.

        Raises OSError, and DataDirectoryError where the root tenant has a second one.
        """
        rooms = [self.open(self.root_tenant)]
        if os.path.lexists(self._tenants / self.root_tenant):
            raise DataDirectoryError(
                f"{self._tenants / self.root_tenant} holds jobs of tenant {self.root_tenant!r}, and "
                f"root_tenant says that those in {self._root} are its jobs too; set it to another tenant"
            )
        return rooms + [self.open(path.name) for path in self._entries() if is_tenant(path.name)]

    def strangers(self) -> list[Path]:
        """What lies among the rooms and is none. Raises OSError."""
        return [path for path in self._entries() if not is_tenant(path.name)]

    def _entries(self) -> list[Path]:
        return sorted(self._tenants.iterdir()) if is_plain_directory(self._tenants) else []


def make_room(path: Path) -> None:
    """A directory of the service's own that other users cannot read. Raises DataDirectoryError, OSError."""
    path.mkdir(mode=0o750, exist_ok=True)
    if not is_plain_directory(path):
        raise DataDirectoryError(
            f"{path} must be a directory of the service's own and is a link or a file; move it away, "
            "or choose a data_dir where there is room for everything"
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007:
        with suppress(PermissionError):  # another user's, who lets us write there
            path.chmod(mode & ~0o007)
