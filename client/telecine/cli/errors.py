"""`telecine errors`: every error that there is, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from telecine.cli.options import JsonOption
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.failures import UsageError, command_line_failures
from telecine.cli.show.terminal import escape
from telecine.exceptions.table import ErrorRow, job_problems, job_warnings, sdk_errors, service_reasons


class ErrorDocument(msgspec.Struct, frozen=True):
    """One error."""

    code: str
    kind: str
    """Who can fix it: "caller", "later" (time does), "job" (nobody: it has ended so), "service"."""
    is_retryable: bool
    """Trying the same again may help."""
    advice: str
    """What to do."""
    group: str
    """Where it comes up: "sdk", "service", "job", "warning" or "command line"."""
    name: str = ""
    """Its class in the SDK; empty: it is none of the SDK's."""


class ErrorsDocument(msgspec.Struct, frozen=True):
    """What `telecine errors --json` prints."""

    errors: list[ErrorDocument]


HEADINGS = {
    "sdk": "What the SDK raises",
    "service": "What services answer",
    "job": "Why an output or a job failed",
    "warning": "Warnings of a job; an output that is strict fails instead",
    "command line": "The command line's own",
}
"""The groups, in the order of the page."""


def errors(
    code: Annotated[str, typer.Argument(help="One error, by its code or class; empty: all.")] = "",
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the tables of docs/errors.md instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain an error: who can fix it, whether to try again, and what to do."""
    found = [row for row in every_error() if not code or code.upper() == row.code or code == row.name]
    if not found:
        raise UsageError(f"there is no error {code!r}", "`telecine errors` lists them all")
    if markdown:
        terminal.write(markdown_tables(found).encode())
        return
    terminal.show(ErrorsDocument(found), lambda console: _render(console, found), as_json=as_json)


def every_error() -> list[ErrorDocument]:
    """All of them, group by group."""
    rows: dict[str, Sequence[ErrorRow]] = {
        "sdk": sdk_errors(),
        "service": service_reasons(),
        "job": job_problems(),
        "warning": job_warnings(),
    }
    found = [
        ErrorDocument(row.code, str(row.kind), row.is_retryable, row.recovery, group, row.name)
        for group, listed in rows.items()
        for row in listed
    ]
    found += [
        ErrorDocument(failure.code, failure.kind, failure.is_retryable, failure.advice, "command line")
        for failure in command_line_failures()
        if failure.exit_code != ExitCode.OK
    ]
    return found


def markdown_tables(found: Sequence[ErrorDocument]) -> str:
    """One table for each group, as docs/errors.md has them."""
    lines: list[str] = []
    for group, heading in HEADINGS.items():
        listed = [row for row in found if row.group == group]
        if not listed:
            continue
        has_names = any(row.name for row in listed)
        lines += [
            f"## {heading}",
            "",
            f"|{' Error |' if has_names else ''} Code | Who | Again? | What to do |",
        ]
        lines.append("|---" * (5 if has_names else 4) + "|")
        for row in listed:
            name = f" `{row.name}` |" if has_names else ""
            again = "yes" if row.is_retryable else "no"
            lines.append(
                f"|{name} `{row.code}` | {row.kind} | {again} | {row.advice.replace('|', chr(92) + '|')} |"
            )
        lines.append("")
    return "\n".join(lines)


def _render(console: Console, found: Sequence[ErrorDocument]) -> None:
    for group, heading in HEADINGS.items():
        listed = [row for row in found if row.group == group]
        if not listed:
            continue
        console.print(f"[bold]{heading}[/]")
        table = terminal.table("code", "who", "again?", "what to do", whole=("code",))
        for row in listed:
            table.add_row(escape(row.code), row.kind, "yes" if row.is_retryable else "no", escape(row.advice))
        console.print(table)
        console.print()
