"""`telecine console`: jobs and logs as web pages."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telecine.cli.connection import (
    DEFAULT_COLLECTOR,
    collector_tls,
    configured_server,
    named_collector,
    server_tls,
)
from telecine.cli.options import DEFAULT_SERVER
from telecine.cli.show.failures import UnavailableHereError, UsageError, missing_extra
from telecine.cli.token_options import chosen_token_file

if TYPE_CHECKING:
    from telecine.console.services.access import Services

DEFAULT_LISTEN = "127.0.0.1:8080"
_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]\s/]+)):([0-9]{1,5})")
_LAST_PORT = 65535


EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder", metavar="ADDRESS", envvar="TELECINE_SERVER", show_default=False,
        help=f"The encoder. Default: sdk.server of the configuration, else {DEFAULT_SERVER}.",
    ),
]  # fmt: skip
CollectorOption = Annotated[
    str | None,
    typer.Option(
        "--collector", metavar="ADDRESS", show_default=False,
        help=f"The collector. Default: TELECINE_LOG_COLLECTOR, else {DEFAULT_COLLECTOR}.",
    ),
]  # fmt: skip
ListenOption = Annotated[
    str, typer.Option("--listen", "-l", metavar="HOST:PORT", help="Where browsers reach it; port 0: any.")
]
HostOption = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="NAME", help="A name by which browsers reach it; may be repeated."),
]
CertOption = Annotated[
    Path | None, typer.Option("--listen-cert-file", metavar="FILE", help="Its own certificate, PEM.")
]
KeyOption = Annotated[
    Path | None, typer.Option("--listen-key-file", metavar="FILE", help="The certificate's key, PEM.")
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Start without TLS although others reach the port.")
]


def console(
    *,
    server: EncoderOption = None,
    collector: CollectorOption = None,
    listen: ListenOption = DEFAULT_LISTEN,
    host: HostOption = None,
    cert_file: CertOption = None,
    key_file: KeyOption = None,
    insecure: InsecureOption = False,
) -> None:
    """Show jobs and logs as web pages, until Ctrl-C. Prints a link that opens it once.

    It is a client of the two services; what a viewer's key may not see there, it does not show.
    """
    try:
        from telecine.console.server.app import Console, ConsoleOptions
        from telecine.console.server.guard import exposure_fault
        from telecine.console.server.listener import Port, serve
    except ModuleNotFoundError as error:
        raise missing_extra("console", error) from error
    host_name, number = _where(listen)
    if (cert_file is None) != (key_file is None):
        raise UsageError("a certificate has its key", "give --listen-cert-file and --listen-key-file")
    if fault := exposure_fault(host_name, has_tls=cert_file is not None, is_insecure=insecure):
        raise UsageError(fault, "or listen on 127.0.0.1")
    services = _services(server, collector)
    port = Port(host_name, number, cert_file, key_file)
    try:
        listening = port.bind()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableHereError(f"cannot listen on {listen}: {reason}", "name another port") from error
    number = listening.getsockname()[1]
    scheme = "https" if cert_file else "http"
    options = ConsoleOptions(
        services=services,
        announce=lambda key: _announce(f"{scheme}://{_shown(host_name, number)}/open?key={key}"),
        is_secure=cert_file is not None,
        names=frozenset(each.lower() for each in host or ()),
        cookie=f"telecine_console_{number}",
    )
    asyncio.run(serve(Console(options), port, listening))


def _services(server: str | None, collector: str | None) -> Services:
    """What the command line names, else what the configuration does, else this machine's."""
    from telecine.console.services.access import Services

    encoder = server or configured_server() or DEFAULT_SERVER
    collector = collector or named_collector() or DEFAULT_COLLECTOR
    return Services(encoder, collector, server_tls(encoder), collector_tls(collector), chosen_token_file())


def _where(listen: str) -> tuple[str, int]:
    """Host and port to listen on; port 0: any. Raises UsageError."""
    match = _HOST_PORT.fullmatch(listen)
    if match is None or int(match[3]) > _LAST_PORT:
        raise UsageError(f"--listen is {listen!r}", "write it as HOST:PORT, such as 127.0.0.1:8080")
    return match[1] or match[2], int(match[3])


def _shown(host: str, port: int) -> str:
    """The address as a browser on this machine takes it."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _announce(link: str) -> None:
    sys.stdout.write(json.dumps({"event": "open_once", "link": link}) + "\n")
    sys.stdout.flush()
