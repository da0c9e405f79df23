"""Puts the commands together and turns whatever they raise into an exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from telecine.cli import capabilities, doctor, errors, jobs, verify
from telecine.cli.config import command as config
from telecine.cli.encode import command as encode
from telecine.cli.logs import commands as logs
from telecine.cli.serve import command as serve
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode, epilog
from telecine.cli.show.failures import UsageError, show_failure
from telecine.cli.stages import command as stages
from telecine.logging.unknown_variables import new_complaints

# Typer exports no name for what it raises on a wrong command line; this is it in every version.
_WrongCommandLine: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="telecine",
    help="Frames in, film out, and every log line accounted for.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("encode", epilog=epilog())(encode.encode)
app.add_typer(serve.app, name="serve")
app.add_typer(jobs.app, name="jobs")
app.add_typer(config.app, name="config")
app.add_typer(logs.app, name="logs")
app.add_typer(stages.app, name="stages")
app.command("capabilities", epilog=epilog())(capabilities.capabilities)
app.command("verify", epilog=epilog())(verify.verify)
app.command("doctor", epilog=epilog())(doctor.doctor)
app.command("errors", epilog=epilog())(errors.errors)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib import metadata

        terminal.results().print(f"telecine {metadata.version('telecine')}")
        raise typer.Exit


@app.callback()
def _about(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Encodes generated frames and reports what became of them."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns its exit code. Never raises but for SystemExit from a service."""
    as_json = "--json" in arguments
    for _, complaint in new_complaints(os.environ):
        terminal.notices().print(f"[yellow]warning:[/] {terminal.escape(complaint)}")
    try:
        code = app(args=list(arguments), prog_name="telecine", standalone_mode=False)
    except typer.Abort:
        return show_failure(KeyboardInterrupt(), as_json=as_json)
    except KeyboardInterrupt as error:
        return show_failure(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the outermost door: an unknown error is reported as a fault
        if isinstance(error, _WrongCommandLine):
            error = _usage_error(error)
        return show_failure(error, as_json=as_json)
    if code == ExitCode.INTERRUPTED and not _ends_by_interruption(arguments):
        return show_failure(KeyboardInterrupt(), as_json=as_json)  # typer makes a bare exit code of it
    return int(code) if isinstance(code, int) else int(ExitCode.OK)


def _ends_by_interruption(arguments: Sequence[str]) -> bool:
    """Ctrl-C is how commands end that follow something; there is nothing to say about it."""
    return "serve" in arguments[:1] or bool({"tail", "watch"} & set(arguments[1:2]))


def _usage_error(error: Any) -> UsageError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "telecine"
    return UsageError(error.format_message(), f"`{command} --help` shows how it is used")
