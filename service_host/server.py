"""Makes the grpc.aio server: its limits, its keepalive, its port and its TLS."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import structlog

from service_host.address import AddressError, TcpAddress, UnixAddress, clear_stale_socket, parse_address
from service_host.settings.host_config import HostConfig, TlsConfig

_log = structlog.get_logger("service_host")
_PEM_END = "-----END CERTIFICATE-----"


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


def check_certificate(cert_file: Path, key_file: Path, client_ca_file: Path | None) -> None:
    """Raises AddressError for files that are no PEM, and for a key that is not the certificate's.

    gRPC would say "cannot listen", which looks like a port that is in use.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert_file, key_file, password=lambda: "")
    except ssl.SSLError as error:
        raise AddressError(_certificate_fault(cert_file, key_file, error)) from error
    if client_ca_file is not None:
        try:
            context.load_verify_locations(cafile=client_ca_file)
        except ssl.SSLError as error:
            raise AddressError(f"client_ca_file: {client_ca_file} holds no PEM certificates") from error


def _certificate_fault(cert_file: Path, key_file: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return (
            f"key_file: the key in {key_file} does not belong to the certificate in {cert_file}; "
            "expected the first certificate of the file to be the server's own, and its key"
        )
    try:
        ssl.PEM_cert_to_DER_cert(cert_file.read_text("ascii", "replace").partition("-----END")[0] + _PEM_END)
    except ValueError:
        return f"cert_file: {cert_file} holds no PEM certificate"
    return f"key_file: {key_file} holds no PEM private key that can be read without a password"


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
            check_certificate(tls.cert_file, tls.key_file, tls.client_ca_file)
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
        except (AddressError, OSError) as error:
            _log.warning("certificate_not_taken", error=str(error))
            return None

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        tls = self._tls
        files: list[Path] = [f for f in (tls.cert_file, tls.key_file, tls.client_ca_file) if f is not None]
        return tuple((f.stat().st_mtime_ns, f.stat().st_ino) for f in files)
