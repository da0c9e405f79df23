"""Addresses to listen on: "host:port", "[v6]:port" and "unix:/path"."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]\s/]+)):(\d{1,5})")


class AddressError(ValueError):
    """An address that cannot be listened on; the message says what is expected."""


class TcpAddress(msgspec.Struct, frozen=True):
    """A host and a port."""

    host: str
    port: int
    """0: any free one."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixAddress(msgspec.Struct, frozen=True):
    """A Unix-domain socket."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


def parse_address(text: str) -> TcpAddress | UnixAddress:
    """Reads an address. Raises AddressError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path or len(path.encode()) > 100:
            raise AddressError(f'expected "unix:" and a path of at most 100 bytes, got {text!r}')
        if re.search(r"[%?#\s\0]", path):
            raise AddressError(
                f"expected a path without spaces, %, ? and #, as gRPC reads it as a URI, got {text!r}"
            )
        return UnixAddress(Path(path))
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise AddressError(f'expected "host:port", "[::1]:port" or "unix:/path", got {text!r}')
    return TcpAddress(match[1] or match[2], int(match[3]))


def parse_admin_address(text: str) -> TcpAddress | None:
    """Reads the admin port's address; None for the empty text, which means off. Raises AddressError."""
    if not text:
        return None
    address = parse_address(text)
    if isinstance(address, UnixAddress):
        raise AddressError(f'expected "host:port" or nothing for off, got {text!r}')
    return address
