"""Decides where a webhook may go: which URLs jobs may name, and which addresses may be connected to.

A job's URL comes from somebody who may not be trusted with this network: without a rule that allows it,
nothing but public addresses is ever connected to, whatever a name resolves to at that moment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

MAX_URL_CHARS = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def faults_of_url(url: str, *, allows_plain_http: bool) -> list[str]:
    """What is wrong with a URL as such, each as the end of a sentence that begins with its name."""
    if len(url) > MAX_URL_CHARS:
        return [f"must have at most {MAX_URL_CHARS} characters, has {len(url)}"]
    if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        return ["must be ASCII without blanks; percent-encode what is not"]
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return [f"is no URL: {error}"]
    faults = []
    if parts.scheme not in {"https", "http"} or not host:
        return ['must begin with "https://" and a host']
    if parts.scheme == "http" and not allows_plain_http:
        faults.append('must begin with "https://"; this server sends nothing in the clear')
    if parts.username is not None or parts.password is not None:
        faults.append("must not hold a user or a password; deliveries are signed")
    if parts.fragment:
        faults.append("must not have a fragment")
    return faults


def host_of(url: str) -> str:
    """The host of a URL, in lower case; all of a URL that is ever logged."""
    return (urlsplit(url).hostname or "").rstrip(".")


def receiver_of(url: str) -> str:
    """Host and port: what may hang as a whole."""
    return urlsplit(url).netloc.lower()


def literal_address(host: str) -> Address | None:
    """The address that a host is already; None: it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_host_allowed(host: str, allowed_hosts: Sequence[str]) -> bool:
    """Whether jobs may name this host; without a list, any. "*.example.com" stands for all below it."""
    return not allowed_hosts or any(fnmatchcase(host, pattern.lower()) for pattern in allowed_hosts)


def is_address_allowed(address: Address, allowed_networks: Sequence[str]) -> bool:
    """Whether this address may be connected to: it is public, or lies in a network that is allowed."""
    networks = [ipaddress.ip_network(network) for network in allowed_networks]
    if any(address in network for network in networks if network.version == address.version):
        return True
    inner = _embedded(address)
    if inner is not None:
        return is_address_allowed(inner, allowed_networks)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4 or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
