"""Memory that FFmpeg may read past the end of: a mapped piece of a file, or a copy, with room behind it.

FFmpeg's SIMD code reads whole vectors. Where a row's end falls within one, it reads on behind it (up to
64 bytes: rgba of one column, with AVX2), and behind the last row that is beyond the picture. What it reads
there is thrown away, but it must be mapped: a frame that ends where its page ends would be a SIGSEGV.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any

import numpy as np
import numpy.typing as npt

PADDING_BYTES = 256
"""Four of the widest vectors, AVX-512's; FFmpeg itself asks for 64 bytes (AV_INPUT_BUFFER_PADDING_SIZE)."""

Samples = npt.NDArray[Any]

_PAGE_BYTES = mmap.PAGESIZE
_MAP_FIXED = 0x10
_FAILED = ctypes.c_void_p(-1).value
_LIBC = ctypes.CDLL(None, use_errno=True)
_mmap = _LIBC.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_munmap = _LIBC.munmap
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class PaddedMemory:
    """A piece of a file, mapped read-only, with an anonymous page behind it; unmapped when nobody holds it.

    The file itself is never mapped beyond the piece: it may grow, and a page past its end would be a SIGBUS.
    The mmap module cannot lay one mapping upon another, so this calls the C library.
    """

    def __init__(self, file: int, offset: int, size_bytes: int) -> None:
        """The file must hold the piece, and keeps it. Raises OSError."""
        before = offset % mmap.ALLOCATIONGRANULARITY
        pages = -(-(before + size_bytes) // _PAGE_BYTES) * _PAGE_BYTES
        self._length = pages + _PAGE_BYTES
        anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._address = _mapped(0, self._length, anonymous, -1, 0)
        shared = mmap.MAP_SHARED | mmap.MAP_POPULATE | _MAP_FIXED
        _mapped(self._address, before + size_bytes, shared, file, offset - before)
        self.__array_interface__ = {
            "data": (self._address + before, True),
            "shape": (size_bytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def view(self) -> memoryview:
        """The piece; it keeps the mapping alive."""
        return np.asarray(self).data

    def __del__(self) -> None:
        # Missing where mapping failed; a mapping that is only half laid goes too.
        address = self.__dict__.pop("_address", None)
        if address is not None:
            _munmap(address, self._length)


def _mapped(address: int, length: int, flags: int, file: int, offset: int) -> int:
    found = _mmap(address or None, length, mmap.PROT_READ, flags, file, offset)
    if found is None or found == _FAILED:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(found)


def padded(plane: Samples) -> Samples:
    """The plane itself where reading past its end is harmless, else a copy with room behind it."""
    return plane if _has_room(plane) else _copied(plane)


def _has_room(plane: Samples) -> bool:
    start: int = plane.__array_interface__["data"][0]
    last = zip(plane.shape, plane.strides, strict=True)
    end = start + plane.itemsize + sum((count - 1) * stride for count, stride in last if stride > 0)
    # Memory is mapped by the page: all of the last byte's page can be read, whatever it belongs to.
    return -end % _PAGE_BYTES >= PADDING_BYTES or isinstance(_owner(plane), PaddedMemory)


def _owner(plane: Samples) -> object:
    found: object = plane
    while isinstance(found, np.ndarray | memoryview):
        found = found.base if isinstance(found, np.ndarray) else found.obj
    return found


def _copied(plane: Samples) -> Samples:
    roomy = np.zeros(plane.nbytes + PADDING_BYTES, np.uint8)
    copy: Samples = roomy[: plane.nbytes].view(plane.dtype).reshape(plane.shape)
    copy[...] = plane
    return copy
