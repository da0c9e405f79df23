"""Turns the SDK's values into documents, and documents into tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from rich.console import Console
from rich.table import Table

from telecine.cli.show import documents as doc
from telecine.cli.show import terminal
from telecine.cli.show.manifest_view import ManifestView
from telecine.cli.show.terminal import escape
from telecine.results.values import Artifact, JobInfo, JobState, JobWarning, OutputInfo, Problem

_STATE_MARKS = {
    "succeeded": "ok",
    "partially_succeeded": "warning",
    "failed": "problem",
    "expired": "problem",
    "cancelled": "warning",
}
_SHOWN_HASH_DIGITS = 12


def artifact_document(artifact: Artifact, view: ManifestView | None = None) -> doc.ArtifactDocument:
    """Joins a produced file with what the manifest has read back of it."""
    output = view.output(artifact.output) if view else None
    readback = output.readback if output else None
    rate = readback.frame_rate.as_fraction() if readback else None
    return doc.ArtifactDocument(
        output=artifact.output,
        path=artifact.path,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        media_type=artifact.media_type,
        local_path=str(artifact.local_path) if artifact.local_path else None,
        encoder=output.encoder.encoder if output and output.encoder else None,
        frame_count=readback.frame_count if readback else None,
        width=readback.width if readback else None,
        height=readback.height if readback else None,
        frame_rate=str(rate) if rate is not None else None,
        color=readback.color_container.as_text() if readback else None,
        mean_absolute_error=output.quality.mean_absolute_error if output and output.quality else None,
        ssim=output.quality.ssim if output and output.quality else None,
    )


def output_document(output: OutputInfo) -> doc.OutputDocument:
    """One output as a document."""
    return doc.OutputDocument(
        name=output.name,
        state=output.progress.state.value,
        frames_encoded=output.progress.frames_encoded,
        bytes_written=output.progress.bytes_written,
        attempt=output.progress.attempt,
        problem=_problem(output.problem),
        artifacts=[artifact_document(artifact) for artifact in output.artifacts],
    )


def job_document(job: JobInfo) -> doc.JobDocument:
    """One job as a document."""
    return doc.JobDocument(
        job_id=job.job_id,
        state=job.state.value,
        created_at=job.created_at.isoformat(),
        ended_at=job.ended_at.isoformat() if job.ended_at else None,
        persisted_bytes=job.persisted_bytes,
        total_frames=job.total_frames,
        priority=job.priority,
        problem=_problem(job.problem),
        warnings=list(job.warnings),
        outputs=[output_document(output) for output in job.outputs],
    )


def _problem(problem: Problem | None) -> doc.ProblemDocument | None:
    if problem is None:
        return None
    return doc.ProblemDocument(problem.code, problem.message, problem.recovery, problem.is_retryable)


def state_text(state: JobState | str) -> str:
    """A state, coloured by whether it is good news."""
    words = str(state).replace("_", " ")
    kind = _STATE_MARKS.get(str(state))
    return terminal.mark(kind, words) if kind else words


def artifact_table(artifacts: Sequence[doc.ArtifactDocument], *, columns_of_place: bool = True) -> Table:
    """File, size, picture, rate, colour and checksum of each artifact."""
    table = terminal.table(
        "file",
        "bytes",
        "picture",
        "frames",
        "fps",
        "colour",
        "encoder",
        "sha256",
        numbers=("bytes", "frames"),
        whole=("file",),
        spare=("sha256",),
    )
    for artifact in artifacts:
        place = artifact.local_path if columns_of_place and artifact.local_path else artifact.path
        table.add_row(
            escape(place),
            terminal.size_text(artifact.size_bytes),
            f"{artifact.width}x{artifact.height}" if artifact.width else "",
            str(artifact.frame_count) if artifact.frame_count is not None else "",
            _rate_text(artifact),
            artifact.color or "",
            artifact.encoder or "",
            artifact.sha256[:_SHOWN_HASH_DIGITS],
        )
    return table


def _rate_text(artifact: doc.ArtifactDocument) -> str:
    is_still = artifact.frame_count == 1
    return (
        "" if is_still or not artifact.frame_rate else terminal.frame_rate_text(Fraction(artifact.frame_rate))
    )


def print_warnings(console: Console, warnings: Iterable[JobWarning]) -> None:
    """One line for each warning."""
    for warning in warnings:
        where = f" [dim]({escape(warning.output)})[/]" if warning.output else ""
        console.print(f"{terminal.mark('warning', warning.code)}{where} {escape(warning.message)}")


def print_problems(console: Console, outputs: Iterable[doc.OutputDocument]) -> None:
    """One line for each output that failed."""
    for output in outputs:
        if output.problem:
            console.print(
                f"{terminal.mark('problem', output.problem.code)} [dim]({escape(output.name)})[/] "
                f"{escape(output.problem.message)}"
            )
            console.print(f"  [bold]To do:[/] {escape(output.problem.advice)}")
