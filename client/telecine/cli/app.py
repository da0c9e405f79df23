"""Puts the commands together and turns whatever they raise into an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from telecine.cli import capabilities, console, doctor, errors, jobs, verify
from telecine.cli.config import command as config
from telecine.cli.encode import command as encode
from telecine.cli.keys import command as keys
from telecine.cli.logs import commands as logs
from telecine.cli.mistakes import command_path, usage_error
from telecine.cli.serve import command as serve
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode, epilog
from telecine.cli.show.failures import show_failure
from telecine.cli.stages import command as stages
from telecine.cli.tls_options import add_tls_options, forget_tls
from telecine.cli.token_options import add_token_option, forget_token
from telecine.logging.unknown_variables import new_complaints

# Typer exports no name for what it raises on a wrong command line; this is it in every version.
_WrongCommandLine: Any = typer.BadParameter.__mro__[2]
_NO_ARGUMENTS = "NoArgsIsHelpError"

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
app.add_typer(keys.app, name="keys")
app.add_typer(stages.app, name="stages")
app.command("capabilities", epilog=epilog())(capabilities.capabilities)
app.command("console", epilog=epilog())(console.console)
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
    terminal.speak_plainly()
    try:
        return _run(arguments)
    finally:
        # What one command line names holds for it alone, in a program that runs several, too.
        forget_tls()
        forget_token()


def _run(arguments: Sequence[str]) -> int:
    command = _command()
    path = command_path(command, arguments)
    as_json = "--json" in arguments
    for _, complaint in new_complaints(os.environ):
        terminal.notices().print(f"[yellow]warning:[/] {terminal.escape(complaint)}")
    try:
        code = command(args=list(arguments), prog_name="telecine", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return show_failure(KeyboardInterrupt(), as_json=as_json, command=path)
    except BrokenPipeError:
        return int(ExitCode.OK)  # `| head` has seen enough
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # --help into `| head`: rich's own way out
            return int(ExitCode.OK)
        raise
    except Exception as error:  # noqa: BLE001 - the outermost door: an unknown error is reported as a fault
        if type(error).__name__ == _NO_ARGUMENTS:
            return int(ExitCode.USAGE)  # its help has been shown
        if isinstance(error, _WrongCommandLine):
            error = usage_error(error, path)
        return show_failure(error, as_json=as_json, command=path)
    if code == ExitCode.INTERRUPTED and not _ends_by_interruption(arguments):
        return show_failure(KeyboardInterrupt(), as_json=as_json, command=path)  # typer has made a code of it
    return int(code) if isinstance(code, int) else int(ExitCode.OK)


def _command() -> Any:
    """The whole tree of commands; a flag's help names no type, as it takes no value."""
    command = typer.main.get_command(app)
    waiting: list[Any] = [command]
    while waiting:
        each = waiting.pop()
        waiting += getattr(each, "commands", {}).values()
        add_tls_options(each)
        add_token_option(each)
        for parameter in each.params:
            _without_type(parameter)
        each.get_help_option = _without_type_of(each.get_help_option)
    return command


def _without_type_of(made: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda context: _without_type(made(context))


def _without_type(parameter: Any) -> Any:
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""
    return parameter


def _ends_by_interruption(arguments: Sequence[str]) -> bool:
    """Ctrl-C is how commands end that follow something; there is nothing to say about it."""
    return list(arguments[:1]) in (["serve"], ["console"]) or list(arguments[:2]) in (
        ["logs", "tail"],
        ["logs", "watch"],
    )
