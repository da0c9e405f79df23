"""A Unix socket to listen on that nobody but the service's user can open, put aside or stand in for."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service_host.address import AddressError

_OWN = 0o600
_GROUP = 0o660
_OTHERS = 0o077
_PRIVATE_DIRECTORY = 0o700
_GROUP_DIRECTORY = 0o750


@contextmanager
def private_socket(path: Path, *, is_open_to_group: bool) -> Iterator[None]:
    """Makes a socket's path free to bind; what the body binds there is for this user alone, or its group.

    gRPC shows no credentials of who connects (SO_PEERCRED), so the directory and the socket's mode are the
    guard. Raises AddressError where something else lies there, where a server still answers, and where others
    could put a socket of theirs in this one's place.
    """
    mode = _GROUP if is_open_to_group else _OWN
    _prepare_directory(path, _GROUP_DIRECTORY if is_open_to_group else _PRIVATE_DIRECTORY)
    _clear_stale_socket(path)
    # From its first moment on: between binding and chmod others could connect. Threads that make directories
    # meanwhile get usable ones.
    usual = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(usual)
    try:
        found = path.lstat()
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            raise AddressError(f"cannot listen on unix:{path}: another user has put something in its place")
        path.chmod(mode)
    except OSError as error:
        raise AddressError(f"cannot listen on unix:{path}: {error.strerror or error}") from error


def _prepare_directory(path: Path, mode: int) -> None:
    directory = path.absolute().parent
    try:
        if not directory.is_dir():
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir(mode=mode, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise AddressError(f"cannot listen on unix:{path}: {error.filename}: {error.strerror}") from error
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise AddressError(
            f"cannot listen on unix:{path}: every user may write to {directory}, and so put another socket "
            "in its place; expected a directory of the service's own (install -d -m 0700 …)"
        )


def _clear_stale_socket(path: Path) -> None:
    """gRPC would take the path away from a living server in silence."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise AddressError(f"cannot listen on unix:{path}: {error.strerror or error}") from error
    if not stat.S_ISSOCK(mode):
        raise AddressError(f"cannot listen on unix:{path}: something that is no socket lies there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            _remove(path)
            return
        except OSError as error:
            # Another user's, perhaps with a server behind it that this user may not ask.
            raise AddressError(
                f"cannot listen on unix:{path}: the socket there cannot be asked ({error.strerror or error})"
            ) from error
    raise AddressError(f"cannot listen on unix:{path}: another server answers there")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise AddressError(f"cannot listen on unix:{path}: {error.strerror or error}") from error
