"""Landlock: which files a process may open, for what, and that nothing reaches beyond it.

See `man 7 landlock`. What is not granted is denied, by the kernel, to this process for good.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from enum import IntFlag

from encoder_service.worker.sandbox.linux import call

_CREATE_RULESET = (444, 444)
_ADD_RULE = (445, 445)
_RESTRICT_SELF = (446, 446)
_VERSION = 1
_PATH_BENEATH = 1


class Access(IntFlag):
    """What may be done with files below a path."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.READ_FILE | Access.READ_DIR
WRITE = (
    READ
    | Access.WRITE_FILE
    | Access.TRUNCATE
    | Access.MAKE_REG
    | Access.MAKE_DIR
    | Access.REMOVE_FILE
    | Access.REMOVE_DIR
    | Access.REFER
)
"""No links, pipes, sockets or devices: nothing in an artifact needs them."""
DEVICE = Access.READ_FILE | Access.WRITE_FILE | Access.IOCTL_DEV | Access.READ_DIR

_OF_FILES = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_KNOWN_SINCE = {Access.REFER: 2, Access.TRUNCATE: 3, Access.IOCTL_DEV: 5}
_TCP_SINCE, _TCP = 4, 0b11  # bind, connect
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract Unix sockets, signals


def version() -> int:
    """The kernel's version of Landlock; 0: it has none, or it is switched off.

    Raises OSError where a filter around the service (a container's seccomp profile) denies to ask.
    """
    try:
        return call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            message = "a filter around the service, such as a container's seccomp profile, denies Landlock"
            raise OSError(message) from error
        return 0


def restrict(grants: Iterable[tuple[str, Access]], abi: int) -> None:
    """Denies this thread, and those it starts, all but the grants. Raises OSError.

    Call it while the process has one thread. A granted path that does not exist is left out.
    """
    handled = _known(~Access(0), abi)
    attributes = struct.pack(
        "=QQQ", handled, _TCP if abi >= _TCP_SINCE else 0, _SCOPES if abi >= _SCOPES_SINCE else 0
    )
    size = 24 if abi >= _SCOPES_SINCE else 16 if abi >= _TCP_SINCE else 8
    ruleset = call(_CREATE_RULESET, ctypes.create_string_buffer(attributes, 24), size, 0)
    try:
        for path, access in grants:
            _grant(ruleset, path, _known(access, abi))
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _grant(ruleset: int, path: str, access: Access) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what cannot be reached now needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        rule = struct.pack("=Qi", access, place)
        call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(place)


def _known(access: Access, abi: int) -> Access:
    for right, since in _KNOWN_SINCE.items():
        if abi < since:
            access &= ~right
    return access
