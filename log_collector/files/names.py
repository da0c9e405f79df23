"""Names of log files: safe whatever a record says, and read back when files are looked for."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from service_host.auth.principal import is_tenant

JOBS_DIRECTORY: Final = "jobs"
TENANTS_DIRECTORY: Final = "tenants"
"""Of the files of tenants other than the root one, each in a directory of its own."""
JOB_FILE: Final = "job.log"
RECEIPTS_FILE: Final = "receipts.log"
ERRORS_FILE: Final = "errors.log"
QUARANTINE_FILE: Final = "quarantine.log"
GAPS_FILE: Final = "gaps.log"
OVERFLOW_FILE: Final = "overflow.log"
"""Records of services that got no file of their own."""
OVERFLOW_JOBS_FILE: Final = "overflow-jobs.log"
"""Records of jobs that got no directory; those of their services have them too."""
ROUTE_PREFIX: Final = "route."
"""Of the files of own routes: no service's file begins so."""

_RESERVED: Final = frozenset({"errors", "quarantine", "gaps", "overflow", "overflow-jobs"})
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9._-]")
_MAX_NAME_BYTES: Final = 100
_ROTATED: Final = re.compile(
    r"(?P<stream>.+\.(?:log|csv))\.(?P<number>\d{6,})-\d{8}T\d{6}Z(?P<packed>\.zst|\.gz)?"
)
_FOREIGN: Final = re.compile(r"(?P<stream>.+\.log)[.-](?P<rest>[A-Za-z0-9_.-]+)")


class LogFile(msgspec.Struct, frozen=True, order=True):
    """One file of a stream: the one that is written, or one that was rotated away."""

    stream: str
    """Name of the file that is written, relative to the directory, such as "worker.log"."""
    number: int
    """Grows with each rotation; 0: rotated by somebody else."""
    path: Path
    is_active: bool = False


def safe_name(text: str) -> str:
    """A file name for any text: different texts have different names, none leads out of its directory."""
    raw = text.encode("utf-8", "surrogatepass")
    name = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], raw).decode()
    if not name or name[0] == ".":
        name = "%" + (f"{ord('.'):02X}{name[1:]}" if name else "")
    if len(name) > _MAX_NAME_BYTES:
        name = f"{name[:_MAX_NAME_BYTES]}~{hashlib.blake2b(raw, digest_size=12).hexdigest()}"
    return name


def home_of(tenant: str) -> str:
    """What the names of a tenant's files begin with; "" is the root tenant, and so is its home.

    Raises ValueError for what is no tenant's name: it comes from the journal, and names a directory.
    """
    if not tenant:
        return ""
    if not is_tenant(tenant):
        raise ValueError(f"{tenant[:140]!r} cannot name a directory")
    return f"{TENANTS_DIRECTORY}/{tenant}/"


def tenant_of_home(home: str) -> str:
    """Whose home it is; "" is the root tenant."""
    return home.removeprefix(f"{TENANTS_DIRECTORY}/").rstrip("/")


def split_home(file: str) -> tuple[str, str]:
    """A file's home and its name there."""
    if not file.startswith(f"{TENANTS_DIRECTORY}/"):
        return "", file
    _, tenant, name = file.split("/", 2)
    return home_of(tenant), name


def homes_in(root: Path) -> list[str]:
    """The homes that are there, the root tenant's first."""
    try:
        entries = sorted((root / TENANTS_DIRECTORY).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return [""]
    own = [path.name for path in entries if is_tenant(path.name) and not path.is_symlink() and path.is_dir()]
    return ["", *map(home_of, own)]


def service_file(service: str) -> str:
    """The file of a service's records."""
    name = safe_name(service)
    if name in _RESERVED or name.startswith(ROUTE_PREFIX):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return f"{name}.log"


def job_directory(job_id: str) -> str:
    """The directory of a job's files."""
    return f"{JOBS_DIRECTORY}/{safe_name(job_id)}"


def route_file(name: str) -> str:
    """The file of an own route."""
    return f"{ROUTE_PREFIX}{safe_name(name)}.log"


def is_service_stream(stream: str) -> bool:
    """Whether a stream of the top directory holds services' records, each of which is in one such stream."""
    if stream == OVERFLOW_FILE:
        return True
    return stream.removesuffix(".log") not in _RESERVED and not stream.startswith(ROUTE_PREFIX)


def rotated_name(stream: str, number: int, now_seconds: float) -> str:
    """What the file that is written is renamed to; names of one stream sort by their numbers."""
    stamp = datetime.fromtimestamp(now_seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stream}.{number:06d}-{stamp}"


def files_in(root: Path, directory: str = "", stream: str = "") -> list[LogFile]:
    """The files right in one directory below `root`, the oldest of each stream first.

    `stream`: only the files of this one; empty: of every log.
    """
    found: dict[tuple[str, str], LogFile] = {}
    try:
        paths = sorted((root / directory).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    prefix = f"{directory}/" if directory else ""
    for path in paths:
        file = _read_name(path, prefix, stream)
        if file is None:
            continue
        # While a file is being replaced by its packed form both are there for a moment.
        found.setdefault((file.stream, path.name.removesuffix(".zst").removesuffix(".gz")), file)
    numbers: dict[str, int] = {}
    for file in found.values():
        numbers[file.stream] = max(numbers.get(file.stream, 0), file.number)
    made = [
        msgspec.structs.replace(f, number=numbers[f.stream] + 1) if f.is_active else f for f in found.values()
    ]
    return sorted(made)


def is_own_name(name: str) -> bool:
    """Whether the file sink may have given a name to something in its directory."""
    rotated = _ROTATED.fullmatch(name)
    return name in (JOBS_DIRECTORY, TENANTS_DIRECTORY) or (rotated["stream"] if rotated else name).endswith(
        ".log"
    )


def next_number(directory: Path, name: str) -> int:
    """The number that a file gets when it is rotated away now."""
    numbers = [
        int(match["number"])
        for path in directory.glob(f"{name}.*")
        if (match := _ROTATED.fullmatch(path.name)) and match["stream"] == name
    ]
    return max(numbers, default=0) + 1


def _read_name(path: Path, prefix: str, only: str) -> LogFile | None:
    name = path.name
    if name.startswith(".") or name.endswith(".tmp") or path.is_symlink():
        return None
    match = _ROTATED.fullmatch(name) or (None if only else _FOREIGN.fullmatch(name))
    is_active = name == only if only else name.endswith(".log")
    stream = name if is_active or match is None else match["stream"]
    if stream != only if only else not stream.endswith(".log"):
        return None
    if is_active:
        return LogFile(prefix + name, 0, path, is_active=True) if path.is_file() else None
    number = match.groupdict().get("number") if match is not None else None
    return LogFile(prefix + stream, int(number or 0), path)
