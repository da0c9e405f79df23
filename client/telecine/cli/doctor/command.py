"""The command: runs every check, shows them, and ends with 1 where one found a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from telecine.cli.options import JsonOption, ServerOption
from telecine.cli.show import terminal
from telecine.cli.show.documents import CheckDocument, DoctorDocument
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.terminal import escape_lines as escape

_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}


def doctor(
    *,
    server: ServerOption = None,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="Where a service of yours keeps its files.")
    ] = Path("telecine-data"),
    as_json: JsonOption = False,
) -> None:
    """Check this environment and the server; say what to do. Exit code 1 when there is a problem."""
    from telecine.cli.doctor import installation, machine
    from telecine.cli.doctor.service import check_service

    checks = [
        installation.check_python(),
        *installation.check_parts(),
        installation.check_malloc(),
        machine.check_processors(),
        machine.check_memory(),
        machine.check_shared_memory(),
        machine.check_open_files(),
        *machine.check_disks(data_dir),
        *check_service(server),
    ]
    is_healthy = not any(check.status == "problem" for check in checks)
    document = DoctorDocument(is_healthy=is_healthy, checks=checks)
    terminal.show(document, lambda console: _render(console, document), as_json=as_json)
    raise typer.Exit(int(ExitCode.OK if is_healthy else ExitCode.FINDINGS))


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
