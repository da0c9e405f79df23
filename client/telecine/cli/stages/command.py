"""`telecine stages`: what became of the stages of a pipeline, read from their manifests."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telecine.cli.options import JsonOption
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode, epilog
from telecine.cli.show.failures import UsageError
from telecine.cli.stages.graphviz import draw
from telecine.cli.stages.tables import render_check, render_comparison, render_job

if TYPE_CHECKING:
    # Loaded when a command runs: every other command starts without them.
    from telecine.stages.reports.graph import JobGraph
    from telecine.stages.reports.reading import JobStages

app = typer.Typer(
    help="Graph, check and profile the stages of a pipeline.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

JobArgument = Annotated[
    Path, typer.Argument(metavar="JOB_DIR", help="A directory with stages, such as 01_demux.")
]
JobsArgument = Annotated[
    list[Path], typer.Argument(metavar="JOB_DIR...", help="Directories with stages, such as 01_demux.")
]


class GraphFormat(StrEnum):
    """How a graph is written."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"
    PNG = "png"


_SUFFIXES = {
    ".mmd": GraphFormat.MERMAID,
    ".dot": GraphFormat.DOT,
    ".svg": GraphFormat.SVG,
    ".png": GraphFormat.PNG,
}


@app.command("graph", epilog=epilog())
def graph(
    job_dir: JobArgument,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="File to write: .mmd, .dot, .svg or .png. Default: stdout."
        ),
    ] = None,
    form: Annotated[
        GraphFormat | None,
        typer.Option("--format", "-f", help="Default: as FILE ends, else Mermaid."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw which stage read whose outputs.

    Writes Mermaid or DOT text, or a picture (SVG, PNG), for which Graphviz' `dot` must be installed.
    """
    from telecine.stages.reports.graph import make_graph

    made = make_graph(_job(job_dir))
    if as_json and out is None:
        terminal.show(made, lambda _: None, as_json=True)
        return
    chosen = form or _form_of(out)
    if chosen is GraphFormat.PNG and out is None and sys.stdout.isatty():
        raise UsageError("a PNG cannot be shown in a terminal", "give --out FILE.png")
    data = _drawn(made, chosen)
    if out is not None:
        out.write_bytes(data)
        terminal.show(
            made, lambda console: console.print(f"wrote {terminal.escape(str(out))}"), as_json=as_json
        )
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@app.command("check", epilog=epilog())
def check(
    job_dir: JobArgument,
    *,
    are_hashes_checked: Annotated[
        bool, typer.Option("--hashes/--no-hashes", help="Whether files are read and hashed again.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Check that a job is complete: exit code 0, or 1 with each finding.

    Looks for outputs that are missing or changed, files that no manifest lists, inputs that were made
    again since they were read, and stages that failed, still run, or died while they ran.
    """
    from telecine.stages.reports.check import check_job

    document = check_job(_job(job_dir), are_hashes_checked=are_hashes_checked)
    terminal.show(document, lambda console: render_check(console, document), as_json=as_json)
    raise typer.Exit(int(ExitCode.OK if document.is_complete else ExitCode.FINDINGS))


@app.command("report", epilog=epilog())
def report(job_dirs: JobsArgument, *, as_json: JsonOption = False) -> None:
    """Show where time, memory and money went: per stage, and over several jobs."""
    from telecine.stages.reports.profile import compare_jobs, make_report

    document = compare_jobs([make_report(_job(job_dir)) for job_dir in job_dirs])
    if len(document.jobs) == 1:
        terminal.show(document, lambda console: render_job(console, document.jobs[0]), as_json=as_json)
    else:
        terminal.show(document, lambda console: render_comparison(console, document), as_json=as_json)


def _job(job_dir: Path) -> JobStages:
    from telecine.stages.errors import StageNotFoundError
    from telecine.stages.reports.reading import read_job

    try:
        return read_job(job_dir)
    except StageNotFoundError as error:
        raise UsageError(error.message, "name the directory that holds the numbered stages") from error


def _form_of(out: Path | None) -> GraphFormat:
    if out is None:
        return GraphFormat.MERMAID
    form = _SUFFIXES.get(out.suffix.lower())
    if form is None:
        raise UsageError(
            f"{out} does not say its format", "end it with .mmd, .dot, .svg or .png, or give --format"
        )
    return form


def _drawn(graph: JobGraph, form: GraphFormat) -> bytes:
    from telecine.stages.reports.graph import dot_text, mermaid_text

    if form is GraphFormat.MERMAID:
        return mermaid_text(graph).encode()
    text = dot_text(graph)
    return text.encode() if form is GraphFormat.DOT else draw(text, form)
