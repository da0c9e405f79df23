"""Says whether a service would be open to everybody on a network, which has to be asked for by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service_host.address import TcpAddress, parse_address, parse_admin_address
from service_host.settings.auth_config import is_loopback
from service_host.settings.host_config import HostConfig


def exposed_ports(config: HostConfig, others: Sequence[str] = ()) -> list[str]:
    """The addresses that other machines reach: neither loopback nor a Unix socket. Raises AddressError.

    `others`: what the service listens on beside the ports of its host.
    """
    further = (config.admin_listen, *others)
    addresses = (parse_address(config.listen), *map(parse_admin_address, further))
    return [str(each) for each in addresses if isinstance(each, TcpAddress) and not is_loopback(each.host)]


def exposure_fault(config: HostConfig, others: Sequence[str] = ()) -> str:
    """Why the service must not start like this; empty: it may. Raises AddressError."""
    ports = exposed_ports(config, others)
    if not ports or config.tls.is_on or config.auth.is_on or config.is_insecure:
        return ""
    return (
        f"{' and '.join(ports)} can be reached from other machines, and everybody there could do everything. "
        "Set host.tls (cert_file, key_file; with client_ca_file for known clients alone), or host.auth "
        "(keys_file, issuers), or say --insecure (host.is_insecure) where the network keeps others out"
    )


def exposure_warnings(config: HostConfig, others: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """(event, what is open) for what is allowed, and still worth a line at every start."""
    ports = ", ".join(exposed_ports(config, others))
    if not ports:
        return
    if not config.auth.is_on and config.tls.client_ca_file is None:
        yield "everybody_may_come_in", f"{ports}: nobody is asked who they are (host.auth)"
    if config.auth.is_on and not config.tls.is_on:
        yield "credentials_travel_in_clear", f"{ports}: tokens and keys can be read on the way (host.tls)"
