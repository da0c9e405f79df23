"""Addresses of servers as users write them: "host:port", "tls://host:port", "unix:/path", or gRPC's names."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENCODER_PORT = 50051
"""Where `telecine serve encoder` listens by default."""
COLLECTOR_PORT = 50052
"""Where `telecine serve collector` listens by default."""

_RESOLVED = ("dns:", "ipv4:", "ipv6:", "xds:", "unix-abstract:", "vsock:")
"""Schemes that gRPC resolves by itself."""
SECURE = "tls://"
"""Asks for TLS."""
_SOCKET_BYTES = 107
"""The longest path that a Unix socket can have on Linux."""
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:/\\@\[\]?#]+)):(?P<port>[0-9]+)")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^/?#\s]*)")
_BARE_V6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_LAST_PORT = 65535
_EXPECTED = 'expected "host:port", "tls://host:port" or "unix:/path"'


class AddressError(ValueError):
    """A text that is no address; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    target: str
    """As gRPC takes it."""
    is_secure: bool
    """Whether the text asks for TLS by its scheme."""


def parse_address(text: str, *, usual_port: int = ENCODER_PORT) -> Address:
    """Reads an address; touches no network. `usual_port`: for the advice where the port is missing.

    Raises AddressError.
    """
    address = text.strip()
    if address.startswith("unix:"):
        return Address(_socket(address), is_secure=False)
    if address.startswith(_RESOLVED):
        return Address(_resolved(address), is_secure=False)
    is_secure = address.startswith(SECURE)
    rest = address.removeprefix(SECURE)
    if match := _HOST_PORT.fullmatch(rest):
        _check_port(match["port"], text)
        return Address(rest, is_secure=is_secure)
    raise AddressError(f"{_EXPECTED}{_hint(address, rest, usual_port)}, got {text!r}")


def is_socket(address: str) -> bool:
    """Whether it is one of this machine's, which needs no TLS."""
    return address.strip().startswith(("unix:", "unix-abstract:"))


def _socket(address: str) -> str:
    path = address.removeprefix("unix:")
    if path.startswith("//"):
        path = path.removeprefix("//")
    if not path or "\0" in path or len(path.encode()) > _SOCKET_BYTES:
        raise AddressError(f'expected "unix:" and a path of at most {_SOCKET_BYTES} bytes, got {address!r}')
    return address


def _resolved(address: str) -> str:
    """Names of gRPC's are left as they are, apart from a port that cannot be one."""
    is_socket = address.startswith("unix-abstract:")
    if not address.partition(":")[2].strip("/"):
        raise AddressError(f"expected a name after the scheme, got {address!r}")
    port = None if is_socket else re.search(r"(?:\]|[^:\]/]):([0-9]+)$", address.partition(":")[2])
    if port is not None:
        _check_port(port[1], address)
    return address


def _check_port(digits: str, text: str) -> None:
    if len(digits) > len(str(_LAST_PORT)) or not 1 <= int(digits) <= _LAST_PORT:
        raise AddressError(f"expected a port from 1 to {_LAST_PORT}, got {text!r}")


def _hint(address: str, rest: str, usual_port: int) -> str:
    """What was probably meant."""
    if scheme := _SCHEME.match(address):
        if scheme["scheme"] == "tls":
            return f', such as "tls://{scheme["rest"].partition(":")[0] or "host"}:{usual_port}"'
        rest = scheme["rest"]
        host = rest if _HOST_PORT.fullmatch(rest) else f"{rest or 'host'}:{usual_port}"
        secure = SECURE if scheme["scheme"].lower() in {"https", "grpcs"} else ""
        return f', such as "{secure}{host}", without "{scheme["scheme"]}://"'
    if re.fullmatch(r":?[0-9]{2,5}", rest):
        return f', such as "127.0.0.1:{rest.lstrip(":")}" (the host is missing)'
    if _BARE_V6.fullmatch(rest):
        host, _, port = rest.rpartition(":")
        if len(port) > len("ffff"):
            return f', such as "[{host}]:{port}" (IPv6 stands in brackets)'
        return f', such as "[{rest}]:{usual_port}" (IPv6 stands in brackets)'
    if rest and re.fullmatch(r"[^\s:/\\@\[\]?#]+:?", rest):
        return f', such as "{rest.rstrip(":")}:{usual_port}" (the port is missing)'
    return ""
