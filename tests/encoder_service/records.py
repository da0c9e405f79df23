"""Makes records and evidence for tests of the store and of time."""

from __future__ import annotations

from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import (
    ColorTags,
    EncoderReport,
    Failed,
    Phases,
    Produced,
    ProducedFile,
    Readback,
    Resources,
)
from encoder_service.spec.spec import JobSpec, OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.store.record import JobRecord, OutputRecord, OutputState, new_record

SECOND = 1_000_000_000


def record(job_id: str = "job", *outputs: str, created_seconds: int = 1000) -> JobRecord:
    """A job that was just accepted."""
    spec = JobSpec(
        job_id=job_id,
        video=VideoSpec(4, 2, PixelFormat.RGB24, Rational(24)),
        outputs=tuple(OutputSpec(name, "mp4") for name in outputs or ("mp4",)),
    )
    return new_record(spec, f"19700101_000000_{job_id}", created_seconds * SECOND)


def produced(*files: tuple[str, bytes], frames: int = 2) -> Produced:
    """A worker's evidence for these files."""
    return Produced(
        files=tuple(ProducedFile(path, len(data), "0" * 64, "video/mp4") for path, data in files),
        encoder=EncoderReport("libx264", "h264", "mp4", "yuv420p", {}, 1, {}),
        readback=Readback(frames, 4, 2, "yuv420p", 1.0, Rational(24), ColorTags()),
        quality=None,
        frames_read=frames,
        frames_encoded=frames,
        frames_decoded=frames,
        resources=Resources(0.1, 1000),
        phases=Phases(0.0, 0.1, 0.0, 0.0),
    )


def attempt(result: Produced | Failed, number: int = 1) -> AttemptEvidence:
    """An attempt that came to this."""
    return AttemptEvidence(
        number=number, started_at_unix_nano=1001 * SECOND, ended_at_unix_nano=1002 * SECOND, result=result
    )


def succeeded(job: JobRecord, output: str, result: Produced) -> JobRecord:
    """The record once this is evidence."""
    return job.with_output(output, OutputRecord(state=OutputState.SUCCEEDED, attempts=(attempt(result),)))
