"""`telecine jobs`: list, show, watch, cancel, delete and download the jobs of a running server."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from telecine.cli.completion import complete_job, complete_state
from telecine.cli.connection import connect_to_running
from telecine.cli.options import JsonOption, OutDirOption, RunningServerOption
from telecine.cli.show import documents as doc
from telecine.cli.show import readable, terminal
from telecine.cli.show.exits import ExitCode, epilog
from telecine.cli.show.failures import UsageError
from telecine.cli.show.manifest_view import read_view
from telecine.cli.show.progress import JobProgressView
from telecine.cli.show.terminal import escape
from telecine.results.values import JobState
from telecine.results.watching import progress_of

MANIFEST_NAME = "manifest.json"
_PREVIEW_FORMATS = {".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}

app = typer.Typer(
    help="Look after the jobs of a running server.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", autocompletion=complete_job)]
JobsArgument = Annotated[
    list[str], typer.Argument(metavar="JOB...", help="Ids of jobs.", autocompletion=complete_job)
]


@app.command("list", epilog=epilog())
def list_jobs(
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only jobs in this state; may be repeated.",
            autocompletion=complete_state,
        ),
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Only jobs whose id begins with this.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 50,
    server: RunningServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first, and those whose files are damaged on the server's disk."""
    states = [_state(text) for text in state or []]
    with connect_to_running(server) as client:
        found = list(itertools.islice(client.jobs(states=states, prefix=prefix), limit))
        damaged = () if states else client.damaged_jobs(prefix=prefix)
    document = doc.JobListDocument(
        [readable.job_document(job) for job in found],
        list(damaged),
    )
    terminal.show(document, lambda console: _render_list(console, document), as_json=as_json)


@app.command("show", epilog=epilog())
def show(job_id: JobArgument, *, server: RunningServerOption = None, as_json: JsonOption = False) -> None:
    """Show one job: its state, its outputs and artifacts, its warnings."""
    with connect_to_running(server) as client:
        job = client.get_job(job_id)
        view = read_view(client.manifest(job_id)) if job.state.has_ended else None
    document = readable.job_document(job)
    artifacts = [readable.artifact_document(artifact, view) for artifact in job.artifacts]
    terminal.show(document, lambda console: _render_job(console, document, artifacts), as_json=as_json)


@app.command("watch", epilog=epilog())
def watch(job_id: JobArgument, *, server: RunningServerOption = None, as_json: JsonOption = False) -> None:
    """Follow a job to its end. Ends with 0 if it succeeded in full, else with 1.

    With --json, one document a line: at once, then whenever something has changed.
    """
    with (
        connect_to_running(server) as client,
        JobProgressView(frame_bytes=0, frame_count=0, is_silent=as_json) as view,
    ):
        for job in client.watch_job(job_id):
            view.update(progress_of(job))
            if as_json:
                terminal.show(readable.job_document(job), lambda _: None, as_json=True)
        readback = None if as_json else read_view(client.manifest(job_id))
    if not as_json:
        document = readable.job_document(job)
        artifacts = [readable.artifact_document(artifact, readback) for artifact in job.artifacts]
        _render_job(terminal.results(), document, artifacts)
    if job.state is not JobState.SUCCEEDED:
        raise typer.Exit(int(ExitCode.FINDINGS))


@app.command("cancel", epilog=epilog())
def cancel(job_id: JobArgument, *, server: RunningServerOption = None, as_json: JsonOption = False) -> None:
    """Cancel a job. What was complete stays; one that has ended is not changed."""
    with connect_to_running(server) as client:
        had_ended = client.get_job(job_id).state.has_ended
        document = readable.job_document(client.cancel_job(job_id))

    def render(console: Console) -> None:
        if had_ended:
            console.print("the job had ended before; nothing was changed")
        _render_job(console, document, [])

    terminal.show(document, render, as_json=as_json)


@app.command("delete", epilog=epilog())
def delete(job_ids: JobsArgument, *, server: RunningServerOption = None, as_json: JsonOption = False) -> None:
    """Delete ended jobs with their artifacts."""
    with connect_to_running(server) as client:
        for job_id in job_ids:
            client.delete_job(job_id)
    document = doc.DeletedDocument(job_ids)
    terminal.show(document, lambda console: console.print(f"deleted {', '.join(job_ids)}"), as_json=as_json)


@app.command("download", epilog=epilog())
def download(
    job_id: JobArgument,
    *,
    paths: Annotated[
        list[str] | None,
        typer.Option("--path", "-p", help="Only this artifact (its path); may be repeated."),
    ] = None,
    out_dir: OutDirOption = Path(),
    server: RunningServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a job's artifacts and its manifest; each is checked against its checksum."""
    with connect_to_running(server) as client:
        job = client.get_job(job_id)
        manifest = client.manifest(job_id) if job.state.has_ended else b""
        wanted = paths or [artifact.path for artifact in job.artifacts]
        fetched = [client.download(job_id, path, f"{out_dir}/") for path in wanted]
        if manifest and not paths:
            client.download(job_id, MANIFEST_NAME, f"{out_dir}/")
    by_path = {artifact.path: artifact for artifact in fetched}
    artifacts = [
        readable.artifact_document(by_path.get(artifact.path, artifact), read_view(manifest))
        for artifact in job.artifacts
        if artifact.path in wanted
    ]
    document = doc.DownloadDocument(job_id, str(out_dir), artifacts)

    def render(console: Console) -> None:
        console.print(readable.artifact_table(artifacts))
        console.print(f"in {escape(str(out_dir.absolute()))}")

    terminal.show(document, render, as_json=as_json)


@app.command("preview", epilog=epilog())
def preview(
    job_id: JobArgument,
    *,
    frame: Annotated[
        int | None, typer.Option("--frame", "-f", min=0, help="The frame, from 0. Default: the newest.")
    ] = None,
    max_side: Annotated[
        int, typer.Option("--max-side", min=64, max=1280, help="Pixels of the longer side at most.")
    ] = 640,
    to: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .webp or .jpg file. Default: JOB-FRAME.webp."),
    ] = None,
    server: RunningServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save a small picture of a frame of an upload, while the server keeps its frames."""
    suffix = to.suffix.lower() if to is not None else ".webp"
    if suffix not in _PREVIEW_FORMATS:
        raise UsageError(
            f"--output is {str(to)!r}", f"expected a name that ends in {', '.join(_PREVIEW_FORMATS)}"
        )
    with connect_to_running(server) as client:
        found = client.preview(job_id, frame, max_side=max_side, format=_PREVIEW_FORMATS[suffix])
    path = to or Path(f"{job_id}-{found.frame}.webp")
    try:
        path.write_bytes(found.image)
    except OSError as error:
        raise UsageError(f"--output is {str(path)!r}", f"it cannot be written: {error.strerror}") from None
    document = doc.PreviewDocument(
        job_id, str(path), found.media_type, found.frame, found.width, found.height, found.persisted_frames
    )
    text = f"frame {found.frame} of {found.persisted_frames} so far, {found.width}x{found.height}"
    terminal.show(document, lambda console: console.print(f"{text}: {escape(str(path))}"), as_json=as_json)


def _state(text: str) -> JobState:
    try:
        return JobState(text.replace("-", "_"))
    except ValueError:
        raise UsageError(f"--state is {text!r}", f"expected one of {', '.join(JobState)}") from None


def _render_list(console: Console, document: doc.JobListDocument) -> None:
    for damaged in document.damaged:
        console.print(
            f"{terminal.mark('problem', 'damaged')} {escape(damaged.job_id)}: {escape(damaged.reason)}, "
            f"{terminal.size_text(damaged.spool_bytes)} of frames; its operator repairs or removes it"
        )
    if not document.jobs:
        console.print("no jobs")
        return
    table = terminal.table(
        "job", "state", "frames", "received", "outputs", "created",
        numbers=("frames", "received"), whole=("job", "created"), spare=("created", "received"),
    )  # fmt: skip
    for job in document.jobs:
        table.add_row(
            escape(job.job_id),
            readable.state_text(job.state),
            str(job.total_frames) if job.total_frames else "",
            terminal.size_text(job.persisted_bytes),
            escape(", ".join(output.name for output in job.outputs)),
            job.created_at[5:16].replace("T", " "),
        )
    console.print(table)


def _render_job(console: Console, job: doc.JobDocument, artifacts: list[doc.ArtifactDocument]) -> None:
    console.print(f"[bold]{escape(job.job_id)}[/]  {readable.state_text(job.state)}")
    frames = f"{job.total_frames} frames, " if job.total_frames else ""
    console.print(f"{frames}{terminal.size_text(job.persisted_bytes)} received; created {job.created_at}")
    if job.problem:
        console.print(f"{terminal.mark('problem', job.problem.code)} {escape(job.problem.message)}")
        console.print(f"  [bold]To do:[/] {escape(job.problem.advice)}")
    table = terminal.table(
        "output",
        "state",
        "frames",
        "bytes",
        "attempt",
        numbers=("frames", "bytes", "attempt"),
        whole=("output",),
    )
    for output in job.outputs:
        table.add_row(
            escape(output.name),
            readable.state_text(output.state),
            str(output.frames_encoded),
            terminal.size_text(output.bytes_written),
            str(output.attempt),
        )
    console.print(table)
    if artifacts:
        console.print(readable.artifact_table(artifacts))
    readable.print_problems(console, job.outputs)
    readable.print_warnings(console, job.warnings)
