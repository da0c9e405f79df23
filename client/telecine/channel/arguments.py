"""How a channel is set up: address, security, keep-alive, limits; the same for blocking and asyncio."""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc

from telecine.channel.proxy import is_local
from telecine.exceptions import FieldViolation, InvalidRequestError
from telecine.request.options import KeepAlive
from telecine.settings.address import AddressError, parse_address
from telecine.settings.token import Token, TokenError, check_private
from telecine.tls.options import Tls
from telecine.tls.pem_files import Pem, PemFiles, TlsFileError

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
    """None: a plain connection, unless the address asks for TLS. One that is `insecure` becomes None."""
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    token: Token | None = None
    """Shown with each call. None: nothing is. Over a network it travels by TLS alone, unless `tls` is
    `insecure`."""

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
        if self.token is not None:
            self._check_token()
        if self.tls is not None and self.tls.insecure:
            if address.is_secure:
                raise _contradiction(self.address)
            object.__setattr__(self, "tls", None)

    def _check_token(self) -> None:
        is_insecure = self.tls is not None and self.tls.insecure
        is_secure = self.tls is not None and not is_insecure
        try:
            check_private(self.address, is_secure=is_secure, is_insecure_said=is_insecure)
        except TokenError as error:
            raise InvalidRequestError(str(error), faults=[FieldViolation("token", str(error))]) from error


def _contradiction(address: str) -> InvalidRequestError:
    text = f"{address} is to be spoken to plainly, but the address was given with tls://"
    return InvalidRequestError(f"tls.insecure: {text}", faults=[FieldViolation("tls.insecure", text)])


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
    if target.tls is not None and target.tls.server_name:
        options.append(("grpc.ssl_target_name_override", target.tls.server_name))
    if is_local(target.address):
        options.append(("grpc.enable_http_proxy", 0))
    return options


def pem_files(tls: Tls) -> PemFiles:
    """Reads the PEM files. Raises InvalidRequestError for what cannot be read or does not fit."""
    try:
        return PemFiles(tls)
    except TlsFileError as error:
        raise InvalidRequestError(
            str(error), faults=[FieldViolation(f"tls.{error.field}", error.expected)]
        ) from error


def credentials_of(pem: Pem) -> grpc.ChannelCredentials:
    """The files' content as gRPC takes it."""
    return grpc.ssl_channel_credentials(
        root_certificates=pem.ca, private_key=pem.key, certificate_chain=pem.certificate
    )
