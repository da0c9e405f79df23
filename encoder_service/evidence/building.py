"""Builds a job's manifest from its spec, what its workers returned, and the times of its life."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain

import msgspec

from encoder_service.evidence.checksum import AUDIO_HASH_ALGORITHM, INPUT_HASH_ALGORITHM
from encoder_service.evidence.facts import Failed, Produced, ProducedFile
from encoder_service.evidence.manifest import (
    Attempt,
    AudioInput,
    Build,
    Config,
    Digest,
    ErrorEntry,
    FrameCounts,
    Input,
    IntermediateFile,
    JobOutcome,
    JobPhases,
    JobResources,
    Manifest,
    Output,
    OutputFile,
    Problem,
    StageStatus,
    WarningLine,
)
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import JobSpec, OutputSpec


class AttemptEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One try at an output, as the service saw it."""

    number: int
    """From 1."""
    started_at_unix_nano: int
    """When a worker took the assignment."""
    ended_at_unix_nano: int
    result: Produced | Failed


class OutputEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One output and all its tries."""

    output: OutputSpec
    attempts: tuple[AttemptEvidence, ...]
    """The attempts in order; empty if none was begun (the job was cancelled or expired)."""


class RaisedWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A warning with its time."""

    code: str
    message: str
    output: str
    """Empty: the job as a whole."""
    at_unix_nano: int


class JobEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a manifest is made from."""

    spec: JobSpec
    tenant: str = ""
    """Whose job it is; empty: the default tenant's."""
    outcome: JobOutcome
    created_at_unix_nano: int
    received_at_unix_nano: int
    """When the last byte was persisted; for an upload that never ended, when that was given up."""
    ended_at_unix_nano: int
    bytes_received: int
    """Persisted bytes of the video track."""
    input_hash_hex: str
    """BLAKE3 of the track; empty where the upload never ended."""
    spool_path: str
    """Where the frames lay, below the data directory."""
    outputs: tuple[OutputEvidence, ...]
    """The outputs in the order of the spec."""
    build: Build
    """`libraries` is joined with what the workers report."""
    warnings: tuple[RaisedWarning, ...] = ()
    """Those that a worker's result repeats need not stand here, but here they have their time."""
    problem: Problem | None = None
    """Why the job as a whole failed, expired or was cancelled."""
    intermediate_files: tuple[IntermediateFile, ...] = ()
    audio_bytes_received: int = 0
    audio_hash_hex: str = ""
    """SHA-256 of the audio track; empty where the upload never ended, and without one."""
    audio_path: str = ""
    """Where the sound lay, below the data directory."""


_STATUS = {
    JobOutcome.SUCCEEDED: StageStatus.SUCCESS,
    JobOutcome.PARTIALLY_SUCCEEDED: StageStatus.FAILED,
    JobOutcome.FAILED: StageStatus.FAILED,
    JobOutcome.EXPIRED: StageStatus.FAILED,
    JobOutcome.CANCELLED: StageStatus.SKIPPED,
}


def build_manifest(job: JobEvidence) -> Manifest:
    """Returns the manifest of an ended job. Pure: the same evidence gives the same manifest."""
    outputs = tuple(_output(job, evidence) for evidence in job.outputs)
    return Manifest(
        job_id=job.spec.job_id,
        tenant=job.tenant or msgspec.UNSET,
        timestamp=_time(job.created_at_unix_nano),
        status=_STATUS[job.outcome],
        state=job.outcome,
        duration_seconds=_seconds(job.created_at_unix_nano, job.ended_at_unix_nano),
        completed_at=_time(job.ended_at_unix_nano),
        inputs=(_input(job),),
        audio=_audio_input(job),
        outputs=outputs,
        intermediate_files=job.intermediate_files,
        config=_config(job.spec),
        resources=_resources(job, outputs),
        phases=_phases(job, outputs),
        build=_build(job),
        errors=_errors(job),
        warnings=_warnings(job),
        metadata=dict(job.spec.metadata),
    )


def _input(job: JobEvidence) -> Input:
    video = job.spec.video
    digest = Digest(INPUT_HASH_ALGORITHM, job.input_hash_hex) if job.input_hash_hex else None
    return Input(
        path=job.spool_path,
        size_bytes=job.bytes_received,
        pixel_format=video.pixel_format.value,
        width=video.width,
        height=video.height,
        frame_rate=video.frame_rate,
        color=video.color,
        frame_bytes=video.frame_bytes,
        frame_count=_frames_sent(job),
        hash=digest,
    )


def _audio_input(job: JobEvidence) -> AudioInput | None:
    audio = job.spec.audio
    if audio is None:
        return None
    return AudioInput(
        path=job.audio_path,
        size_bytes=job.audio_bytes_received,
        sample_rate=audio.sample_rate,
        layout=audio.layout,
        channels=audio.channels,
        sample_format=audio.sample_format.value,
        sample_bytes=audio.sample_bytes,
        sample_count=job.audio_bytes_received // audio.sample_bytes,
        hash=Digest(AUDIO_HASH_ALGORITHM, job.audio_hash_hex) if job.audio_hash_hex else None,
    )


def _output(job: JobEvidence, evidence: OutputEvidence) -> Output:
    spec = evidence.output
    attempts = tuple(_attempt(attempt) for attempt in evidence.attempts)
    last = evidence.attempts[-1].result if evidence.attempts else None
    kind = FORMATS[spec.format].kind if spec.format in FORMATS else "video"
    if not isinstance(last, Produced):
        return Output(
            type=kind,
            name=spec.name,
            format=spec.format,
            status=attempts[-1].status if attempts else StageStatus.SKIPPED,
            path=None,
            size_bytes=None,
            sha256=None,
            files=(),
            attempts=attempts,
            problem=Problem(last.code, last.message) if last is not None else job.problem,
        )
    primary = next((file for file in last.files if file.is_primary), None)
    return Output(
        type=kind,
        name=spec.name,
        format=spec.format,
        status=StageStatus.SUCCESS,
        path=primary.path if primary else None,
        size_bytes=primary.size_bytes if primary else None,
        sha256=primary.sha256 if primary else None,
        files=tuple(_file(file) for file in last.files),
        attempts=attempts,
        encoder=last.encoder,
        readback=last.readback,
        quality=last.quality,
        frames=FrameCounts(
            sent=_frames_sent(job),
            read=last.frames_read,
            encoded=last.frames_encoded,
            decoded=last.frames_decoded,
            cut=last.frames_cut,
        ),
        overlays=last.overlays,
        phases=last.phases,
        sandbox=last.walls,
        sound=last.sound,
    )


def _file(file: ProducedFile) -> OutputFile:
    return OutputFile(
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        media_type=file.media_type,
        is_primary=file.is_primary,
    )


def _attempt(attempt: AttemptEvidence) -> Attempt:
    result = attempt.result
    if isinstance(result, Produced):
        status, problem = StageStatus.SUCCESS, None
    else:
        status = StageStatus.SKIPPED if result.code == FailureCode.CANCELLED else StageStatus.FAILED
        problem = Problem(result.code, result.message)
    return Attempt(
        number=attempt.number,
        started_at=_time(attempt.started_at_unix_nano),
        ended_at=_time(attempt.ended_at_unix_nano),
        status=status,
        problem=problem,
        resources=result.resources,
    )


def _config(spec: JobSpec) -> Config:
    return Config(
        video=spec.video,
        outputs=spec.outputs,
        priority=spec.priority,
        deadline=_time(spec.deadline_unix_nano) if spec.deadline_unix_nano else None,
        delivery=spec.delivery,
        strict=spec.strict,
        audio=spec.audio,
    )


def _resources(job: JobEvidence, outputs: tuple[Output, ...]) -> JobResources:
    spent = [
        attempt.result.resources
        for evidence in job.outputs
        for attempt in evidence.attempts
        if attempt.result.resources is not None
    ]
    return JobResources(
        cpu_seconds=sum(resources.cpu_seconds for resources in spent),
        peak_rss_bytes=max((resources.peak_rss_bytes for resources in spent), default=0),
        bytes_received=job.bytes_received + job.audio_bytes_received,
        bytes_written=sum(file.size_bytes for output in outputs for file in output.files),
    )


def _phases(job: JobEvidence, outputs: tuple[Output, ...]) -> JobPhases:
    first_start = min(
        (evidence.attempts[0].started_at_unix_nano for evidence in job.outputs if evidence.attempts),
        default=job.ended_at_unix_nano,
    )
    done = [output.phases for output in outputs if output.phases is not None]
    return JobPhases(
        receive_seconds=_seconds(job.created_at_unix_nano, job.received_at_unix_nano),
        wait_seconds=_seconds(job.created_at_unix_nano, first_start),
        encode_seconds=sum(phases.encode_seconds for phases in done),
        mux_seconds=sum(phases.mux_seconds for phases in done),
        verify_seconds=sum(phases.verify_seconds for phases in done),
    )


def _build(job: JobEvidence) -> Build:
    libraries = dict(job.build.libraries)
    for evidence in job.outputs:
        for attempt in evidence.attempts:
            if isinstance(attempt.result, Produced):
                libraries |= attempt.result.encoder.library_versions
    return msgspec.structs.replace(job.build, libraries=dict(sorted(libraries.items())))


def _errors(job: JobEvidence) -> tuple[ErrorEntry, ...]:
    errors = []
    for evidence in job.outputs:
        for attempt in evidence.attempts:
            if not isinstance(attempt.result, Failed):
                continue
            hope = (
                "another attempt may help" if attempt.result.is_retryable else "another attempt cannot help"
            )
            errors.append(
                ErrorEntry(
                    timestamp=_time(attempt.ended_at_unix_nano),
                    message=attempt.result.message,
                    code=attempt.result.code,
                    exception_type=attempt.result.code,
                    exception_detail=f"output {evidence.output.name}, attempt {attempt.number}; {hope}",
                    output=evidence.output.name,
                )
            )
    if job.problem is not None:
        errors.append(
            ErrorEntry(
                timestamp=_time(job.ended_at_unix_nano),
                message=job.problem.message,
                code=job.problem.code,
                exception_type=job.problem.code,
                exception_detail="the job as a whole",
                output="",
            )
        )
    return tuple(sorted(errors, key=lambda entry: entry.timestamp))


def _warnings(job: JobEvidence) -> tuple[WarningLine, ...]:
    """Joins the warnings heard while the job ran with those its final results repeat."""
    repeated = (
        RaisedWarning(
            code=entry.code,
            message=entry.message,
            output=evidence.output.name,
            at_unix_nano=attempt.ended_at_unix_nano,
        )
        for evidence in job.outputs
        for attempt in evidence.attempts[-1:]
        for entry in attempt.result.warnings
    )
    lines: dict[tuple[str, str, str], WarningLine] = {}
    for warning in chain(job.warnings, repeated):
        lines.setdefault(
            (warning.output, warning.code, warning.message),
            WarningLine(
                timestamp=_time(warning.at_unix_nano),
                message=warning.message,
                code=warning.code,
                output=warning.output,
            ),
        )
    return tuple(sorted(lines.values(), key=lambda line: line.timestamp))


def _frames_sent(job: JobEvidence) -> int:
    return job.bytes_received // job.spec.video.frame_bytes


def _time(unix_nano: int) -> datetime:
    seconds, nanoseconds = divmod(unix_nano, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)


def _seconds(start_unix_nano: int, end_unix_nano: int) -> float:
    return max(0, end_unix_nano - start_unix_nano) / 1e9
