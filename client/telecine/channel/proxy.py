"""Whether a connection goes through a proxy: never one to this machine, and where it fails that is said."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import Final

_PROXY_VARIABLES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""Those that gRPC looks at, in its order; it goes through such a proxy without a word."""
_HOST_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.%A-Za-z]+\]|[^\s:/\[\]@]+):([0-9]{1,5})")
_PREFIX: Final = re.compile(r"dns:(?://[^/\s]*/)?|ipv4:(?://)?/?|ipv6:(?://)?/?")
_HOSTS: Final = Path("/etc/hosts")


def is_local(address: str) -> bool:
    """Whether a server at that address is on this machine, as far as is known without a name server."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    found = _HOST_PORT.fullmatch(_PREFIX.sub("", address, count=1))
    host = found[1].strip("[]").lower() if found else ""
    if host in {"localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname().lower()}:
        return True
    return any(_is_own(each) for each in (host, *_named_here(host)))


def proxy_note(address: str) -> str:
    """What to say of a connection that fails although it goes through a proxy; empty: it does not."""
    name = next((name for name in _PROXY_VARIABLES if os.environ.get(name)), "")
    if not name or is_local(address):
        return ""
    return (
        f"; the connection goes through the proxy that {name} names: let no_proxy name the server's host "
        "if it should not"
    )


def _named_here(host: str) -> list[str]:
    try:
        lines = _HOSTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    rows = (line.partition("#")[0].split() for line in lines)
    return [row[0] for row in rows if host in map(str.lower, row[1:])]


def _is_own(host: str) -> bool:
    """Whether it is an address that this machine has: only such a one can be bound."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
