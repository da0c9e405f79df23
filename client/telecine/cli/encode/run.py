"""Sends a source through a client, waits for the outputs, and says what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console

from telecine.cli.connection import connect, is_kept
from telecine.cli.encode.sources import Source
from telecine.cli.show import documents as doc
from telecine.cli.show import readable, terminal
from telecine.cli.show.failures import SourceError
from telecine.cli.show.manifest_view import read_view
from telecine.cli.show.progress import JobProgressView
from telecine.cli.show.terminal import escape
from telecine.clients.blocking_job import Job
from telecine.clients.plan import JobArguments
from telecine.clients.settings import OUTPUT_DIRECTORY
from telecine.exceptions import InvalidFramesError
from telecine.request.options import Output
from telecine.request.source_warnings import SourceCode, SourceWarning
from telecine.results.destination import Destination, destination_of
from telecine.results.target import directory_of
from telecine.results.values import EncodeResult
from telecine.sound.audio import Audio


def encode_source(
    server: str | None,
    source: Source,
    rate: Fraction,
    outputs: tuple[Output, ...],
    arguments: JobArguments,
    to: str | Path | None,
    *,
    is_silent: bool,
) -> doc.EncodeDocument:
    """Sends every frame, waits for the outputs and downloads them. Raises what the SDK raises.

    `to`: A directory, or a file for the only output; None is a directory of the job's own below
    OUTPUT_DIRECTORY.

    Outputs that failed while others succeeded are no exception here; they stand in the document.
    """
    _refuse_losses(source, arguments)
    destination = _destination_of(to)
    with (
        connect(server) as client,
        JobProgressView(
            frame_bytes=source.frame_bytes, frame_count=source.frame_count, is_silent=is_silent
        ) as view,
    ):
        arguments = {**arguments, **_layout_of(source), **_track_of(source), "on_progress": view.update}
        job = client.open_job(fps=rate, outputs=outputs, **arguments)
        begin = time.perf_counter()
        try:
            frame_count = _push(job, source, rate)
            _refuse_losses(source, arguments)
            _report_losses(job, source, frame_count)
            job.finish()
            hand_off_seconds = time.perf_counter() - begin
            destination = destination or Destination(Path(OUTPUT_DIRECTORY, job.job_id))
            result = job.result(to or destination.path, allow_partial=True)
            total_seconds = time.perf_counter() - begin
            sent_bytes = job.progress.acknowledged_bytes
        except KeyboardInterrupt:
            _leave(job, server, arguments, is_silent=is_silent)
            raise
        except (SourceError, InvalidFramesError):
            job.cancel()
            raise
        finally:
            job.close()
    return _document(result, destination, sent_bytes, hand_off_seconds, total_seconds)


def _destination_of(to: str | Path | None) -> Destination | None:
    """What `--to` (text) or `--out-dir` (a path) names; None: a directory of the job's own."""
    if isinstance(to, str):
        return destination_of(to, "--to")
    wanted = directory_of(OUTPUT_DIRECTORY if to is None else to, "--out-dir")
    return Destination(wanted) if wanted is not None and to is not None else None


def _push(job: Job, source: Source, rate: Fraction) -> int:
    """Sends the frames, and then the sound, which ends with them; returns how many frames there were."""
    count = 0

    def counted() -> Iterator[Any]:
        nonlocal count
        for frame in source.frames:
            count += 1
            yield frame

    job.push(counted())
    if source.sound is not None:
        job.push_audio(source.sound.pieces(count / rate))
    return count


def _track_of(source: Source) -> JobArguments:
    if (sound := source.sound) is None:
        return {}
    track = Audio(None, sound.sample_rate, sound.layout, sound.sample_format, axes="NC")
    return {"audio": track}


def _document(
    result: EncodeResult, place: Destination, sent_bytes: int, hand_off_seconds: float, total_seconds: float
) -> doc.EncodeDocument:
    view = read_view(result.manifest_json)
    return doc.EncodeDocument(
        job_id=result.job_id,
        state=result.job.state.value,
        directory=str(place.path.parent if place.is_file else place.path),
        manifest=str(place.manifest) if result.manifest_json else None,
        frames=result.job.total_frames,
        sent_bytes=sent_bytes,
        hand_off_seconds=round(hand_off_seconds, 6),
        total_seconds=round(total_seconds, 6),
        artifacts=[readable.artifact_document(artifact, view) for artifact in result.artifacts],
        warnings=list(result.warnings),
        problems=[readable.output_document(output) for output in result.job.outputs if output.problem],
    )


def _leave(job: Job, server: str | None, arguments: JobArguments, *, is_silent: bool) -> None:
    """After Ctrl-C: says what becomes of the job, and cancels it where nobody could take it up again."""
    # With an id of the caller's own the job can be resumed; without one nobody could name it, and
    # what an embedded service has in a temporary directory goes with it.
    is_left = bool(arguments.get("job_id")) and (server is not None or is_kept())
    if not is_silent:
        # Now: a server that does not answer, or an embedded one, may take a while to end.
        fate = "stays; the same command goes on with it" if is_left else "is cancelled"
        terminal.notices().print(f"interrupted: job {escape(job.job_id)} {fate}")
    if not is_left:
        job.cancel()


def _refuse_losses(source: Source, arguments: JobArguments) -> None:
    """Raises SourceError where every fallback is an error and the source has some."""
    losses = [loss.message for loss in _losses_of(source) if not loss.code.is_note]
    if arguments.get("strict") and losses:
        raise SourceError(
            f"{source.description}: {'; '.join(losses)}",
            "convert it first, or leave --strict out and take that as a warning",
        )


def _report_losses(job: Job, source: Source, frame_count: int) -> None:
    """Says with the job, before its upload ends, what its frames do not carry."""
    damage = [*source.damage, *(source.sound.damage if source.sound is not None else ())]
    if damage:
        more = f", and {len(damage) - 1} more" if len(damage) > 1 else ""
        text = f"{frame_count} frames were taken of a damaged source: {damage[0]}{more}"
        job.warn(SourceCode.SOURCE_DAMAGED, text)
    for loss in _losses_of(source):
        job.warn(loss.code, loss.message)


def _losses_of(source: Source) -> list[SourceWarning]:
    return [*source.losses, *(source.sound.losses if source.sound is not None else ())]


def _layout_of(source: Source) -> JobArguments:
    if source.pixel_format is None:
        return {}
    return {
        "width": source.width,
        "height": source.height,
        "pixel_format": source.pixel_format,
        "color": source.color,
    }


def render_result(console: Console, document: doc.EncodeDocument) -> None:
    """Shows the artifacts, what was remarkable about them, and how long it took."""
    if document.artifacts:
        console.print(readable.artifact_table(document.artifacts))
    readable.print_problems(console, document.problems)
    readable.print_warnings(console, document.warnings)
    console.print(
        f"job {escape(document.job_id)} {readable.state_text(document.state)}: "
        f"{document.frames} frames, {terminal.size_text(document.sent_bytes)}; "
        f"handed off after {terminal.seconds_text(document.hand_off_seconds)}, "
        f"all done after {terminal.seconds_text(document.total_seconds)}"
    )
    if document.manifest:
        console.print(f"[dim]manifest: {escape(document.manifest)}[/]")
