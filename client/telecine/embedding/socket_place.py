"""Where an embedded service's socket lies: in a directory that no other user can enter.

A socket's path is short by law (`sun_path`: 107 bytes) and plain here (gRPC reads it as a URI), so that a
temporary directory with a long or odd name needs a second, short one.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from telecine.embedding.private_directory import PrivateDirectory
from telecine.exceptions import EmbeddedUnavailableError

SOCKET: Final = "socket"
_MAX_PATH_BYTES: Final = 100
"""What services accept; the kernel's own limit is 107."""
_ROOT: Final = 0
_NOBODY: Final = 65534
"""Whom root's directories seem to belong to in a user namespace."""
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._/+=@-]*")
_SHORT_BASES: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what is made there is private


def has_unix_sockets() -> bool:
    """Whether this platform has them."""
    return hasattr(socket, "AF_UNIX")


def temporary_base() -> Path:
    """The directory for temporary files. Raises EmbeddedUnavailableError."""
    try:
        return Path(tempfile.gettempdir()).absolute()
    except OSError as error:
        raise EmbeddedUnavailableError(
            f"there is no directory for temporary files ({error.strerror or error}); "
            "name one in TMPDIR, or a data_dir (TELECINE_DATA_DIR) to keep everything in"
        ) from error


def socket_bases(data_dir: Path | None) -> list[Path]:
    """Directories that may take the socket's own, best first."""
    bases: list[Path] = []
    with contextlib.suppress(EmbeddedUnavailableError):
        bases.append(temporary_base())
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        bases.append(Path(runtime))
    bases += [Path(base) for base in _SHORT_BASES]
    if data_dir is not None:
        bases.append(data_dir)
    return list(dict.fromkeys(base for base in bases if base.is_absolute() and _is_safe(base)))


def usual_bases(data_dir: Path | None) -> list[Path]:
    """Where the private directories of embedded services may lie."""
    bases = socket_bases(data_dir)
    with contextlib.suppress(EmbeddedUnavailableError):
        bases.append(temporary_base())
    return list(dict.fromkeys(bases))


def takes_socket(directory: Path) -> bool:
    """Whether a socket can be bound there: by the path, its surroundings and the file system."""
    path = str(directory / SOCKET)
    if (
        not _is_safe(directory.parent)
        or len(os.fsencode(path)) > _MAX_PATH_BYTES
        or _PLAIN_PATH.fullmatch(path) is None
    ):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.bind(path)
        (directory / SOCKET).unlink()
    except OSError:
        return False
    return True


def make_socket_directory(data_dir: Path | None) -> PrivateDirectory:
    """A new private directory that takes a socket. Raises EmbeddedUnavailableError."""
    bases = socket_bases(data_dir)
    for directory in _made(bases):
        if takes_socket(directory.path):
            return directory
        directory.remove()
    tried = ", ".join(map(str, bases)) or "no directory"
    raise EmbeddedUnavailableError(
        f"no place for the socket of the embedded service: tried {tried}; it needs a directory that may be "
        f"written to and has a path of at most {_MAX_PATH_BYTES - 30} plain characters: name one in TMPDIR"
    )


def _made(bases: list[Path]) -> Iterator[PrivateDirectory]:
    for base in bases:
        with contextlib.suppress(OSError):
            yield PrivateDirectory.make(base)


def _is_safe(base: Path) -> bool:
    """Whether no other user can put something else in the place of what is made there."""
    try:
        found = base.stat()
    except OSError:
        return False
    if found.st_uid not in (_ROOT, os.geteuid(), _NOBODY):
        return False  # its owner may rename what lies in it, sticky or not
    return stat.S_ISDIR(found.st_mode) and not (
        found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
    )
