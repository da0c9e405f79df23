"""`telecine logs`: follow, search and analyse records, of a running collector or of files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from telecine.cli.completion import complete_logged_job
from telecine.cli.connection import collector_of, collector_tls, expect_collector
from telecine.cli.logs import options as opt
from telecine.cli.logs.forms.any_lines import as_record
from telecine.cli.logs.report import make_report, render_report
from telecine.cli.logs.source import DirectorySource, open_source
from telecine.cli.logs.story_view import render_story
from telecine.cli.logs.watching import watch
from telecine.cli.options import JsonOption
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode, epilog
from telecine.cli.show.failures import UsageError
from telecine.cli.show.terminal import escape
from telecine.cli.token_options import chosen_token
from telecine.clients.logs import LogFilter
from telecine.exceptions import JobNotFoundError
from telecine.log_view.record_source import RecordSource
from telecine.logging.outputs.rendering import Format, renderer
from telecine.logging.outputs.visible_text import visible_json
from telecine.logging.record.long_lines import LongLines
from telecine.logging.record.plain import number

app = typer.Typer(
    help="Follow, search and analyse log records.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Plain, .gz or .zst.")]

_ALL_SHOWN = 12
_NO_STORY = (
    "Check the id; records of jobs that ended long ago are deleted (keep_seconds, keep_bytes, keep_jobs)."
)


@app.command("query", epilog=epilog())
def query(
    *,
    since: opt.SinceOption = None,
    until: opt.UntilOption = None,
    level: opt.LevelOption = None,
    service: opt.ServiceOption = None,
    job: opt.JobOption = None,
    ids: opt.IdOption = None,
    stage: opt.StageOption = None,
    logger: opt.LoggerOption = None,
    text: opt.TextOption = "",
    where: opt.WhereOption = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="At most this many; 0: all.")] = 100,
    is_oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin at the oldest.")] = False,
    sql: Annotated[
        str, typer.Option("--sql", help="With --dir: SQL over the table `records` (DuckDB).")
    ] = "",
    server: opt.CollectorOption = None,
    directory: opt.DirectoryOption = None,
    as_json: opt.LinesOption = False,
) -> None:
    """Show stored records, the newest first."""
    if sql:
        _query_sql(sql, directory, as_json=as_json)
        return
    wanted = opt.read_filter(
        since=since,
        until=until,
        level=level,
        services=service,
        job=job,
        ids=ids,
        stages=stage,
        loggers=logger,
        text=text,
        where=where,
    )
    with _source(server, directory) as source:
        _print(source.query(wanted, is_oldest_first=is_oldest_first, limit=limit or None), as_json=as_json)


@app.command("tail", epilog=epilog())
def tail(
    *,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=10_000, help="Begin with so many.")] = 10,
    level: opt.LevelOption = None,
    service: opt.ServiceOption = None,
    job: opt.JobOption = None,
    ids: opt.IdOption = None,
    stage: opt.StageOption = None,
    logger: opt.LoggerOption = None,
    text: opt.TextOption = "",
    where: opt.WhereOption = "",
    server: opt.CollectorOption = None,
    directory: opt.DirectoryOption = None,
    as_json: opt.LinesOption = False,
) -> None:
    """Follow records as they arrive, until Ctrl-C."""
    wanted = opt.read_filter(
        level=level,
        services=service,
        job=job,
        ids=ids,
        stages=stage,
        loggers=logger,
        text=text,
        where=where,
    )
    with _source(server, directory) as source:
        _print(_with_gaps(source.tail(wanted, last=last)), as_json=as_json)


app.command("watch", epilog=epilog())(watch)


@app.command("job", epilog=epilog())
def job_story(
    job_id: Annotated[
        str, typer.Argument(metavar="JOB", help="The job's id.", autocompletion=complete_logged_job)
    ],
    *,
    server: opt.CollectorOption = None,
    directory: opt.DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that happened to a job: its records of all services, its stages, and whether all arrived."""
    with _source(server, directory) as source:
        try:
            story = source.job_story(job_id)
        except JobNotFoundError as error:
            raise JobNotFoundError(error.message, request_id=error.request_id, recovery=_NO_STORY) from error
    if as_json:
        document = msgspec.to_builtins(story, enc_hook=str) | {
            "records": [msgspec.Raw(line) for line in story.records]
        }
        terminal.write(visible_json(msgspec.json.encode(document)) + b"\n")
        return
    _print(story.records, as_json=False)
    render_story(terminal.results(), story)


@app.command("stats", epilog=epilog())
def stats(*, server: opt.CollectorOption = None, as_json: JsonOption = False) -> None:
    """Show what became of all records since the collector's start."""
    with _source(server, None) as source:
        counters = source.stats()
    if as_json:
        terminal.write(visible_json(msgspec.json.encode(counters)) + b"\n")
        return
    console = terminal.results()
    ingest = counters["ingest"]
    names = ("received", "accepted", "duplicate", "refused", "rejected", "held")
    console.print("  ".join(f"{name} [bold]{ingest[name]}[/]" for name in names))
    for name in ("dropped", "redacted"):
        for reason, count in ingest[name].items():
            console.print(f"{name} by {escape(reason)}: {count}")
    columns = ("accepted", "dropped", "buffered", "delivered")
    table = terminal.table("sink", "kind", *columns, "state", numbers=columns, whole=("sink",))
    for sink in counters["sinks"]:
        state = sink["last_error"] or "ok"
        marked = terminal.mark("problem" if sink["is_broken"] else "ok", escape(state))
        figures = sink | {"dropped": sum(sink["dropped"].values())}
        table.add_row(escape(sink["name"]), sink["kind"], *(str(figures[name]) for name in columns), marked)
    console.print(table)
    for sink in counters["sinks"]:
        for reason, count in sink["dropped"].items():
            console.print(f"{escape(sink['name'])}: dropped by {escape(reason)}: {count}")
    table = terminal.table(
        "producer", "service", "last seq", "lost", numbers=("last seq", "lost"), whole=("producer",)
    )
    for producer in counters["producers"][:20]:
        service = (producer.get("resource") or {}).get("service", "")
        table.add_row(
            escape(producer["producer"]), escape(service), str(producer["last_seq"]), str(producer["lost"])
        )
    console.print(table)


@app.command("report", epilog=epilog())
def report(
    *,
    since: opt.SinceOption = None,
    until: opt.UntilOption = None,
    level: opt.LevelOption = None,
    service: opt.ServiceOption = None,
    job: opt.JobOption = None,
    ids: opt.IdOption = None,
    stage: opt.StageOption = None,
    logger: opt.LoggerOption = None,
    text: opt.TextOption = "",
    where: opt.WhereOption = "",
    server: opt.CollectorOption = None,
    directory: opt.DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Analyse records: levels, loggers, operations with durations, top errors, records over time."""
    wanted = opt.read_filter(
        since=since,
        until=until,
        level=level,
        services=service,
        job=job,
        ids=ids,
        stages=stage,
        loggers=logger,
        text=text,
        where=where,
    )
    has_filter = wanted != LogFilter()
    with _source(server, directory) as source:
        if isinstance(source, DirectorySource) and not has_filter:
            document = make_report(source.lines())
        else:
            document = make_report(source.query(wanted, is_oldest_first=True, limit=None))
    terminal.show(document, lambda console: render_report(console, document), as_json=as_json)


@app.command("import", epilog=epilog())
def import_files(
    files: FilesArgument,
    *,
    service: Annotated[str, typer.Option("--service", help="For records that name none.")] = "imported",
    server: opt.CollectorOption = None,
    timezone: Annotated[
        str,
        typer.Option(
            "--timezone",
            help='Of times that name none: "Europe/Berlin", "UTC" or "+02:00". Default: this machine\'s.',
        ),
    ] = "",
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the records as JSON lines instead.")
    ] = False,
) -> None:
    """Ship old log files, JSON lines or plain text, to the collector; the same content is stored once."""
    from telecine.cli.logs.forms.encodings import utf8_lines
    from telecine.cli.logs.import_shipping import content_marks, ship_records
    from telecine.cli.logs.importing import read_marked_records, read_records
    from telecine.logging.redaction.files import open_lines
    from telecine.logging.shipping.stream import open_ship_stream

    zone = opt.zone_of(timezone)
    collector = collector_of(server)
    if not is_dry_run:
        expect_collector(collector)
    for path in files:
        left_out = LongLines()
        # Opened twice at once: the file may be renamed while its content is looked at.
        with open_lines(path) as looked_at, open_lines(path) as read:
            records = read_records(utf8_lines(read, left_out), service, lambda: datetime.now(UTC), zone)
            if is_dry_run:
                _print(records, as_json=True)
                _report_long_lines(path, left_out)
                continue
            lines = utf8_lines(looked_at)
            marks = content_marks(read_marked_records(lines, service, lambda: datetime.now(UTC), zone))
            stream = open_ship_stream(collector, collector_tls(collector), chosen_token())
            try:
                taken, rejected = ship_records(stream, service, marks, records)
            finally:
                stream.close()
        terminal.results().print(f"{escape(str(path))}: {taken} records, {rejected} of them rejected")
        _report_long_lines(path, left_out)


@app.command("redact", epilog=epilog())
def redact(
    files: FilesArgument,
    *,
    is_dry_run: Annotated[
        bool,
        typer.Option("--dry-run/--in-place", help="Only say what would be taken out, or replace the files."),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Find the secrets in existing log files. Ends with 1 where there are any."""
    from telecine.logging.redaction import Redactor
    from telecine.logging.redaction.files import redact_file
    from telecine.logging.redaction.rule_pack import DEFAULT_PACK

    redactor = Redactor(DEFAULT_PACK)
    try:
        reports = [redact_file(path, redactor, is_dry_run=is_dry_run) for path in files]
    except ValueError as error:
        raise UsageError(str(error), "take the damaged file out of the list") from error
    if as_json:
        terminal.write(visible_json(msgspec.json.encode(reports, enc_hook=str)) + b"\n")
    else:
        console = terminal.results()
        for found in reports:
            counts = ", ".join(f"{name} {count}" for name, count in sorted(found.counts.items())) or "nothing"
            console.print(f"{escape(str(found.path))}: {found.lines} lines, found {escape(counts)}")
            for finding in found.findings[:20]:
                console.print(f"  {finding.line_number}: {escape(finding.redacted[:200])}")
    if any(found.counts for found in reports):
        raise typer.Exit(int(ExitCode.FINDINGS))


@app.command("lnav-format", epilog=epilog())
def print_lnav_format() -> None:
    """Print the format file with which lnav reads these logs: lnav -i FILE."""
    from telecine.cli.logs.forms.lnav import lnav_format

    terminal.write(lnav_format())


@contextmanager
def _source(server: str | None, directory: Path | None) -> Iterator[RecordSource]:
    if directory is None:
        expect_collector(collector_of(server))
    source = open_source(server, directory)
    try:
        yield source
    finally:
        source.close()
    _report_damages(source.damaged_files)


def _report_damages(damaged: Sequence[str]) -> None:
    """Names what could not be read to its end, behind all that could. Raises typer.Exit."""
    for text in damaged:
        terminal.notices().print(f"[yellow]damaged, read as far as it goes: {escape(text)}[/]")
    if damaged:
        raise typer.Exit(int(ExitCode.FINDINGS))


def _report_long_lines(path: Path, left_out: LongLines) -> None:
    if left_out.count:
        terminal.notices().print(f"[yellow]{escape(str(path))}: {left_out}[/]")


def _print(lines: Iterable[bytes], *, as_json: bool) -> None:
    form = Format.JSON if as_json else Format.HUMAN
    render = renderer(form, has_colours=sys.stdout.isatty(), shows_service=True)
    for line in lines:
        terminal.write(visible_json(as_record(line)) + b"\n" if as_json else render(line))


def _with_gaps(records: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    for missed, line in records:
        if missed:
            terminal.notices().print(f"[yellow]{missed} records were skipped: they came too fast[/]")
        yield line


def _query_sql(sql: str, directory: Path | None, *, as_json: bool) -> None:
    from telecine.cli.logs.sql import run_sql

    if directory is None:
        raise UsageError("--sql needs --dir", "name a directory of log files")
    damaged: list[str] = []
    columns, rows = run_sql(directory, sql, damaged)
    if as_json:
        for row in rows:
            fields = dict(zip(columns, map(_json_value, row), strict=True))
            terminal.write(visible_json(msgspec.json.encode(fields, enc_hook=str)) + b"\n")
    else:
        _print_table(columns, rows)
    _report_damages(damaged)


def _json_value(value: object) -> object:
    return number(value) if isinstance(value, float) else value


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Of many columns those alone that hold anything: a record has few of the catalogue's fields."""
    shown = [at for at in range(len(columns)) if any(row[at] is not None for row in rows)]
    if len(columns) <= _ALL_SHOWN or not shown:
        shown = list(range(len(columns)))
    table = terminal.table(*(columns[at] for at in shown))
    for row in rows:
        table.add_row(*("" if row[at] is None else escape(str(row[at])) for at in shown))
    terminal.results().print(table)
