"""The options that several commands share, spelled once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from telecine.settings.address import ENCODER_PORT

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        metavar="HOST:PORT",
        envvar="TELECINE_SERVER",
        show_default=False,
        help="Encoder service to talk to. Default: sdk.server of the configuration, else an embedded one.",
    ),
]
"""For commands that can do their work with an embedded service."""

DEFAULT_SERVER = f"127.0.0.1:{ENCODER_PORT}"
"""Where `telecine serve encoder` listens by default."""

RunningServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        metavar="HOST:PORT",
        envvar="TELECINE_SERVER",
        show_default=False,
        help=f"Encoder service to talk to. Default: sdk.server of the configuration, else {DEFAULT_SERVER}.",
    ),
]
"""For commands about a service that already runs."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document for programs (docs/cli.md) instead of text.")
]

OutDirOption = Annotated[
    Path, typer.Option("--out-dir", "-d", metavar="DIR", help="Where artifacts go; made when missing.")
]


def add_to_connecting(command: Any, options: Callable[..., None]) -> None:
    """Puts options on a command, if it talks to a server (has `--server`) and has none of them yet.

    `options`: a function that declares them and does nothing.
    """
    names = {parameter.name for parameter in command.params}
    if "server" not in names:
        return
    donor = typer.Typer(add_completion=False)
    donor.command()(options)
    added = typer.main.get_command(donor).params
    if names.isdisjoint(parameter.name for parameter in added):
        command.params += added
