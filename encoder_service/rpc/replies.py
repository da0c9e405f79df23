"""Turns jobs, records and limits into protobuf answers."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.evidence.facts import Confinement, ProducedFile, Walls
from encoder_service.jobs.job import Job
from encoder_service.options.listing import listed
from encoder_service.options.table import RULES
from encoder_service.rpc.neighbours import Disclosure
from encoder_service.rpc.settings import PublishedSettings, StreamSettings
from encoder_service.spec.overlays.fonts import list_fonts
from encoder_service.spool.ring import Offer
from encoder_service.store.artifact_reader import Piece
from encoder_service.store.damage import Damaged
from encoder_service.store.record import JobRecord, JobState, OutputState
from encoder_service.wire.enums import PIXEL_FORMATS
from encoder_service.worker_protocol import EncoderProbe, Probed

MAX_PAGE_BYTES = 2 << 20
"""gRPC's clients take messages of 4 MiB unless they are configured otherwise."""
_FRAMING_BYTES = 8

JOB_STATES = {
    JobState.RECEIVING: pb.JOB_STATE_RECEIVING,
    JobState.QUEUED: pb.JOB_STATE_QUEUED,
    JobState.ENCODING: pb.JOB_STATE_ENCODING,
    JobState.SUCCEEDED: pb.JOB_STATE_SUCCEEDED,
    JobState.PARTIALLY_SUCCEEDED: pb.JOB_STATE_PARTIALLY_SUCCEEDED,
    JobState.FAILED: pb.JOB_STATE_FAILED,
    JobState.CANCELLED: pb.JOB_STATE_CANCELLED,
    JobState.EXPIRED: pb.JOB_STATE_EXPIRED,
}
OUTPUT_STATES = {
    OutputState.WAITING: pb.OUTPUT_STATE_WAITING,
    OutputState.ENCODING: pb.OUTPUT_STATE_ENCODING,
    OutputState.VERIFYING: pb.OUTPUT_STATE_VERIFYING,
    OutputState.SUCCEEDED: pb.OUTPUT_STATE_SUCCEEDED,
    OutputState.FAILED: pb.OUTPUT_STATE_FAILED,
    OutputState.CANCELLED: pb.OUTPUT_STATE_CANCELLED,
}


def persisted(job: Job) -> list[pb.TrackOffset]:
    """Where each track is to go on."""
    offsets = [pb.TrackOffset(track=pb.TRACK_VIDEO, persisted_bytes=job.persisted_bytes)]
    if job.record.spec.audio is not None:
        offsets.append(pb.TrackOffset(track=pb.TRACK_AUDIO, persisted_bytes=job.persisted_audio_bytes))
    return offsets


def accepted(
    job: Job, settings: StreamSettings, ring: Offer | None, disclosure: Disclosure, *, is_resumed: bool
) -> pb.EncodeResponse:
    """The first answer of a stream."""
    return pb.EncodeResponse(
        accepted=pb.Accepted(
            job_id=job.job_id,
            persisted=persisted(job),
            max_chunk_bytes=settings.wire.max_chunk_bytes,
            max_job_bytes=settings.wire.max_job_bytes,
            frame_bytes=job.record.spec.video.frame_bytes,
            is_resumed=is_resumed,
            state=JOB_STATES[job.state],
            job_directory=str(job.directory) if disclosure.is_proved else "",
            proof_path=disclosure.proof_path,
            ring=_ring(ring) if ring is not None else None,
            keep_alive_seconds=settings.keep_alive_seconds,
            max_audio_bytes=settings.wire.max_audio_bytes if job.record.spec.audio is not None else 0,
        )
    )


def _ring(offer: Offer) -> pb.Ring:
    return pb.Ring(path=offer.path, size_bytes=offer.size_bytes, nonce=offer.nonce)


def acknowledged(job: Job) -> pb.EncodeResponse:
    """What is safe now."""
    return pb.EncodeResponse(
        acknowledged=pb.Acknowledged(persisted=persisted(job), is_complete=job.record.is_complete)
    )


def output_progress(job: Job, name: str) -> pb.OutputProgress:
    """How far an output is."""
    view = job.views[name]
    return pb.OutputProgress(
        output=name,
        state=OUTPUT_STATES[view.state],
        frames_encoded=view.frames_encoded,
        frames_total=job.record.total_frames,
        bytes_written=view.bytes_written,
        attempt=view.attempt,
    )


def artifact(output: str, file: ProducedFile) -> pb.Artifact:
    """Returns what precedes the bytes of an artifact."""
    return pb.Artifact(
        output=output,
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        media_type=file.media_type,
    )


def fill_chunk(message: pb.ArtifactChunk, path: str, piece: Piece) -> None:
    """Sets a chunk in place: handing a message to another one copies its bytes twice."""
    message.path, message.offset, message.crc32c = path, piece.offset, piece.crc32c
    message.data = piece.data


def primary_files(record: JobRecord) -> list[tuple[str, ProducedFile]]:
    """What an ended job delivers, in the order of its outputs; of a sequence the zip alone."""
    return [
        (name, file)
        for name, output in record.outputs.items()
        if output.state is OutputState.SUCCEEDED and output.produced is not None
        for file in output.produced.files
        if file.is_primary
    ]


def damaged_message(found: Damaged) -> pb.DamagedJob:
    """A job of which damage has left something."""
    return pb.DamagedJob(
        job_id=found.job_id,
        reason=found.reason.value,
        spool_bytes=found.spool_bytes,
        tenant=found.tenant,
    )


def fitting(jobs: Iterable[pb.Job]) -> list[pb.Job]:
    """As many of the first jobs as one answer can carry, at least one."""
    page: list[pb.Job] = []
    room_bytes = MAX_PAGE_BYTES
    for job in jobs:
        room_bytes -= job.ByteSize() + _FRAMING_BYTES
        if page and room_bytes < 0:
            break
        page.append(job)
    return page


def limits(settings: PublishedSettings) -> pb.Limits:
    """Returns the limits that clients may rely on."""
    return pb.Limits(
        max_chunk_bytes=settings.max_chunk_bytes,
        max_frame_bytes=settings.max_frame_bytes,
        max_job_bytes=settings.max_job_bytes,
        spool_quota_bytes=settings.spool_quota_bytes,
        max_waiting_jobs=settings.max_waiting_jobs,
        max_job_duration=_duration(settings.max_job_seconds),
        idle_upload_timeout=_duration(settings.idle_upload_timeout_seconds),
        max_artifact_bytes=settings.max_artifact_bytes,
        max_running_jobs=settings.max_running_jobs,
        max_clip_duration=_duration(settings.max_clip_seconds),
        max_overlays_per_output=settings.max_overlays_per_output,
        max_overlay_image_bytes=settings.max_overlay_image_bytes,
        max_metadata_bytes=settings.max_metadata_bytes,
        max_audio_bytes=settings.max_audio_bytes,
        max_audio_duration=_duration(settings.max_audio_seconds),
    )


def capabilities(probed: Probed, settings: PublishedSettings, version: str) -> pb.GetCapabilitiesResponse:
    """What was found to work."""
    return pb.GetCapabilitiesResponse(
        formats=[
            pb.FormatCapability(
                format=row.format,
                media_type=row.media_type,
                file_extension=row.file_extension,
                encoders=[
                    pb.EncoderCapability(
                        encoder=probe.encoder,
                        codec=probe.codec,
                        is_available=probe.is_available,
                        reason=probe.reason,
                        pixel_formats=_allowed_pixel_formats(probe),
                    )
                    for probe in row.encoders
                ],
                can_carry_alpha=row.can_carry_alpha,
                is_available=any(probe.is_available for probe in row.encoders),
                default_codec=row.default_codec,
            )
            for row in probed.formats
        ],
        pixel_formats=[pb.PixelFormat.ValueType(value) for value in PIXEL_FORMATS],
        limits=limits(settings),
        server_version=version,
        library_versions=probed.library_versions,
        workers=settings.worker_count,
        fonts=list_fonts(settings.font_directories),
        sandbox=_sandbox(probed.walls, settings.confinement) if probed.walls is not None else None,
        encoder_options=[
            pb.EncoderOptions(
                encoder=encoder,
                options=[
                    pb.EncoderOption(name=entry.name, values=entry.values)
                    for entry in listed(rules, settings.allowed_encoder_options.get(encoder, ()))
                ],
                presets=rules.presets.expected if rules.presets is not None else "",
            )
            for encoder, rules in RULES.items()
        ],
    )


def _sandbox(walls: Walls, confinement: Confinement) -> pb.Sandbox:
    return pb.Sandbox(
        mode=confinement.mode,
        walls=walls.standing,
        missing={wall.value: reason for wall, reason in walls.missing.items()},
        memory_bytes=confinement.memory_bytes,
    )


def _allowed_pixel_formats(probe: EncoderProbe) -> list[str]:
    """Those that the build has and the rules allow; images are coded otherwise than they are asked for."""
    allowed = RULES[probe.encoder].pixel_formats
    return [name for name in allowed if name in probe.pixel_formats] or list(allowed)


def timestamp(unix_nano: int) -> Timestamp:
    """A time as messages state it."""
    seconds, nanos = divmod(unix_nano, 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))
