"""Reads the contract's messages into the SDK's own values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import ProtocolError
from telecine.request.job_spec import PIXEL_FORMAT_NUMBERS
from telecine.request.options import chosen
from telecine.results import values as results

_JOB_STATES = {pb.JobState.Value(f"JOB_STATE_{state.name}"): state for state in results.JobState}
_OUTPUT_STATES = {pb.OutputState.Value(f"OUTPUT_STATE_{state.name}"): state for state in results.OutputState}
_PIXEL_FORMATS = {number: name for name, number in PIXEL_FORMAT_NUMBERS.items()}


def job_state(value: pb.JobState.ValueType) -> results.JobState:
    """Raises ProtocolError for a state that this SDK does not know."""
    try:
        return _JOB_STATES[value]
    except KeyError:
        raise ProtocolError(f"the server sent job state {value}, which this SDK does not know") from None


def job_state_number(state: results.JobState) -> pb.JobState.ValueType:
    """The contract's number of a state."""
    return pb.JobState.Value(f"JOB_STATE_{state.name}")


def video_offset(persisted: Iterable[pb.TrackOffset]) -> int:
    """Persisted bytes of the video track; 0 when it is not named."""
    return next((entry.persisted_bytes for entry in persisted if entry.track in {0, pb.TRACK_VIDEO}), 0)


def audio_offset(persisted: Iterable[pb.TrackOffset]) -> int:
    """Persisted bytes of the audio track; 0 when it is not named."""
    return next((entry.persisted_bytes for entry in persisted if entry.track == pb.TRACK_AUDIO), 0)


def output_progress(message: pb.OutputProgress) -> results.OutputProgress:
    """What one output has done so far."""
    return results.OutputProgress(
        output=message.output,
        state=_OUTPUT_STATES.get(message.state, results.OutputState.WAITING),
        frames_encoded=message.frames_encoded,
        frames_total=message.frames_total,
        bytes_written=message.bytes_written,
        attempt=max(1, message.attempt),
    )


def job_warning(message: pb.Warning) -> results.JobWarning:
    """A warning of the server's."""
    return results.JobWarning(message.code, message.message, message.output)


def artifact(message: pb.Artifact) -> results.Artifact:
    """A produced file, not downloaded."""
    return results.Artifact(
        message.output, message.path, message.size_bytes, message.sha256, message.media_type
    )


def job(message: pb.Job) -> results.JobInfo:
    """A job as the server knows it."""
    return results.JobInfo(
        job_id=message.job_id,
        state=job_state(message.state),
        created_at=message.created_at.ToDatetime(UTC),
        ended_at=message.ended_at.ToDatetime(UTC) if message.HasField("ended_at") else None,
        persisted_bytes=video_offset(message.persisted),
        total_frames=message.total_frames,
        outputs=tuple(_output(output) for output in message.outputs),
        warnings=tuple(job_warning(warning) for warning in message.warnings),
        problem=_problem(message.problem) if message.HasField("problem") else None,
        priority=message.priority,
    )


def preview(message: pb.GetPreviewResponse) -> results.Preview:
    """A picture of a frame."""
    return results.Preview(
        image=message.image,
        media_type=message.media_type,
        frame=message.frame_index,
        width=message.width,
        height=message.height,
        persisted_frames=message.persisted_frames,
        state=job_state(message.state),
        made_at=message.made_at.ToDatetime(UTC),
    )


def _output(message: pb.OutputStatus) -> results.OutputInfo:
    return results.OutputInfo(
        progress=output_progress(message.progress),
        artifacts=tuple(artifact(entry) for entry in message.artifacts),
        problem=_problem(message.problem) if message.HasField("problem") else None,
    )


def _problem(message: pb.Problem) -> results.Problem:
    return results.Problem(message.code, message.message)


def capabilities(message: pb.GetCapabilitiesResponse) -> results.Capabilities:
    """What a server can make."""
    limits = message.limits
    return results.Capabilities(
        formats=tuple(_format(entry) for entry in message.formats),
        pixel_formats=tuple(_PIXEL_FORMATS[n] for n in message.pixel_formats if n in _PIXEL_FORMATS),
        limits=results.Limits(
            max_chunk_bytes=limits.max_chunk_bytes,
            max_frame_bytes=limits.max_frame_bytes,
            max_job_bytes=limits.max_job_bytes,
            max_audio_bytes=limits.max_audio_bytes,
            max_audio_seconds=limits.max_audio_duration.ToTimedelta().total_seconds(),
            spool_quota_bytes=limits.spool_quota_bytes,
            max_waiting_jobs=limits.max_waiting_jobs,
            max_job_duration=limits.max_job_duration.ToTimedelta(),
            idle_upload_timeout=limits.idle_upload_timeout.ToTimedelta(),
            max_clip_duration=limits.max_clip_duration.ToTimedelta(),
            max_overlays_per_output=limits.max_overlays_per_output,
            max_overlay_image_bytes=limits.max_overlay_image_bytes,
            max_metadata_bytes=limits.max_metadata_bytes,
        ),
        server_version=message.server_version,
        library_versions=dict(message.library_versions),
        workers=message.workers,
        fonts=tuple(message.fonts),
        encoder_options={
            entry.encoder: results.EncoderOptions(
                {option.name: option.values for option in entry.options}, entry.presets
            )
            for entry in message.encoder_options
        },
        sandbox=_sandbox(message.sandbox) if message.HasField("sandbox") else None,
    )


def _sandbox(message: pb.Sandbox) -> results.Sandbox:
    return results.Sandbox(
        mode=message.mode,
        walls=tuple(message.walls),
        missing=dict(message.missing),
        memory_bytes=message.memory_bytes,
    )


def _format(message: pb.FormatCapability) -> results.FormatCapability:
    return results.FormatCapability(
        format=message.format,
        media_type=message.media_type,
        file_extension=message.file_extension,
        encoders=tuple(
            results.EncoderCapability(
                entry.encoder, entry.codec, entry.is_available, entry.reason, tuple(entry.pixel_formats)
            )
            for entry in message.encoders
        ),
        can_carry_alpha=message.can_carry_alpha,
        is_available=message.is_available,
        default_codec=message.default_codec,
    )


def damaged_jobs(message: pb.ListJobsResponse) -> tuple[results.DamagedJob, ...]:
    """The damaged jobs of a list."""
    return tuple(results.DamagedJob(job.job_id, job.reason, job.spool_bytes) for job in message.damaged)


def list_request(states: Iterable[results.JobState | str], prefix: str, page_size: int) -> pb.ListJobsRequest:
    """The request for a list of jobs. Raises InvalidRequestError for an unknown state."""
    named = [chosen(results.JobState, state, "states") for state in states]
    return pb.ListJobsRequest(
        states=[job_state_number(state) for state in named], job_id_prefix=prefix, page_size=page_size
    )
