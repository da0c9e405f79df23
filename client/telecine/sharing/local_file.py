"""Reads an artifact where a server on this machine has put it, instead of having it sent."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_PIECE_BYTES = 1 << 20


def is_artifact_path(local_path: str, job_id: str, path: str) -> bool:
    """Whether a server may mean an artifact by this: `<data_dir>/artifacts/<time>_<job_id>/<path>`.

    Any other path, such as that of a private key, is not even looked at.
    """
    named, wanted = PurePosixPath(local_path), PurePosixPath(path).parts
    if not named.is_absolute() or ".." in named.parts or "\0" in local_path:
        return False
    *above, room, directory = ("", "", *named.parts[: -len(wanted)])
    is_of_job = re.fullmatch(rf"\d{{8}}_\d{{6}}_{re.escape(job_id)}(_\d+)?", directory) is not None
    return bool(above) and room == "artifacts" and is_of_job and named.parts[-len(wanted) :] == wanted


def pieces_of(path: str, offset: int, size_bytes: int) -> Iterator[memoryview]:
    """Yields the bytes of a file from `offset` on; nothing, or not all of them, if it is out of reach.

    Out of reach is also what is no plain file of `size_bytes`, such as in a container of this machine that
    has another file there, or what belongs to another user. What is yielded may still be wrong: the caller
    knows the SHA-256. Each piece lies where the one before lay: memory that is used again is faster.
    """
    file = open_own_file(path, os.O_RDONLY)
    if file is None:
        return
    try:
        if os.fstat(file).st_size != size_bytes:
            return
        piece = memoryview(bytearray(_PIECE_BYTES))
        while count := _read(file, piece, offset):
            yield piece[:count]
            offset += count
    finally:
        os.close(file)


def open_own_file(path: str, flags: int, *, name: str = "") -> int | None:
    """A descriptor of a plain file of this user's; None for everything else, which is not opened at all.

    Opening a device or a pipe has effects of its own. `name`: what the kernel calls the file, at its
    beginning; empty: anything.
    """
    if not hasattr(os, "O_PATH"):
        return None
    try:
        # Links are followed only if the kernel can say afterwards where they led.
        follow = 0 if name else os.O_NOFOLLOW
        found = os.open(path, os.O_PATH | os.O_CLOEXEC | follow)
    except (OSError, ValueError):
        return None
    try:
        what, itself = os.fstat(found), f"/proc/self/fd/{found}"
        if not stat.S_ISREG(what.st_mode) or what.st_uid != os.geteuid():
            return None
        if not str(Path(itself).readlink()).startswith(name):
            return None
        return os.open(itself, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    finally:
        os.close(found)


def _read(file: int, piece: memoryview, offset: int) -> int:
    try:
        return os.preadv(file, [piece], offset)
    except OSError:
        return 0
