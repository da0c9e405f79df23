"""What is wrong with a command line, in words that fit the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telecine.cli.show.failures import UsageError


def command_path(command: Any, arguments: Sequence[str], name: str = "telecine") -> str:
    """The command that the arguments name, such as "telecine logs query"; without its options."""
    for argument in arguments:
        inner = getattr(command, "commands", {}).get(argument)
        if inner is not None:
            command, name = inner, f"{name} {argument}"
        elif not argument.startswith("-"):
            break
    return name


def usage_error(error: Any, path: str) -> UsageError:
    """Typer's own complaint as ours."""
    return UsageError(error.format_message(), f"`{path} --help` shows how it is used")
