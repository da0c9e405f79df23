"""The command: runs every check, shows them, and ends with 1 where one found a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from telecine.cli.options import JsonOption, ServerOption
from telecine.cli.show import terminal
from telecine.cli.show.documents import CheckDocument, DoctorDocument
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.failures import explain
from telecine.cli.show.terminal import escape_lines as escape

_Found: TypeAlias = CheckDocument | Iterable[CheckDocument]
_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}


def doctor(
    *,
    server: ServerOption = None,
    collector: Annotated[
        str | None,
        typer.Option(
            "--collector",
            metavar="HOST:PORT",
            show_default=False,
            help="Log collector to check. Default: the one that TELECINE_LOG_COLLECTOR or logging.collector "
            "names; if none is named, none is checked.",
        ),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="Where a service of yours keeps its files.")
    ] = Path("telecine-data"),
    as_json: JsonOption = False,
) -> None:
    """Check this environment, the server and the log collector; say what to do.

    Exit code 1 when there is a problem.
    """
    from telecine.cli.doctor import installation, machine
    from telecine.cli.doctor.collector import check_collector
    from telecine.cli.doctor.configuration import check_configuration
    from telecine.cli.doctor.service import check_service

    checks = [
        *_surviving("python", installation.check_python),
        *_surviving("installation", installation.check_parts),
        *_surviving("settings", check_configuration),
        *_surviving("malloc", installation.check_malloc),
        *_surviving("processors", machine.check_processors),
        *_surviving("memory", machine.check_memory),
        *_surviving("shared memory", machine.check_shared_memory),
        *_surviving("open files", machine.check_open_files),
        *_surviving("disks", lambda: machine.check_disks(data_dir)),
        *_surviving("server", lambda: check_service(server)),
        *_surviving("log collector", lambda: check_collector(collector)),
    ]
    is_healthy = not any(check.status == "problem" for check in checks)
    document = DoctorDocument(is_healthy=is_healthy, checks=checks)
    terminal.show(document, lambda console: _render(console, document), as_json=as_json)
    raise typer.Exit(int(ExitCode.OK if is_healthy else ExitCode.FINDINGS))


def _surviving(name: str, check: Callable[[], _Found]) -> list[CheckDocument]:
    """What a check has found; where the check itself fails, that is a problem and hides no other."""
    found: list[CheckDocument] = []
    try:
        made = check()
        found += [made] if isinstance(made, CheckDocument) else made
    except Exception as error:  # noqa: BLE001 - whatever is wrong here is what is looked for
        failure = explain(error, "telecine doctor")
        found.append(
            CheckDocument(name=name, status="problem", message=failure.message, advice=failure.advice)
        )
    return found


def _render(console: Console, document: DoctorDocument) -> None:
    width = max(len(check.name) for check in document.checks)
    for check in document.checks:
        _render_check(console, check, width)
    if document.is_healthy:
        console.print(f"\n{terminal.mark('ok', 'No problem found.')}")
    else:
        count = sum(check.status == "problem" for check in document.checks)
        found = f"{count} problem{'s' if count > 1 else ''} found."
        console.print(f"\n{terminal.mark('problem', found)}")


def _render_check(console: Console, check: CheckDocument, width: int) -> None:
    sign = terminal.mark(check.status, _SIGNS[check.status])
    console.print(f"{sign} [bold]{escape(f'{check.name:<{width}}')}[/]  {escape(check.message)}")
    if check.advice:
        console.print(f"  {'':<{width}}  [dim]→ {escape(check.advice)}[/]")
