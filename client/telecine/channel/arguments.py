"""How a channel is set up: address, security, keep-alive, limits; the same for blocking and asyncio."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from telecine.channel.proxy import is_local
from telecine.exceptions import FieldViolation, InvalidRequestError
from telecine.request.options import KeepAlive, Tls
from telecine.settings.address import AddressError, parse_address

MAX_RECEIVE_BYTES = 64 << 20
"""Manifests of long image sequences are the largest messages."""


_RECOVERY = "Correct the server's address where it was given: an argument, an option, a variable or a file."


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server listens, and how to speak to it."""

    address: str
    """"host:port", "unix:/path", or any name that gRPC resolves, such as "dns:///encoder:50051".
    "tls://host:port" is taken too: it asks for TLS with the system's roots where `tls` says nothing."""
    tls: Tls | None = None
    """None: a plain connection, unless the address asks for TLS."""
    keep_alive: KeepAlive = field(default_factory=KeepAlive)

    def __post_init__(self) -> None:
        try:
            address = parse_address(self.address)
        except AddressError as error:
            raise InvalidRequestError(
                f"server: {error}", faults=[FieldViolation("server", str(error))], recovery=_RECOVERY
            ) from error
        # Frozen for everybody else.
        object.__setattr__(self, "address", address.target)
        if address.is_secure and self.tls is None:
            object.__setattr__(self, "tls", Tls())


def channel_options(target: Target) -> list[tuple[str, int | str]]:
    """The arguments of gRPC for a channel to the target."""
    keep_alive = target.keep_alive
    timeout_ms = round(keep_alive.timeout_seconds * 1000)
    options: list[tuple[str, int | str]] = [
        ("grpc.keepalive_time_ms", round(keep_alive.interval_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", timeout_ms),
        # With keepalive_timeout_ms alone a frozen server goes unnoticed for a minute.
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.keepalive_permit_without_calls", 0),
        # The upload machine does the backing off; gRPC's own would reach two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
        ("grpc.primary_user_agent", "telecine-python"),
    ]
    if is_local(target.address):
        options.append(("grpc.enable_http_proxy", 0))
    return options


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Reads the PEM files. Raises InvalidRequestError for what cannot be read or does not fit."""
    roots, key, chain = (
        _read(getattr(tls, name), name) for name in ("root_certificates", "private_key", "certificate_chain")
    )
    _check_files(tls)
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)


def _check_files(tls: Tls) -> None:
    """gRPC would try to connect with them for ever, and say only that nobody answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.root_certificates is not None:
            context.load_verify_locations(cafile=tls.root_certificates)
    except ssl.SSLError as error:
        raise _refused("tls.root_certificates", "expected certificates in PEM", error) from error
    if (tls.private_key is None) != (tls.certificate_chain is None):
        raise _refused("tls.private_key", "expected tls.certificate_chain beside it, or neither of them")
    if tls.private_key is None or tls.certificate_chain is None:
        return
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.certificate_chain, tls.private_key, password=lambda: "")
    except ssl.SSLError as error:
        is_mismatch = error.reason == "KEY_VALUES_MISMATCH"
        expected = f"expected the key of the certificate in {tls.certificate_chain}"
        if not is_mismatch:
            expected = (
                "expected a key in PEM without a password, and its certificate in tls.certificate_chain"
            )
        raise _refused("tls.private_key", expected, error) from error


def _refused(field: str, expected: str, error: Exception | None = None) -> InvalidRequestError:
    reason = f" ({getattr(error, 'reason', None) or error})" if error is not None else ""
    text = f"{expected}{reason}"
    return InvalidRequestError(f"{field}: {text}", faults=[FieldViolation(field, text)])


def _read(path: str | None, name: str) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _refused(f"tls.{name}", f"{path} cannot be read: {error.strerror}") from error
