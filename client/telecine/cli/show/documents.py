"""What `--json` prints: one typed document per command. docs/cli.md lists every field.

Fields are only ever added; a field that stands here keeps its name and meaning. Where a value of the SDK has
the documented fields, it stands in the document itself.
"""

from __future__ import annotations

import msgspec

from telecine.results.values import DamagedJob, EncoderCapability, JobWarning, Sandbox


class ArtifactDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an output produced, with what the manifest read back of it."""

    output: str
    path: str
    """Below the job directory: the name to download it by."""
    size_bytes: int
    sha256: str
    media_type: str
    local_path: str | None = None
    """Where it lies on this machine; null: it was not downloaded."""
    encoder: str | None = None
    frame_count: int | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: str | None = None
    """Exact: "24" or "24000/1001"."""
    color: str | None = None
    """Tags as read back: "bt709 tv"."""
    mean_absolute_error: float | None = None
    """Against the frames sent, in 8-bit code values; null: not compared."""
    ssim: float | None = None


class ProblemDocument(msgspec.Struct, frozen=True):
    """Why a job or an output failed, and what to do about it."""

    code: str
    message: str
    advice: str = ""
    """What to do."""
    is_retryable: bool = False
    """The same job under a new job id may succeed."""


class OutputDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One output of a job."""

    name: str
    state: str
    frames_encoded: int
    bytes_written: int
    attempt: int
    problem: ProblemDocument | None
    artifacts: list[ArtifactDocument]


class JobDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One job: what `jobs show`, `cancel` and `delete` print, and each entry of `jobs list`."""

    job_id: str
    state: str
    created_at: str
    """RFC 3339."""
    ended_at: str | None
    persisted_bytes: int
    total_frames: int
    priority: int
    problem: ProblemDocument | None
    warnings: list[JobWarning]
    outputs: list[OutputDocument]


class JobListDocument(msgspec.Struct, frozen=True):
    """What `jobs list` prints, newest first."""

    jobs: list[JobDocument]
    damaged: list[DamagedJob] = []


class DeletedDocument(msgspec.Struct, frozen=True):
    """What `jobs delete` prints."""

    deleted: list[str]


class DownloadDocument(msgspec.Struct, frozen=True):
    """What `jobs download` prints."""

    job_id: str
    directory: str
    artifacts: list[ArtifactDocument]


class PreviewDocument(msgspec.Struct, frozen=True):
    """What `jobs preview` prints."""

    job_id: str
    path: str
    media_type: str
    frame: int
    width: int
    height: int
    persisted_frames: int


class EncodeDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `encode` prints."""

    job_id: str
    state: str
    directory: str
    """Where the artifacts and `manifest.json` lie."""
    manifest: str | None
    """Path of the manifest; null: the server has written none."""
    frames: int
    sent_bytes: int
    hand_off_seconds: float
    """First push until the sender was free."""
    total_seconds: float
    """First push until every artifact lay verified in `directory`."""
    artifacts: list[ArtifactDocument]
    warnings: list[JobWarning]
    problems: list[OutputDocument]
    """Outputs that failed."""


class FormatDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One format and what it is made with."""

    format: str
    media_type: str
    file_extension: str
    default_codec: str
    can_carry_alpha: bool
    is_available: bool
    encoders: list[EncoderCapability]


class CapabilitiesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `capabilities` prints."""

    server: str
    """Its address; "embedded"."""
    server_version: str
    workers: int
    formats: list[FormatDocument]
    pixel_formats: list[str]
    limits: dict[str, float]
    """By name; bytes, counts or seconds as the name says; 0: no limit."""
    library_versions: dict[str, str]
    fonts: list[str]
    """What a text overlay may name."""
    encoder_options: dict[str, dict[str, str]]
    """Encoder to option, such as "x264-params.aq-mode", to what it takes; "" takes anything."""
    sandbox: Sandbox | None
    """What workers are held to; null: the server does not say."""


class FindingDocument(msgspec.Struct, frozen=True):
    """One thing that `verify` found to be wrong."""

    code: str
    path: str
    message: str


class VerifyDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` prints."""

    is_sound: bool
    manifests: list[str]
    """Every manifest that was checked."""
    files_checked: int
    findings: list[FindingDocument]


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One check of `doctor`."""

    name: str
    status: str
    """"ok", "warning" or "problem"."""
    message: str
    advice: str
    """Empty when there is nothing to do."""


class DoctorDocument(msgspec.Struct, frozen=True):
    """What `doctor` prints."""

    is_healthy: bool
    """No check found a problem; warnings are allowed."""
    checks: list[CheckDocument]
