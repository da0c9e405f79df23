"""What a caller gets back: jobs, outputs, artifacts, progress, capabilities; plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from telecine.exceptions.problems import advice_of
from telecine.exceptions.root import ErrorKind
from telecine.exceptions.tree import ArtifactNotFoundError


class JobState(StrEnum):
    """The states of a job."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    ENCODING = "encoding"
    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def has_ended(self) -> bool:
        """Whether the job will not change any more."""
        return self not in {JobState.RECEIVING, JobState.QUEUED, JobState.ENCODING}


class OutputState(StrEnum):
    """The states of an output."""

    WAITING = "waiting"
    ENCODING = "encoding"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an output or a job failed."""

    code: str
    """The code for programs, such as "CODEC_CRASHED"."""
    message: str

    @property
    def kind(self) -> ErrorKind:
        """Who can fix it."""
        return advice_of(self.code).kind

    @property
    def is_retryable(self) -> bool:
        """Whether the same job under a new job_id may succeed."""
        return advice_of(self.code).is_retryable

    @property
    def recovery(self) -> str:
        """What to do, in plain words."""
        return advice_of(self.code).recovery


@dataclass(frozen=True, slots=True)
class JobWarning:
    """Something worth knowing that is not an error; the manifest has it too."""

    code: str
    """Listed in docs/warnings.md."""
    message: str
    output: str = ""
    """The output that it is about. Empty: the job as a whole."""

    @property
    def recovery(self) -> str:
        """What to do if the fallback is not wanted, in plain words."""
        return advice_of(self.code).recovery


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that an output produced."""

    output: str
    """The output that made it."""
    path: str
    """The path below the job directory, with "/"; the name to download it by."""
    size_bytes: int
    sha256: str
    """SHA-256 of the file in lower-case hex."""
    media_type: str
    local_path: Path | None = None
    """Where the SDK has put the file after checking it; None: it was not downloaded."""


@dataclass(frozen=True, slots=True)
class OutputProgress:
    """What one output has done so far."""

    output: str
    state: OutputState
    frames_encoded: int = 0
    frames_total: int = 0
    """How many frames there are. 0: not known yet."""
    bytes_written: int = 0
    attempt: int = 1
    """The number of the attempt: 2 after the first crash of its worker, and so on."""


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """One output of a job."""

    progress: OutputProgress
    artifacts: tuple[Artifact, ...] = ()
    problem: Problem | None = None
    """Why it failed; None: it did not."""

    @property
    def name(self) -> str:
        """The name of the output."""
        return self.progress.output


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as the server knows it."""

    job_id: str
    state: JobState
    created_at: datetime
    ended_at: datetime | None
    """None: it has not ended."""
    persisted_bytes: int
    """Bytes of the video track that are safe on the server."""
    total_frames: int
    """How many frames there are. 0: not known yet."""
    outputs: tuple[OutputInfo, ...]
    warnings: tuple[JobWarning, ...]
    problem: Problem | None
    """Set when the job as a whole failed, expired or was cancelled."""
    priority: int

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts of all outputs."""
        return tuple(artifact for output in self.outputs for artifact in output.artifacts)


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of one frame of an upload."""

    image: bytes = field(repr=False)
    """A whole file."""
    media_type: str
    """"image/webp" or "image/jpeg"."""
    frame: int
    """The frame that it shows, from 0."""
    width: int
    height: int
    persisted_frames: int
    """How many whole frames were safe on the server."""
    state: JobState
    made_at: datetime


@dataclass(frozen=True, slots=True)
class DamagedJob:
    """A job whose files are damaged on the server's disk: an operator has to repair or remove them."""

    job_id: str
    reason: str
    """"record_unreadable", "record_missing" (frames are there) or "not_recovered"."""
    spool_bytes: int
    """The size of its frames, which count against the server's quota."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come; handed to progress callbacks."""

    job_id: str
    pushed_bytes: int
    """Bytes taken over from the caller so far."""
    acknowledged_bytes: int
    """Bytes that are safe in the service."""
    total_bytes: int
    """Bytes of the whole clip. 0: not known before `finish`."""
    is_handed_off: bool
    """Whether the sender is free: no crash can lose the job any more."""
    outputs: tuple[OutputProgress, ...]


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """An ended job: its artifacts, its warnings and the manifest."""

    job: JobInfo
    artifacts: tuple[Artifact, ...]
    manifest_json: bytes = field(repr=False)
    """UTF-8 JSON that follows telecine/schemas/manifest.schema.json; empty when the server wrote none."""
    clipped_samples: int = 0
    """Values that `out_of_range="clip"` changed."""

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self.job.job_id

    @property
    def warnings(self) -> tuple[JobWarning, ...]:
        """What was not done as asked, or is worth knowing."""
        return self.job.warnings

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest, read; an empty mapping when the server has written none."""
        return msgspec.json.decode(self.manifest_json, type=dict[str, Any]) if self.manifest_json else {}

    def __getitem__(self, output: str) -> Artifact:
        """The main artifact of an output, by its name: `result["mp4"]`. Raises ArtifactNotFoundError."""
        found = next((a for a in self.artifacts if a.output == output), None)
        if found is None:
            names = ", ".join(sorted({a.output for a in self.artifacts})) or "none"
            raise ArtifactNotFoundError(f"no artifact of output {output!r}; there are: {names}")
        return found


@dataclass(frozen=True, slots=True)
class EncoderCapability:
    """One encoder, as the server tried it when it started."""

    encoder: str
    codec: str
    is_available: bool
    reason: str
    """Why it is not available; empty when it is."""
    pixel_formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What `Output.options` and `Output.preset` may set on one encoder."""

    options: Mapping[str, str]
    """Name, such as "tune" or "x264-params.aq-mode", to what it takes, for people; empty: anything."""
    presets: str
    """The presets, described for people; empty: it has none."""


@dataclass(frozen=True, slots=True)
class FormatCapability:
    """One format and what it is made with."""

    format: str
    media_type: str
    file_extension: str
    encoders: tuple[EncoderCapability, ...]
    can_carry_alpha: bool
    is_available: bool
    default_codec: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The server's limits; 0: none."""

    max_chunk_bytes: int
    max_frame_bytes: int
    max_job_bytes: int
    spool_quota_bytes: int
    max_waiting_jobs: int
    max_job_duration: timedelta
    idle_upload_timeout: timedelta
    max_clip_duration: timedelta = timedelta()
    max_overlays_per_output: int = 0
    max_overlay_image_bytes: int = 0
    max_audio_bytes: int = 0
    """Of a job's sound. 0: the server takes none."""
    max_audio_seconds: float = 0.0
    """Longest sound of a job."""
    max_metadata_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the kernel keeps the server's worker processes from doing."""

    mode: str
    """The server's setting: "required", "auto" or "off"."""
    walls: tuple[str, ...]
    """The walls that stand, of "writes", "reads", "network", "processes", "others" and "bounds"."""
    missing: Mapping[str, str]
    """The walls that do not stand, each with the reason."""
    memory_bytes: int = 0
    """What an output may take of its own before it fails with OUT_OF_MEMORY; 0: no bound."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server can make, with which builds."""

    formats: tuple[FormatCapability, ...]
    pixel_formats: tuple[str, ...]
    limits: Limits
    server_version: str
    library_versions: Mapping[str, str]
    workers: int
    fonts: tuple[str, ...] = ()
    """The fonts that `TextOverlay.font` may name."""
    encoder_options: Mapping[str, EncoderOptions] = field(default_factory=dict)
    """What may be set on each encoder, by FFmpeg's name of it."""
    sandbox: Sandbox | None = None
    """What its workers are held to. None: the server does not say."""
