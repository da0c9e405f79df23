"""Asks a running service for its health, for containers.

`python -m service_host.healthcheck --section encoder` finds the service by its settings;
`python -m service_host.healthcheck ADDRESS` asks whatever answers there.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import grpc
import msgspec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from telecine.settings.loading import ConfigError, load_config
from telecine.tls.handshake import diagnose, may_be_tls
from telecine.tls.options import Tls

from service_host.address import AddressError, TcpAddress, UnixAddress, parse_address, parse_admin_address
from service_host.settings.host_config import HostConfig
from service_host.tls.config import TlsConfig

HEALTHY = 0
UNHEALTHY = 1

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not what is opened here


class _Hosted(msgspec.Struct, frozen=True):
    """Of any service's configuration, what every service has."""

    is_part: ClassVar[bool] = True
    host: HostConfig = HostConfig()


class _UnhealthyError(Exception):
    """The service is not well, or cannot be asked; the message says why."""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Returns 0 where the service says SERVING, else 1 with one line that says why."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    _check_tls(parser, arguments)
    try:
        if arguments.section is None:
            _ask_over_grpc(arguments.address, arguments)
        else:
            _ask_as_it_is_set(_host_settings(arguments.section, environ), arguments)
    except (_UnhealthyError, ConfigError, AddressError) as error:
        sys.stderr.write(f"{error}\n")
        return UNHEALTHY
    return HEALTHY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service_host.healthcheck", description=__doc__)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("address", nargs="?", help='such as "127.0.0.1:50051" or "unix:/run/telecine.sock"')
    asked.add_argument(
        "--section",
        metavar="NAME",
        help="encoder or collector: find the service by its settings (TELECINE_NAME_* and its file). With "
        "TLS no certificate is needed: the gRPC port must shake hands, and the admin port is asked",
    )
    parser.add_argument("--service", default="", help="a service's full name: its admission; else liveness")
    parser.add_argument("--timeout-seconds", type=float, default=3.0)
    parser.add_argument(
        "--ca-file", "--tls-ca-file", type=Path, help="ask over TLS, and trust this authority"
    )
    parser.add_argument(
        "--cert-file", "--tls-cert-file", type=Path, help="the certificate to show, with --key-file"
    )
    parser.add_argument("--key-file", "--tls-key-file", type=Path, help="its private key")
    parser.add_argument(
        "--server-name", "--tls-server-name", help="the name in the server's certificate, if not the address"
    )
    return parser


def _check_tls(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if (arguments.cert_file is None) != (arguments.key_file is None):
        parser.error("--cert-file and --key-file must be given together")
    if arguments.ca_file is None and (
        arguments.server_name or (arguments.cert_file and not arguments.section)
    ):
        parser.error("--cert-file and --server-name need --ca-file")


def _host_settings(section: str, environ: Mapping[str, str] | None) -> HostConfig:
    prefix = f"TELECINE_{section.upper()}_"
    return load_config(_Hosted, prefix=prefix, section=section, environ=environ).value.host


def _ask_as_it_is_set(host: HostConfig, arguments: argparse.Namespace) -> None:
    listen = parse_address(host.listen)
    address = _reachable(listen) if isinstance(listen, TcpAddress) else listen
    if isinstance(address, TcpAddress) and address.port == 0:
        raise _UnhealthyError("host.listen has port 0, so where the service listens is known to itself alone")
    if host.tls.cert_file is None or arguments.ca_file is not None:
        _ask_over_grpc(str(address), arguments)
        return
    # The authority of its certificate, the name in it and a certificate for clients are not known here.
    context = _unproving_context(host.tls, arguments)
    _shake_hands(address, context, arguments.timeout_seconds)
    admin = parse_admin_address(host.admin_listen)
    if admin is not None:
        context.set_alpn_protocols(["http/1.1"])
        _ask_over_http(_reachable(admin), arguments, context if host.is_admin_encrypted else None)
    elif arguments.service:
        raise _UnhealthyError(
            "--service under TLS needs host.admin_listen, or --ca-file and what clients show"
        )


def _reachable(address: TcpAddress) -> TcpAddress:
    return TcpAddress(_EVERY_ADDRESS.get(address.host, address.host), address.port)


def _ask_over_grpc(address: str, arguments: argparse.Namespace) -> None:
    with _channel(address, arguments) as channel:
        request = health_pb2.HealthCheckRequest(service=arguments.service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=arguments.timeout_seconds)
        except grpc.RpcError as error:
            why = _explained(address, error.details() or "", arguments)
            raise _UnhealthyError(f"{address}: {error.code().name}: {why}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        raise _UnhealthyError(f"{address}: {arguments.service or 'liveness'} is {name}")


def _explained(address: str, details: str, arguments: argparse.Namespace) -> str:
    """What stands in the way, where gRPC hides a fault of TLS."""
    if not may_be_tls(details):
        return details
    found = diagnose(address, _tls(arguments), arguments.timeout_seconds)
    return details if found is None or found.fault is None else f"{found.message}. {found.advice}"


def _tls(arguments: argparse.Namespace) -> Tls | None:
    if arguments.ca_file is None:
        return None
    return Tls(
        ca_file=arguments.ca_file,
        cert_file=arguments.cert_file,
        key_file=arguments.key_file,
        server_name=arguments.server_name,
    )


def _channel(address: str, arguments: argparse.Namespace) -> grpc.Channel:
    if arguments.ca_file is None:
        return grpc.insecure_channel(address)
    files = (arguments.ca_file, arguments.key_file, arguments.cert_file)
    try:
        authority, key, certificate = (path.read_bytes() if path is not None else None for path in files)
    except OSError as error:
        raise _UnhealthyError(f"cannot read {error.filename}: {error.strerror}") from error
    name = arguments.server_name
    options = [("grpc.ssl_target_name_override", name)] if name else []
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority, key, certificate), options)


def _unproving_context(tls: TlsConfig, arguments: argparse.Namespace) -> ssl.SSLContext:
    """What shows that a port answers. Whose it is need not be proved: no secret is sent to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    # The service's own, often of the same authority: else gRPC logs each probe as a failed handshake.
    own = (tls.cert_file, tls.key_file) if tls.client_ca_file is not None else (None, None)
    certificate, key = (arguments.cert_file, arguments.key_file) if arguments.cert_file is not None else own
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        raise _UnhealthyError(f"{certificate}: {error.strerror or error}") from error
    return context


def _shake_hands(address: TcpAddress | UnixAddress, context: ssl.SSLContext, timeout_seconds: float) -> None:
    try:
        with _connected(address, timeout_seconds) as plain, context.wrap_socket(plain):
            pass
    except OSError as error:
        raise _UnhealthyError(f"{address}: {error}") from error


def _connected(address: TcpAddress | UnixAddress, timeout_seconds: float) -> socket.socket:
    if isinstance(address, TcpAddress):
        return socket.create_connection((address.host, address.port), timeout_seconds)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_seconds)
    try:
        connection.connect(os.fspath(address.path))
    except OSError:
        connection.close()
        raise
    return connection


def _ask_over_http(
    address: TcpAddress, arguments: argparse.Namespace, context: ssl.SSLContext | None
) -> None:
    page = "/readyz" if arguments.service else "/healthz"
    limit = arguments.timeout_seconds
    connection = (
        http.client.HTTPConnection(address.host, address.port, timeout=limit)
        if context is None
        else http.client.HTTPSConnection(address.host, address.port, timeout=limit, context=context)
    )
    try:
        connection.request("GET", page)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise _UnhealthyError(f"{address}: {error}") from error
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        raise _UnhealthyError(f"{address}: {page} answers {status}")


if __name__ == "__main__":
    sys.exit(main())
