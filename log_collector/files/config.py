"""The settings of the file sink: where, in which form, when to rotate, how long to keep."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from telecine.logging.outputs.rendering import Format

from log_collector.expression import ExpressionError, compile_expression
from service_host.auth.principal import is_tenant

_DAY_SECONDS: Final = 86_400.0
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


class Compression(StrEnum):
    """How rotated files are packed."""

    ZST = "zst"
    GZ = "gz"
    NONE = "none"


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """When files are rotated, how they are packed then, and when they are deleted."""

    rotate_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 64 * _MIB
    """A file that has reached this size is rotated after the write that brought it there."""
    rotate_seconds: Annotated[float, msgspec.Meta(gt=0)] = _DAY_SECONDS
    """And one whose last record came in an earlier period of this length, counted in UTC."""
    compression: Compression = Compression.ZST
    """How rotated files are packed."""
    keep_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """Rotated files are deleted so long after their last record; 0: never. None: as `environment` says."""
    keep_count: Annotated[int, msgspec.Meta(ge=0)] = 0
    """At most so many rotated files of each stream; 0: no limit."""
    keep_bytes: Annotated[int, msgspec.Meta(ge=0)] = 16 * _GIB
    """Rotated files of the class, the oldest first, are deleted while all are larger; 0: no limit."""


class FileClass(Rotation, frozen=True, kw_only=True):
    """What files of one class have in common."""

    is_on: bool = True
    """Whether these files are written at all."""
    format: Format = Format.JSON
    """Only JSON files can be queried."""


class Route(FileClass, frozen=True, kw_only=True):
    """A file of its own for records that meet a condition."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """The file is `route.<name>.log`."""
    expression: str
    """As RecordFilter.expression of the contract."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        try:
            compile_expression(self.expression)
        except ExpressionError as error:
            yield "expression", str(error)


_ENVIRONMENT_DAYS: Final = {"development": 7, "staging": 14, "production": 30}
_ERROR_DAYS: Final = 90


class FilesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The file sink: exactly-once files for people and tools."""

    is_on: bool = True
    """Whether files are written at all."""
    directory: Path | None = None
    """None: `logs` in the data directory."""
    environment: Literal["development", "staging", "production"] = "production"
    """Files are kept for 7, 14 or 30 days, those of errors for 90, where their class says nothing."""
    open_files: Annotated[int, msgspec.Meta(ge=8)] = 256
    """At most so many are open at a time."""
    is_synced: bool = True
    """Whether files are on the disk before the journal gives up their records."""
    upkeep_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """How often the directory is looked through for what is to be rotated, packed or deleted."""
    services: FileClass = FileClass()
    """`<service>.log`."""
    jobs: FileClass = FileClass()
    """`jobs/<job_id>/job.log`, with who contributed in `receipts.log`."""
    keep_jobs: Annotated[int, msgspec.Meta(ge=0)] = 100_000
    """At most so many jobs have files; beyond it those that were written longest ago are deleted. 0: no
    limit."""
    tenant_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Rotated files and jobs of one tenant together; beyond it its oldest are deleted. The limits of the
    classes hold for each tenant by itself, too. 0: no limit."""
    tenant_bytes_of: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    """Tenant to its own `tenant_bytes`."""
    new_services_per_minute: Annotated[int, msgspec.Meta(ge=1)] = 200
    """So many services get a file of their own in a minute; the records of further ones go into
    `overflow.log` until there is room."""
    new_jobs_per_minute: Annotated[int, msgspec.Meta(ge=1)] = 2500
    """So many jobs get a directory in a minute; the records of further ones are in `overflow-jobs.log`, and
    in the files of their services as ever."""
    errors: FileClass = FileClass(rotate_seconds=7 * _DAY_SECONDS)
    """`errors.log`: ERROR and above, of all services."""
    quarantine: FileClass = FileClass(rotate_seconds=7 * _DAY_SECONDS)
    """`quarantine.log`: what was rejected and why; and `gaps.log`: what producers declared lost."""
    routes: tuple[Route, ...] = ()

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        names = [route.name for route in self.routes]
        if len(set(names)) != len(names):
            yield "routes", "expected a name only once"
        for tenant in self.tenant_bytes_of:
            if not is_tenant(tenant):
                yield "tenant_bytes_of", f"{tenant!r} is no tenant's name"

    def keep_seconds(self, kind: Rotation) -> float:
        """How long files of a class are kept; 0: for ever."""
        if kind.keep_seconds is not None:
            return kind.keep_seconds
        days = _ERROR_DAYS if kind is self.errors else _ENVIRONMENT_DAYS[self.environment]
        return days * _DAY_SECONDS
