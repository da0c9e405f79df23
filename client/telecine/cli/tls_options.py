"""`--tls-…`: the same options for every command that talks to a server, put on each of them in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from telecine.cli.options import add_to_connecting
from telecine.cli.show.failures import UsageError
from telecine.tls.options import Tls

_PANEL: Final = "Secure connection"
_chosen: dict[str, Any] = {}
"""What this command line says."""


def _keeps(field: str) -> Callable[[Any], Any]:
    def keep(value: Any) -> Any:
        _chosen[field] = value
        return value

    return keep


def _option(field: str, metavar: str | None, text: str) -> Any:
    return typer.Option(
        f"--tls-{field.replace('_', '-')}",
        metavar=metavar,
        help=text,
        show_default=False,
        callback=_keeps(field),
        expose_value=False,
        rich_help_panel=_PANEL,
    )


def _options(
    *,
    ca_file: Annotated[
        str | None,
        _option("ca_file", "FILE", "Trust the authorities in this PEM file. Default: TELECINE_TLS_CA_FILE."),
    ] = None,
    cert_file: Annotated[
        str | None, _option("cert_file", "FILE", "Show this certificate. Default: TELECINE_TLS_CERT_FILE.")
    ] = None,
    key_file: Annotated[
        str | None, _option("key_file", "FILE", "Its private key. Default: TELECINE_TLS_KEY_FILE.")
    ] = None,
    server_name: Annotated[
        str | None,
        _option(
            "server_name",
            "NAME",
            "Name in the server's certificate. Default: TELECINE_TLS_SERVER_NAME, else that of the address.",
        ),
    ] = None,
    insecure: Annotated[
        bool, _option("insecure", None, "Speak plainly, whatever the configuration says.")
    ] = False,
) -> None:
    """No command of its own: its options go onto others."""


def add_tls_options(command: Any) -> None:
    """Puts the options on a command, if it talks to a server."""
    add_to_connecting(command, _options)


def chosen_tls() -> Tls | None:
    """What the command line says of the connection; None: nothing. Raises UsageError."""
    said = {field: value for field, value in _chosen.items() if value}
    if not said:
        return None
    if said.get("insecure") and len(said) > 1:
        raise UsageError("--tls-insecure stands beside other options of TLS", "leave out one or the others")
    return Tls(**said)


def forget_tls() -> None:
    """Begins another command line."""
    _chosen.clear()
