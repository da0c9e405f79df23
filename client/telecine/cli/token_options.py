"""`--token-file`: the same option for every command that talks to a server, put on each in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from telecine.cli.options import add_to_connecting
from telecine.cli.show.failures import UsageError
from telecine.settings.token import Token, TokenError, token_of

_chosen: dict[str, Path] = {}
"""What this command line says."""


def _keep(value: Any) -> Any:
    if value is not None:
        _chosen["file"] = value
    return value


def _options(
    *,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="Show the token or API key in this file. Default: TELECINE_TOKEN_FILE, TELECINE_TOKEN.",
            show_default=False,
            callback=_keep,
            expose_value=False,
        ),
    ] = None,
) -> None:
    """No command of its own: its option goes onto others."""


def add_token_option(command: Any) -> None:
    """Puts the option on a command, if it talks to a server."""
    add_to_connecting(command, _options)


def chosen_token_file() -> Path | None:
    """What the command line says; None: nothing."""
    return _chosen.get("file")


def chosen_token() -> Token | None:
    """The token that the command line or the environment names; None: none. Raises UsageError."""
    try:
        return token_of(file=chosen_token_file())
    except TokenError as error:
        raise UsageError(str(error), "name one file with a token or an API key") from error


def forget_token() -> None:
    """Begins another command line."""
    _chosen.clear()
