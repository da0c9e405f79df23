"""Writes the page of every command: what it does, its arguments and options."""

from __future__ import annotations

import enum
import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import typer
from telecine.cli.app import app
from telecine.cli.show.exits import MEANINGS

from docs.tools.tables import cell, page, table

_HEAD = """\
Every command of `telecine` with its arguments and options, as `--help` has them. What they are for, with
examples, is on
[The command line](../cli.md)."""


_MARKUP = re.compile(r"(?<!\\)\[/?(?:bold|dim|italic|green|red|cyan|yellow)?\]")


def pages() -> dict[str, str]:
    """Name in docs/reference/ to text."""
    root: Any = typer.main.get_command(app)
    parts = [_exit_codes()]
    for path, command in _commands(root, ("telecine",)):
        parts.append(f"## `{' '.join(path)}`")
        parts.append(_prose(command.help or ""))
        parts += _tables(command)
    return {"commands.md": page("Commands", _HEAD, parts)}


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _tables(command: Any) -> Iterator[str]:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    kinds = typing.get_type_hints(inspect.unwrap(command.callback))
    if arguments:
        yield table(
            ("argument", "meaning"),
            [
                (f"`{param.metavar or param.name.upper()}`", cell(_prose(getattr(param, "help", "") or "")))
                for param in arguments
            ],
        )
    if options:
        yield table(
            ("option", "value", "meaning", "default", "variable"),
            [
                (
                    ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts)),
                    cell(_value(param, kinds.get(param.name))),
                    cell(_prose(param.help or "")),
                    cell(_default(param)),
                    _variable(param),
                )
                for param in options
            ],
        )


def _value(param: Any, kind: Any) -> str:
    """What stands behind the option. Booleans are flags; enums are their members' values.

    `kind` is the annotation in the command's function: Typer's own name for it changes between releases.
    """
    if isinstance(kind, types.UnionType):
        [kind] = [one for one in kind.__args__ if one is not types.NoneType] or [None]
    if param.is_flag or kind is bool:
        return ""
    if param.metavar:
        return f"`{param.metavar}`"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    return {int: "whole number", float: "number"}.get(kind, "text")


def _default(param: Any) -> str:
    value = param.default
    if (
        value in (None, False, "", (), [])
        or callable(value)
        or param.is_flag
        or repr(value).startswith("Sentinel")
    ):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _variable(param: Any) -> str:
    names = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or ())
    return ", ".join(f"`{name}`" for name in names)


def _prose(text: str) -> str:
    """A help text without the markup of terminals."""
    return _MARKUP.sub("", text).replace("\b", "").replace("\\[", "[").strip()


def _exit_codes() -> str:
    rows = [(f"{code.value}", cell(meaning)) for code, meaning in MEANINGS.items()]
    return "## Exit codes\n\n" + table(("code", "meaning"), rows)
