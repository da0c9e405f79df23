"""The language between the service and its worker processes, and the evidence a worker returns.

Each message is one line of JSON on the worker's stdin (orders) or stdout (events).
A worker does one assignment at a time and ends when its stdin closes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from encoder_service.evidence.facts import Code, Confinement, Count, Failed, Produced, Text, Walls
from encoder_service.spec.audio.track import AudioSpec
from encoder_service.spec.spec import OutputSpec, VideoSpec

# --- the sandbox ---------------------------------------------------------------------------------


# --- orders: service to worker -------------------------------------------------------------------


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """Produce one output of one job."""

    job_id: str
    output: OutputSpec
    video: VideoSpec
    spool_path: str
    """The video track's raw frames; it may still grow."""
    directory: str
    """An empty directory of this attempt alone; everything produced goes into it."""
    attempt: int = 1
    threads: int = 0
    """For the codec. 0: all cores."""
    max_artifact_bytes: int = 0
    """Of the largest file. 0: no limit."""
    metadata: dict[str, str] = {}
    """For the fields of text overlays; empty where there are none."""
    pictures_directory: str = ""
    """Holds the images of overlays, each under its SHA-256."""
    font_directories: tuple[str, ...] = ()
    """Where fonts may be taken from besides the bundled ones."""
    fallback_font_directories: tuple[str, ...] = ()
    """Where else a font is looked for that has what the one asked for lacks; they need not exist."""
    allowed_options: dict[str, tuple[str, ...]] = {}
    """`EncoderConfig.allowed_encoder_options`."""
    confinement: Confinement = Confinement()
    audio: AudioSpec | None = None
    """None: the job has no sound."""
    audio_path: str = ""
    """The audio track's raw samples; it may still grow."""


class HighWatermark(msgspec.Struct, frozen=True, tag="high_watermark"):
    """How much of the spool may be read; only ever grows."""

    frames: int
    """Whole frames that are safe to read."""
    is_complete: bool
    """No more will come."""
    samples: int = 0
    """Whole samples of the audio track that are safe to read."""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop the assignment, remove its files, answer `Failed` with code CANCELLED."""


class Probe(msgspec.Struct, frozen=True, tag="probe"):
    """Open and round-trip every encoder; answer `Probed`."""

    directory: str
    """An empty directory, to write into."""
    confinement: Confinement = Confinement()


class PreviewFormat(StrEnum):
    """The kind of file that a preview is."""

    WEBP = "webp"
    JPEG = "jpeg"

    @property
    def media_type(self) -> str:
        """For HTTP."""
        return f"image/{self.value}"

    @property
    def beginning(self) -> bytes:
        """The bytes that every file of this kind begins with."""
        return b"RIFF" if self is PreviewFormat.WEBP else b"\xff\xd8\xff"


MAX_PREVIEW_BYTES = 2 << 20


class DrawPreview(msgspec.Struct, frozen=True, tag="draw_preview"):
    """Make a small picture of one frame; answer `Pictured` or `Failed`. Nothing is written."""

    video: VideoSpec
    spool_path: str
    """The video track's raw frames."""
    frame: int
    """A frame that is persisted."""
    max_side: int
    """Pixels of the longer side."""
    format: PreviewFormat
    confinement: Confinement = Confinement()


Order = Assignment | HighWatermark | Cancel | Probe | DrawPreview

# --- evidence ------------------------------------------------------------------------------------


# --- events: worker to service -------------------------------------------------------------------


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker is imported and waits for an assignment."""

    pid: int


class OutputPhase(StrEnum):
    """What a worker is doing."""

    ENCODING = "encoding"
    VERIFYING = "verifying"


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Sent at most every 200 ms, at each change of phase, and when all frames given so far are encoded."""

    phase: OutputPhase
    frames_encoded: Count
    bytes_written: Count


class Warned(msgspec.Struct, frozen=True, tag="warned"):
    """A warning, as soon as it is known; it stands in `Produced.warnings` too."""

    code: Code
    message: Text


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """A line for the job's stage.log."""

    level: Literal["debug", "info", "warning", "error"]
    message: Text


class EncoderProbe(msgspec.Struct, frozen=True):
    """One encoder as it was tried."""

    encoder: str
    codec: str
    is_available: bool
    reason: str = ""
    pixel_formats: tuple[str, ...] = ()


class FormatProbe(msgspec.Struct, frozen=True):
    """One format and its encoders, best first within each codec."""

    format: str
    media_type: str
    file_extension: str
    default_codec: str
    can_carry_alpha: bool
    encoders: tuple[EncoderProbe, ...]


class Probed(msgspec.Struct, frozen=True, tag="probed"):
    """Answer to `Probe`."""

    formats: tuple[FormatProbe, ...]
    library_versions: dict[str, str]
    walls: Walls | None = None
    """Those that the worker stood behind, as any other does; null: none could be asked."""


class Pictured(msgspec.Struct, frozen=True, tag="pictured"):
    """Answer to `DrawPreview`."""

    image: Annotated[bytes, msgspec.Meta(max_length=MAX_PREVIEW_BYTES)]
    width: Count
    height: Count


Event = Ready | Progress | Warned | Logged | Produced | Failed | Probed | Pictured
