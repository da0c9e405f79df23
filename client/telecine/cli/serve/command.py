"""`telecine serve`: runs a service in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telecine.cli.show.exits import ExitCode
from telecine.cli.show.failures import UsageError, missing_extra

if TYPE_CHECKING:
    from service_host.program import Program

app = typer.Typer(
    help="Run a service in the foreground: it drains on SIGTERM or Ctrl-C.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

ListenOption = Annotated[
    str | None,
    typer.Option("--listen", "-l", metavar="ADDRESS", help="host:port (port 0: any) or unix:/path."),
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Where the service keeps its files.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="A TOML, YAML or JSON file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of --print-config; may be repeated."),
]
AdminOption = Annotated[
    str | None,
    typer.Option("--admin-listen", metavar="ADDRESS", help="HTTP port of /metrics, /healthz, /readyz."),
]
HttpOption = Annotated[
    str | None,
    typer.Option("--http-listen", metavar="ADDRESS", help="HTTP port of OTLP, lines of JSON and web pages."),
]
EmbeddedOption = Annotated[
    bool, typer.Option("--exit-with-parent", help="Drain when standard input ends or the parent is gone.")
]
InsecureOption = Annotated[
    bool,
    typer.Option("--insecure", help="Start without TLS and credentials although others reach the port."),
]
CheckOption = Annotated[bool, typer.Option("--check-config", help="Say all that is wrong, and end.")]
PrintOption = Annotated[
    bool, typer.Option("--print-config", help="Show every setting and where it comes from, and end.")
]

_HOST_EXIT_CODES = {0: ExitCode.OK, 1: ExitCode.UNAVAILABLE, 2: ExitCode.USAGE}
"""What service_host.program returns, in the words of the command line."""


@app.command("encoder")
def encoder(
    *,
    listen: ListenOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    admin_listen: AdminOption = None,
    exit_with_parent: EmbeddedOption = False,
    insecure: InsecureOption = False,
    check_config: CheckOption = False,
    print_config: PrintOption = False,
) -> None:
    """Serve the encoder: frames in, film out. Prints one line of JSON when it answers calls.

    Settings come from defaults, then --config, then TELECINE_ENCODER_* variables, then flags.
    """
    try:
        from encoder_service.app import PROGRAM
    except ModuleNotFoundError as error:
        raise missing_extra("encoder", error) from error
    overrides = overrides_of(
        settings, listen, data_dir, admin_listen, exit_with_parent=exit_with_parent, is_insecure=insecure
    )
    run_service(PROGRAM, config, overrides, is_check=check_config, is_print=print_config)


@app.command("collector")
def collector(
    *,
    listen: ListenOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    admin_listen: AdminOption = None,
    http_listen: HttpOption = None,
    exit_with_parent: EmbeddedOption = False,
    insecure: InsecureOption = False,
    check_config: CheckOption = False,
    print_config: PrintOption = False,
) -> None:
    """Serve the log collector: records in, redacted, safe, into files. Prints one line of JSON when ready.

    Settings come from defaults, then --config, then TELECINE_COLLECTOR_* variables, then flags.
    """
    try:
        from log_collector.app import PROGRAM
    except ModuleNotFoundError as error:
        raise missing_extra("collector", error) from error
    overrides = overrides_of(
        settings, listen, data_dir, admin_listen, exit_with_parent=exit_with_parent, is_insecure=insecure
    )
    if http_listen is not None:
        overrides["http_listen"] = http_listen
    run_service(PROGRAM, config, overrides, is_check=check_config, is_print=print_config)


@app.command("all")
def both(
    *,
    listen: Annotated[
        str, typer.Option("--listen", "-l", metavar="ADDRESS", help="Where the encoder listens.")
    ] = "127.0.0.1:50051",
    collector_listen: Annotated[
        str, typer.Option("--collector-listen", metavar="ADDRESS", help="Where the collector listens.")
    ] = "127.0.0.1:50052",
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="Holds `encoder/` and `logs/`.")
    ] = Path("telecine-data"),
    http_listen: HttpOption = None,
    insecure: InsecureOption = False,
) -> None:
    """Serve encoder and collector, as two programs that live and end together.

    Each takes its settings from its own variables, TELECINE_ENCODER_* and TELECINE_COLLECTOR_*.
    """
    from telecine.cli.serve.all import serve_both

    code = serve_both(data_dir, listen, collector_listen, http_listen=http_listen, is_insecure=insecure)
    raise typer.Exit(int(_HOST_EXIT_CODES.get(code, ExitCode.FAULT)))


def overrides_of(
    settings: list[str] | None,
    listen: str | None,
    data_dir: Path | None,
    admin_listen: str | None,
    *,
    exit_with_parent: bool,
    is_insecure: bool = False,
) -> dict[str, object]:
    """Joins the flags of a serve command into settings by their dotted keys. Raises UsageError."""
    overrides: dict[str, object] = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"--set is {setting!r}", "write it as KEY=VALUE; --print-config shows all keys")
        overrides[key] = value
    named = {
        "host.listen": listen,
        "host.admin_listen": admin_listen,
        "data_dir": str(data_dir) if data_dir is not None else None,
        "host.exit_with_parent": exit_with_parent or None,
        "host.is_insecure": is_insecure or None,
    }
    return overrides | {key: value for key, value in named.items() if value is not None}


def run_service(
    program: Program[Any],
    config: Path | None,
    overrides: dict[str, object],
    *,
    is_check: bool,
    is_print: bool,
) -> None:
    """Runs a service until it ends, then leaves with the command line's exit code."""
    from service_host.program import serve_program

    mode = "print" if is_print else "check" if is_check else "serve"
    code = serve_program(program, path=config, overrides=overrides, mode=mode)
    raise typer.Exit(int(_HOST_EXIT_CODES.get(code, ExitCode.FAULT)))
