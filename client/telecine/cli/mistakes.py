"""What is wrong with a command line, in words that fit the command, and which command it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
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


def usage_error(error: Any, path: str, arguments: Sequence[str]) -> UsageError:
    """Typer's own complaint as ours."""
    message = error.format_message()
    if path == "telecine encode" and "unexpected extra argument" in message:
        named = [argument for argument in arguments[1:] if Path(argument).is_file()]
        if pattern := _unquoted_glob(named):
            return UsageError(
                f"{len(named)} sources are given, but one is encoded at a time: were they {pattern}?",
                f"quote the glob: {path} '{pattern}'",
            )
    return UsageError(message, f"`{path} --help` shows how it is used")


def _unquoted_glob(names: Sequence[str]) -> str:
    """The glob that a shell has probably expanded to these names; empty: they have nothing in common."""
    paths = [Path(name) for name in names]
    folders, endings = {path.parent for path in paths}, {path.suffix for path in paths}
    if len(paths) < 2 or len(folders) > 1 or len(endings) > 1 or endings == {""}:
        return ""
    (folder,), (ending,) = folders, endings
    return str(folder / f"*{ending}")
