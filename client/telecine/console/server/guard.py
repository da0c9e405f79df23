"""What every request must pass first, its Host and its Origin; and what every answer carries."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every answer."""

ARTIFACT_POLICY: Final = "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"
"""The policy of files that others made: whatever they hold, nothing in them runs."""

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::[0-9]{1,5})?")


def host_of(header: str) -> str:
    """The name or address in a Host header, in lower case; empty: it is none."""
    match = _HOST.fullmatch(header)
    return (match[1] or match[2]).lower().rstrip(".") if match else ""


def is_known_host(header: str, names: Iterable[str]) -> bool:
    """Whether a Host header is one of ours.

    A page of another site reaches this port under its own name (DNS rebinding), never under an address: so
    addresses and localhost are taken, and of names those alone that were named.
    """
    host = host_of(header)
    if host == "localhost" or host in names:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_same_origin(origin: str | None, host: str, *, is_secure: bool) -> bool:
    """Whether a change comes from a page of ours. Browsers name the origin of every POST."""
    return origin == f"{'https' if is_secure else 'http'}://{host}"


def exposure_fault(host: str, *, has_tls: bool, is_insecure: bool) -> str:
    """Why the console must not listen on a host, by the same rule as the services; empty: it may."""
    if is_insecure or has_tls or is_loopback(host):
        return ""
    return (
        f"{host} can be reached from other machines, and keys and sessions would travel in the clear. "
        "Name a certificate (--listen-cert-file, --listen-key-file), or say "
        "--insecure where the network keeps others out"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
