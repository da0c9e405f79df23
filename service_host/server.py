"""Makes the grpc.aio server: its limits, its keepalive, its port and its TLS."""

from __future__ import annotations

from collections.abc import Sequence

import grpc.aio

from service_host.address import AddressError, TcpAddress, UnixAddress, parse_address
from service_host.settings.host_config import HostConfig
from service_host.tls.certificate_files import CertificateFiles
from service_host.tls.credentials import grpc_credentials
from service_host.unix_socket import private_socket

_OTHER_METADATA_BYTES = 8 * 1024
"""What gRPC itself lets a call's metadata have in all."""


def channel_options(config: HostConfig) -> list[tuple[str, int]]:
    """The arguments of C-core, as measured; BDP probing stays on, so that distance costs no speed."""
    keepalive = config.keepalive
    timeout_ms = round(keepalive.timeout_seconds * 1000)
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", round(keepalive.time_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", timeout_ms),
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            round(keepalive.min_client_interval_seconds * 1000),
        ),
        # Room for the longest token and all else; the first limit alone is refused now and then, not always.
        ("grpc.max_metadata_size", config.auth.max_token_bytes + _OTHER_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * (config.auth.max_token_bytes + _OTHER_METADATA_BYTES)),
        # Two servers on one port would share its connections in silence.
        ("grpc.so_reuseport", 0),
    ]


def make_server(config: HostConfig, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> grpc.aio.Server:
    """A server without port or services. Must be called on the event loop that will run it."""
    return grpc.aio.server(
        interceptors=interceptors,
        options=channel_options(config),
        # Calls are bounded by the interceptor: gRPC's own limit would refuse health checks as well.
    )


def bind(server: grpc.aio.Server, config: HostConfig, certificate: CertificateFiles | None) -> str:
    """Opens the port and returns the address that clients can use. `certificate` None: without TLS.

    Raises AddressError.
    """
    address = parse_address(config.listen)
    if isinstance(address, UnixAddress):
        with private_socket(address.path, is_open_to_group=config.is_readable_by_group):
            _open_port(server, address, certificate)
        return str(address)
    return str(TcpAddress(address.host, _open_port(server, address, certificate)))


def _open_port(
    server: grpc.aio.Server, address: TcpAddress | UnixAddress, certificate: CertificateFiles | None
) -> int:
    try:
        if certificate is None:
            return server.add_insecure_port(str(address))
        return server.add_secure_port(str(address), grpc_credentials(certificate))
    except RuntimeError as error:
        expected = "is it in use, is the name one of this machine, may this user open it?"
        raise AddressError(f"cannot listen on {address}: {expected}") from error
