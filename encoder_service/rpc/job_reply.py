"""A job as GetJob, WatchJob and ListJobs send it: where it stands, its outputs and what was tried."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.job import Job, Run
from encoder_service.rpc.replies import JOB_STATES, artifact, output_progress, persisted, timestamp
from encoder_service.spec.spec import OutputSpec, VideoSpec
from encoder_service.store.record import OutputState
from encoder_service.wire.enums import (
    MATRICES,
    ODD_SIZE_POLICIES,
    PIXEL_FORMATS,
    PRIMARIES,
    RANGES,
    TRANSFERS,
)

_PIXEL_FORMATS = {value: number for number, value in PIXEL_FORMATS.items()}
_PRIMARIES = {value: number for number, value in PRIMARIES.items()}
_TRANSFERS = {value: number for number, value in TRANSFERS.items()}
_MATRICES = {value: number for number, value in MATRICES.items()}
_RANGES = {value: number for number, value in RANGES.items()}
_ODD_SIZE_POLICIES = {value: number for number, value in ODD_SIZE_POLICIES.items()}


def job_message(job: Job, *, is_brief: bool = False) -> pb.Job:
    """Returns the job; with `is_brief` the essentials alone (`ListJobsRequest.is_brief`)."""
    record = job.record
    message = pb.Job(
        job_id=job.job_id,
        state=JOB_STATES[job.state],
        created_at=timestamp(record.created_at_unix_nano),
        persisted=persisted(job),
        total_frames=record.total_frames,
        outputs=[_output_status(job, output, is_brief=is_brief) for output in record.spec.outputs],
        warnings=[
            pb.Warning(code=entry.code, message="" if is_brief else entry.message, output=entry.output)
            for entry in job.warnings
        ],
        priority=record.spec.priority,
        tenant=record.tenant,
        persisted_frames=job.frames_ready,
        last_heard_at=timestamp(job.last_heard_at_unix_nano),
        is_attached=job.attachment is not None and not job.is_over,
        received_at=timestamp(record.received_at_unix_nano) if record.is_complete else None,
        received_frames_per_second=job.received_frames_per_second,
        video=None if is_brief else _video(record.spec.video),
        updated_at=timestamp(record.ended_at_unix_nano if job.is_over else job.updated_at_unix_nano),
    )
    if job.is_over:
        message.ended_at.CopyFrom(timestamp(record.ended_at_unix_nano))
        if record.problem is not None:
            message.problem.code, message.problem.message = record.problem.code, record.problem.message
    return message


def _output_status(job: Job, output: OutputSpec, *, is_brief: bool) -> pb.OutputStatus:
    name, record = output.name, job.record.outputs[output.name]
    status = pb.OutputStatus(progress=output_progress(job, name), format=output.format)
    view = job.views[name]
    if view.state is OutputState.FAILED:
        problem = record.failed or job.record.problem
        if problem is not None:
            status.problem.code, status.problem.message = problem.code, problem.message
    if is_brief:
        return status
    if view.state is OutputState.SUCCEEDED and record.produced is not None:
        status.artifacts.extend(artifact(name, file) for file in record.produced.files if file.is_primary)
    status.attempts.extend(map(_ended_attempt, record.attempts))
    run = job.runs.get(name)
    if run is not None and run.attempt > len(record.attempts):
        status.attempts.append(_attempt_under_way(run))
    return status


def _ended_attempt(attempt: AttemptEvidence) -> pb.OutputAttempt:
    message = pb.OutputAttempt(
        attempt=attempt.number,
        started_at=timestamp(attempt.started_at_unix_nano),
        ended_at=timestamp(attempt.ended_at_unix_nano),
    )
    if isinstance(attempt.result, Produced):
        phases = attempt.result.phases
        message.wait_duration.CopyFrom(_duration(phases.wait_seconds))
        message.encode_duration.CopyFrom(_duration(phases.encode_seconds))
        message.mux_duration.CopyFrom(_duration(phases.mux_seconds))
        message.verify_duration.CopyFrom(_duration(phases.verify_seconds))
    elif isinstance(attempt.result, Failed):
        message.problem.code, message.problem.message = attempt.result.code, attempt.result.message
    return message


def _attempt_under_way(run: Run) -> pb.OutputAttempt:
    message = pb.OutputAttempt(attempt=run.attempt, started_at=timestamp(run.started_at_unix_nano))
    if run.verifying_since_unix_nano:
        message.verifying_since.CopyFrom(timestamp(run.verifying_since_unix_nano))
    return message


def _video(video: VideoSpec) -> pb.VideoTrack:
    track = pb.VideoTrack(width=video.width, height=video.height, expected_frames=video.expected_frames)
    track.frame_rate.numerator = video.frame_rate.numerator
    track.frame_rate.denominator = video.frame_rate.denominator
    track.pixel_format = pb.PixelFormat.ValueType(_PIXEL_FORMATS[video.pixel_format])
    track.odd_size_policy = pb.OddSizePolicy.ValueType(_ODD_SIZE_POLICIES[video.odd_size_policy])
    color = video.color
    track.color.primaries = pb.ColorPrimaries.ValueType(_PRIMARIES[color.primaries])
    track.color.transfer = pb.ColorTransfer.ValueType(_TRANSFERS[color.transfer])
    track.color.matrix = pb.ColorMatrix.ValueType(_MATRICES[color.matrix])
    track.color.range = pb.ColorRange.ValueType(_RANGES[color.range])
    return track


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=min(999_999_999, round((seconds - whole) * 1e9)))
