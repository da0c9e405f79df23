"""The manifest: what stands in `manifest.json`, and how it is read.

`evidence.py` builds one; client/telecine/schemas/manifest.schema.json is generated from these types.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from encoder_service.evidence.facts import (
    DrawnOverlay,
    EncoderReport,
    Phases,
    QualityReport,
    Readback,
    Resources,
    SoundReport,
    Walls,
)
from encoder_service.spec.audio.track import AudioSpec
from encoder_service.spec.spec import Color, Delivery, OutputSpec, Rational, VideoSpec

SCHEMA_ID = "urn:telecine:manifest:1"
"""Names the meaning of the fields; a new number means that readers must change."""
SCHEMA_VERSION = "1.3"
"""Grows with additions that old readers may ignore."""
FILE_NAME = "manifest.json"
STAGE_LOG_NAME = "stage.log"

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]


class StageStatus(StrEnum):
    """The four words that pipelines know; `JobOutcome` says more."""

    RUNNING = "running"
    """The stage has not ended; never stands in a manifest on disk, which is written last."""
    SUCCESS = "success"
    FAILED = "failed"
    """At least one output was asked for and is not there."""
    SKIPPED = "skipped"
    """Cancelled."""


class JobOutcome(StrEnum):
    """The final state of a job."""

    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Digest(msgspec.Struct, frozen=True):
    """A hash and the name of its algorithm."""

    algorithm: str
    """"blake3" or "sha256"."""
    hex: str
    """Lower-case."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A track of raw frames as it was received."""

    type: str = "video"
    path: str
    """Where the frames lay below the data directory while the job ran; `intermediate_files` says whether they
    still do."""
    size_bytes: int
    """Bytes received and persisted."""
    format: str = "rawvideo"
    pixel_format: str
    """FFmpeg's name of the layout."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    frame_rate: Rational
    """Frames per second."""
    color: Color
    """What the samples were declared to mean."""
    frame_bytes: int
    """Bytes of one frame."""
    frame_count: int
    """Whole frames received."""
    hash: Digest | None
    """The hash of all bytes in the order received; null if the upload never ended."""


class AudioInput(msgspec.Struct, frozen=True, kw_only=True):
    """The audio track as it was received."""

    path: str
    """Where the sound lay below the data directory while the job ran."""
    size_bytes: int
    """Bytes received and persisted."""
    sample_rate: int
    """Samples per second."""
    layout: str
    """FFmpeg's name of the channels."""
    channels: int
    sample_format: str
    """FFmpeg's name."""
    sample_bytes: int
    """Bytes of one sample of all channels."""
    sample_count: int
    """Whole samples received."""
    hash: Digest | None
    """SHA-256 of all bytes in the order received; null if the upload never ended."""


class OutputFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an output."""

    path: str
    """Below the job directory, with "/"."""
    size_bytes: int
    sha256: str
    """Lower-case hex."""
    media_type: str
    is_primary: bool
    """False for the single files of a sequence, which are returned as one zip."""


class FrameCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Frames at each step: all are equal, but for those cut; poster and contact sheet encode one picture."""

    sent: int
    """Frames that the client sent."""
    read: int
    """Frames that the output took from the spool."""
    encoded: int
    """Frames handed to the encoder."""
    decoded: int
    """Frames that a reader found in the artifact."""
    cut: int = 0
    """Frames that were read and left out, because the output has a maximum duration."""


class Problem(msgspec.Struct, frozen=True):
    """Why an attempt, an output or the job failed."""

    code: str
    message: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at making an output."""

    number: int
    """From 1."""
    started_at: Timestamp
    ended_at: Timestamp
    status: StageStatus
    problem: Problem | None = None
    resources: Resources | None = None
    """Null if the worker died before it could report them."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One requested output and the proof of what it is. Everything below `problem` is null on failure."""

    type: str
    """"video", "animation", "image", "sequence" or "sound"."""
    name: str
    format: str
    """"mp4", "webm", "webp" ..."""
    status: StageStatus
    path: str | None
    """The primary file below the job directory; null if there is no file."""
    size_bytes: int | None
    """The size of the primary file."""
    sha256: str | None
    """The hash of the primary file."""
    files: tuple[OutputFile, ...]
    """All files, the primary one among them."""
    attempts: tuple[Attempt, ...]
    """Every try, the last one last; empty where none was begun."""
    problem: Problem | None = None
    encoder: EncoderReport | None = None
    """Encoder, exact options and builds."""
    readback: Readback | None = None
    """What a reader found in the finished file: frames, size, duration, colour tags."""
    quality: QualityReport | None = None
    """Decoded frames against those that were sent."""
    overlays: tuple[DrawnOverlay, ...] = ()
    """What was drawn over the frames, and where; `quality` compares with the frames that it was drawn on."""
    frames: FrameCounts | None = None
    phases: Phases | None = None
    """Where the time of the attempt that succeeded went."""
    sandbox: Walls | None = None
    """Which walls the worker stood behind that made the files, and why others were missing."""
    sound: SoundReport | None = None
    """The artifact's sound, read back; null: it has none."""


class IntermediateFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was made on the way."""

    type: str = "intermediate"
    path: str
    """Below the data directory."""
    is_retained: bool = msgspec.field(name="retained")
    """Whether it is kept after the job."""
    reason: str
    """Why it was made, and why it is kept or not."""
    size_bytes: int


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as it was accepted."""

    video: VideoSpec
    outputs: tuple[OutputSpec, ...]
    priority: int
    deadline: Timestamp | None
    """Null: none."""
    delivery: Delivery
    strict: bool
    audio: AudioSpec | None = None
    """Null: no sound was declared."""


class JobResources(msgspec.Struct, frozen=True, kw_only=True):
    """What the job cost, all attempts of all outputs together."""

    cpu_seconds: float
    peak_rss_bytes: int
    """The peak of the largest worker process."""
    bytes_received: int
    bytes_written: int
    """The size of all artifacts together."""


class JobPhases(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time went, in seconds."""

    receive_seconds: float
    """Wall clock from the job's creation to its last byte; interruptions included."""
    wait_seconds: float
    """Wall clock from the job's creation until the first output had a worker."""
    encode_seconds: float
    """Sum over the outputs."""
    mux_seconds: float
    """Sum over the outputs."""
    verify_seconds: float
    """Sum over the outputs."""


class ErrorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that failed; an attempt that failed stands here even where a later one succeeded."""

    timestamp: Timestamp
    message: str
    code: str
    exception_type: str
    """The same as `code`, under the name that pipelines read."""
    exception_detail: str
    """Which output and attempt, and whether another attempt may help."""
    output: str
    """Empty: the job as a whole."""


class WarningLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done otherwise than asked, or is worth knowing."""

    timestamp: Timestamp
    message: str
    code: str
    """Listed in docs/warnings.md."""
    output: str
    """Empty: the job as a whole."""


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of what made the artifacts."""

    telecine: str
    """Version of the service."""
    python: str
    platform: str
    libraries: dict[str, str]
    """Library to version, such as "libavcodec" to "62.28.101"."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of one job: written last and atomically, so one that exists is true."""

    schema: str = SCHEMA_ID
    schema_version: str = SCHEMA_VERSION
    job_id: str
    tenant: str | msgspec.UnsetType = msgspec.UNSET
    """Whose job it is. Absent: the default tenant's, as every job is where nobody is asked who they are."""
    stage: str = "encode"
    stage_number: int = 1
    timestamp: Timestamp
    """When the job was created."""
    status: StageStatus
    state: JobOutcome
    duration_seconds: float
    """From `timestamp` to `completed_at`."""
    completed_at: Timestamp
    inputs: tuple[Input, ...]
    audio: AudioInput | None = None
    """The sound that came with the frames; null: none was declared."""
    outputs: tuple[Output, ...]
    """One for each output asked for, in that order, failed ones too."""
    intermediate_files: tuple[IntermediateFile, ...]
    config: Config
    resources: JobResources
    phases: JobPhases
    build: Build
    errors: tuple[ErrorEntry, ...]
    warnings: tuple[WarningLine, ...]
    metadata: dict[str, str]
    """The caller's own data (prompt, seed, model ...)."""


class ManifestError(Exception):
    """The file is not a manifest that this version can read."""


def encode_manifest(manifest: Manifest) -> bytes:
    """Returns indented UTF-8 JSON that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Parses a manifest; fields that are not known are ignored. Raises ManifestError."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ManifestError(f"not a manifest: {error}") from error
    if manifest.schema != SCHEMA_ID:
        raise ManifestError(f"schema is {manifest.schema!r}; this version reads {SCHEMA_ID!r}")
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest file. Raises ManifestError, OSError."""
    return decode_manifest(path.read_bytes())
