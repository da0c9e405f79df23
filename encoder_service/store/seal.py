"""Puts a checksum below a line of JSON in a file, so that damage is seen and never believed."""

from __future__ import annotations

import msgspec
from telecine.crc32c import crc32c


class BrokenSealError(ValueError):
    """The line is not the one that was written."""


class _Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    crc32c: str
    """Of the line before, eight hex digits."""


def sealed(line: bytes) -> bytes:
    """The line and its seal's."""
    return line + b"\n" + msgspec.json.encode(_Seal(f"{crc32c(line):08x}")) + b"\n"


def unsealed(data: bytes) -> bytes:
    """The line; what 0.1.0 wrote has no seal. Raises BrokenSealError."""
    line, has_seal, rest = data.partition(b"\n")
    if not has_seal:
        return line
    try:
        seal = msgspec.json.decode(rest, type=_Seal)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BrokenSealError("its checksum cannot be read") from error
    if seal.crc32c != f"{crc32c(line):08x}":
        raise BrokenSealError("its checksum does not match")
    return line
