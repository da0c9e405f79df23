"""Makes the grpc.aio server: its limits, its keepalive, its port and its TLS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from service_host.address import AddressError, TcpAddress, UnixAddress, clear_stale_socket, parse_address
from service_host.settings.host_config import HostConfig, TlsConfig


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


def bind(server: grpc.aio.Server, config: HostConfig) -> str:
    """Opens the port and returns the address that clients can use. Raises AddressError."""
    address = parse_address(config.listen)
    if isinstance(address, UnixAddress):
        clear_stale_socket(address.path)
    try:
        if config.tls.cert_file is None:
            port = server.add_insecure_port(str(address))
        else:
            port = server.add_secure_port(str(address), _credentials(config.tls))
    except RuntimeError as error:
        expected = "is it in use, is the name one of this machine, may this user open it?"
        raise AddressError(f"cannot listen on {address}: {expected}") from error
    return str(address) if isinstance(address, UnixAddress) else str(TcpAddress(address.host, port))


def _credentials(tls: TlsConfig) -> Any:
    source = _CertificateFiles(tls)
    return grpc.dynamic_ssl_server_credentials(
        source.read(), source.changed, require_client_authentication=tls.client_ca_file is not None
    )


class _CertificateFiles:
    """Reads the certificate files again after they were replaced; asked by gRPC at each handshake."""

    def __init__(self, tls: TlsConfig) -> None:
        self._tls = tls
        self._seen: tuple[tuple[int, int], ...] = ()

    def read(self) -> Any:
        """The credentials as the files say now. Raises AddressError."""
        tls = self._tls
        try:
            self._seen = self._stamps()
            if tls.cert_file is None or tls.key_file is None:
                raise AddressError("TLS needs cert_file and key_file")
            return grpc.ssl_server_certificate_configuration(
                [(tls.key_file.read_bytes(), tls.cert_file.read_bytes())],
                root_certificates=tls.client_ca_file.read_bytes() if tls.client_ca_file else None,
            )
        except OSError as error:
            raise AddressError(f"cannot read {error.filename}: {error.strerror}") from error

    def changed(self) -> Any:
        """New credentials, or None to keep what is in force, also while the files are being replaced."""
        try:
            return None if self._stamps() == self._seen else self.read()
        except (AddressError, OSError):
            return None

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        tls = self._tls
        files: list[Path] = [f for f in (tls.cert_file, tls.key_file, tls.client_ca_file) if f is not None]
        return tuple((f.stat().st_mtime_ns, f.stat().st_ino) for f in files)
