"""`telecine config`: shows the settings in force, checks a file, and prints what a file may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from telecine.cli.completion import complete_section
from telecine.cli.config import sections as config_sections
from telecine.cli.options import JsonOption
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode, epilog
from telecine.cli.show.failures import UsageError
from telecine.cli.show.terminal import escape_lines as escape
from telecine.settings.config_file import SECTIONS
from telecine.settings.loading import ConfigError
from telecine.settings.schema import settings_schema
from telecine.settings.sources import shown

app = typer.Typer(
    help="Show and check settings: of the encoder, the collector, the SDK and logging.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

SectionsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION]...",
        help=f"Of {', '.join(SECTIONS)}. Without: all.",
        autocompletion=complete_section,
    ),
]


class SettingDocument(msgspec.Struct, frozen=True):
    """One setting in force."""

    section: str
    key: str
    value: Any
    """In force, as a value of JSON; null: none. A secret that is set is "***redacted***"."""
    source: str
    """"default", "file NAME", "env VARIABLE" or "flag"."""


class ShowDocument(msgspec.Struct, frozen=True):
    """What `telecine config show --json` prints."""

    settings: list[SettingDocument]


class FaultDocument(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    key: str
    """Empty: the file as a whole."""
    expected: str


class CheckDocument(msgspec.Struct, frozen=True):
    """What `telecine config check --json` prints."""

    file: str
    is_sound: bool
    sections: list[str]
    faults: list[FaultDocument]


@app.command("show", epilog=epilog())
def show(
    sections: SectionsArgument = None,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="Use this file, not the one found."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="As a flag would; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every setting in force and where it comes from: default, file, environment or flag."""
    overrides = [_override(text) for text in settings or []]
    rows = []
    for section in _chosen(sections):
        own = {key: value for name, key, value in overrides if name == section}
        try:
            found = config_sections.rows_of(section, config, own, config_sections.environment())
        except ConfigError as error:
            advice = "fix what is named; `telecine config check` helps"
            raise UsageError(f"{section}: {error}", advice) from error
        rows += [SettingDocument(section, *row) for row in found]
    document = ShowDocument(rows)
    terminal.show(document, lambda console: _render_settings(console, document), as_json=as_json)


@app.command("check", epilog=epilog())
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML, YAML or JSON file.")],
    *,
    owner: Annotated[
        str | None, typer.Option("--as", metavar="SECTION", help="Whose it is, if it has no sections.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say all that is wrong in a file. Ends with 0 if nothing is, else with 1; with 2 if it is not there."""
    if not file.is_file():
        raise UsageError(f"there is no file {file}", "name a TOML, YAML or JSON file")
    _chosen([owner] if owner else None)
    sections, faults = config_sections.faults_of_file(file, owner)
    document = CheckDocument(
        str(file), not faults, sections, [FaultDocument(fault.key, fault.expected) for fault in faults]
    )
    terminal.show(document, lambda console: _render_check(console, document), as_json=as_json)
    if faults:
        raise typer.Exit(int(ExitCode.FINDINGS))


@app.command("schema", epilog=epilog())
def schema(sections: SectionsArgument = None) -> None:
    """Print the JSON Schema of one section's settings, or of a file for everything."""
    kinds = {section: config_sections.kind_of(section) for section in _chosen(sections)}
    encoded = msgspec.json.format(msgspec.json.encode(settings_schema(kinds), enc_hook=str), indent=2)
    terminal.write(encoded + b"\n")


def _chosen(sections: list[str] | None) -> list[str]:
    for section in sections or []:
        if section not in SECTIONS:
            raise UsageError(f"there is no section {section!r}", f"expected one of {', '.join(SECTIONS)}")
    return sections or list(SECTIONS)


def _override(text: str) -> tuple[str, str, str]:
    name, equals, value = text.partition("=")
    section, dot, key = name.partition(".")
    if not equals or not dot or section not in SECTIONS:
        raise UsageError(f"--set is {text!r}", "write it as SECTION.KEY=VALUE, such as encoder.workers=3")
    return section, key, value


def _render_settings(console: Console, document: ShowDocument) -> None:
    table = terminal.table("setting", "value", "source", whole=("setting",))
    for row in document.settings:
        source = row.source if row.source == "default" else f"[bold]{escape(row.source)}[/]"
        table.add_row(
            escape(f"{row.section}.{row.key}"), escape(shown(f"{row.section}.{row.key}", row.value)), source
        )
    console.print(table)


def _render_check(console: Console, document: CheckDocument) -> None:
    if document.is_sound:
        sections = ", ".join(document.sections)
        console.print(f"{terminal.mark('ok', 'sound')}  {escape(document.file)}: {sections}")
        return
    count = "1 fault" if len(document.faults) == 1 else f"{len(document.faults)} faults"
    console.print(f"{terminal.mark('problem', count)}  {escape(document.file)}")
    for fault in document.faults:
        console.print(f"  {escape(fault.key or '(the file)')}: {escape(fault.expected)}")
