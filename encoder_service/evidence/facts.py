"""What a worker reports of what it made and behind which walls: what manifests are built from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from encoder_service.spec.spec import Rational

# A worker handles strangers' data and may have been taken over: what it says is read within these bounds
# alone. An honest one stays far below them, and messages, records and manifests can carry them.
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Place = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=1 << 31)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Offset = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
Level = Annotated[float, msgspec.Meta(ge=-1000, le=1000)]
"""Decibels."""
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]{0,63}\Z")]
Word = Annotated[str, msgspec.Meta(max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=1 << 16)]
RelativePath = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
MediaType = Annotated[str, msgspec.Meta(pattern=r"^[a-z]+/[a-z0-9.+-]{1,100}\Z")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Named = Annotated[dict[Word, Text], msgspec.Meta(max_length=256)]
MESSAGE_CHARS = 4000
"""The longest text of a worker's message; more is cut before it is sent."""


class SandboxMode(StrEnum):
    """What becomes of an output if a wall cannot be put up."""

    REQUIRED = "required"
    """It fails."""
    AUTO = "auto"
    """It is made behind those that can; the manifest lists the others."""
    OFF = "off"
    """No wall is put up."""


class Wall(StrEnum):
    """What a worker is held to."""

    WRITES = "writes"
    """It writes below its attempt's directory alone."""
    READS = "reads"
    """It reads its job's frames and pictures, fonts and the program alone."""
    NETWORK = "network"
    """It has no sockets of any kind."""
    PROCESSES = "processes"
    """It starts no program and no process."""
    OTHERS = "others"
    """It changes nobody's files or rights, and reaches no other process."""
    BOUNDS = "bounds"
    """Its private memory, its files and its core dumps are bounded."""


class Confinement(msgspec.Struct, frozen=True):
    """How a worker is to be locked in; from the operator."""

    mode: SandboxMode = SandboxMode.AUTO
    read_paths: tuple[str, ...] = ()
    """May be read besides what every worker may read."""
    device_paths: tuple[str, ...] = ()
    """May be opened for reading, writing and ioctl."""
    memory_bytes: int = 0
    """The private memory that a worker may take before it is ended. 0: no bound."""
    file_bytes: int = 0
    """Largest file that it can write. 0: no bound."""


class Walls(msgspec.Struct, frozen=True):
    """Which walls stood around a worker, and which could not be put up."""

    standing: tuple[Wall, ...] = ()
    missing: dict[Wall, str] = {}
    """Each with the reason."""

    def describe_missing(self) -> str:
        """The missing walls with their reasons, for people; empty if all stand."""
        return "; ".join(f"{wall} ({reason})" for wall, reason in self.missing.items())


class ColorTags(msgspec.Struct, frozen=True):
    """Colour tags as FFmpeg names them; "unknown" if one is missing."""

    primaries: Word = "unknown"
    transfer: Word = "unknown"
    matrix: Word = "unknown"
    range: Word = "unknown"


class ProducedFile(msgspec.Struct, frozen=True):
    """A finished file of an output."""

    path: RelativePath
    """Below the job directory, with "/"."""
    size_bytes: Count
    sha256: Sha256
    """Lower-case hex."""
    media_type: MediaType
    is_primary: bool = True
    """False for the single files of a sequence, which are returned as one zip."""


class EncoderReport(msgspec.Struct, frozen=True):
    """What the output was made with."""

    encoder: Word
    """FFmpeg's name, or "libwebp"."""
    codec: Word
    container: Word
    pixel_format: Word
    options: Named
    """Exactly what was handed to the encoder, named quality resolved to numbers."""
    threads: Count
    library_versions: Named


class Readback(msgspec.Struct, frozen=True):
    """What a reader finds in the finished artifact."""

    frame_count: Count
    width: Count
    height: Count
    pixel_format: Word
    duration_seconds: Seconds
    frame_rate: Rational
    color_container: ColorTags
    """Tags as the container states them."""
    color_bitstream: ColorTags | None = None
    """Tags as the codec's own headers state them; None where the codec has none."""
    has_alpha: bool = False
    is_faststart: bool | None = None
    """None where the container does not know it."""
    loop_count: Count | None = None
    """None where the format does not loop."""


class QualityReport(msgspec.Struct, frozen=True):
    """Decoded frames against the frames that were sent, sampled; in 8-bit RGB code values."""

    sampled_frames: Annotated[tuple[Count, ...], msgspec.Meta(max_length=1000)]
    mean_absolute_error: Amount
    max_absolute_error: Count
    psnr_db: Amount | None
    """10 log10(255^2 / MSE) over all samples; None: no difference."""
    ssim: Annotated[float, msgspec.Meta(ge=-2, le=2)]
    """Mean SSIM of the luma (Wang et al. 2004, 8x8 windows)."""


class Loudness(msgspec.Struct, frozen=True):
    """Loudness by ITU-R BS.1770 and EBU R 128."""

    integrated_lufs: Level | None
    """Null: silence, or nothing above the gate of -70 LUFS."""
    range_lu: Amount
    true_peak_dbtp: Level | None
    """Null: silence."""


class SoundReport(msgspec.Struct, frozen=True, kw_only=True):
    """An output's sound: what became of the samples that were sent, and what a reader found of them."""

    codec: Word
    encoder: Word
    """FFmpeg's name."""
    sample_rate: Count
    layout: Word
    sample_format: Word
    """What the encoder was given, by FFmpeg's name."""
    bit_rate: Count
    """Asked of the encoder, in bits per second; 0: it has none."""
    samples_sent: Count
    """Of the track, at the rate of the track."""
    samples_padded: Count
    """Silence that was put behind them, at the rate of the track."""
    samples_trimmed: Count
    """Left out at the end, at the rate of the track."""
    samples_encoded: Count
    """Handed to the encoder, at the rate of the artifact."""
    samples_decoded: Count
    """Found in the artifact: fewer than one frame of the codec more than were encoded."""
    samples_clipped: Count
    """Values that processing took beyond full scale, where they were cut."""
    offset_seconds: Offset
    """From the beginning of the first picture to that of the first sample, in the artifact."""
    drift_seconds: Offset
    """By how much the artifact's times have moved against the number of its samples, at the end."""
    duration_seconds: Seconds
    """Of the decoded sound."""
    is_exact: bool
    """Every value that the encoder was given came back."""
    pcm_sha256: Word
    """Of what came back, interleaved, where it is exact; else empty. That of what was sent where nothing was
    processed, padded or trimmed."""
    gain_db: Level
    """Applied to reach the loudness that was asked for."""
    loudness_sent: Loudness
    loudness: Loudness
    """Of the artifact."""


class DrawnOverlay(msgspec.Struct, frozen=True):
    """An overlay as it was drawn."""

    kind: Word
    """"text" or "image"."""
    left: Place
    """The left edge of its box in the output's picture, on the first frame that shows it, in pixels."""
    top: Place
    width: Place
    height: Place
    first_frame: Count
    end_frame: Count | None
    """The first frame that does not show it any more; null: none."""
    text: Text = ""
    """The text as it stands on the first frame."""
    font: Word = ""
    size_pixels: Amount = 0.0
    """The size of the font."""
    sha256: Word = ""
    """The hash of the image's or the font's file."""


class Resources(msgspec.Struct, frozen=True):
    """What the attempt cost in processor time and memory."""

    cpu_seconds: Seconds
    peak_rss_bytes: Count


class Phases(msgspec.Struct, frozen=True):
    """Wall-clock seconds of each part of the attempt."""

    wait_seconds: Seconds
    """Waiting for frames that had not arrived."""
    encode_seconds: Seconds
    mux_seconds: Seconds
    """Closing and finishing the container."""
    verify_seconds: Seconds


class WarningEntry(msgspec.Struct, frozen=True):
    """Something that was done otherwise than asked, or is worth knowing."""

    code: Code
    """Listed in docs/warnings.md."""
    message: Text


WarningEntries = Annotated[tuple[WarningEntry, ...], msgspec.Meta(max_length=1000)]


class Produced(msgspec.Struct, frozen=True, tag="produced"):
    """The output is finished and verified; its files lie in the assignment's directory."""

    files: Annotated[tuple[ProducedFile, ...], msgspec.Meta(min_length=1)]
    encoder: EncoderReport
    readback: Readback
    quality: QualityReport | None
    """None where no frame could be compared, with a warning that says why."""
    frames_read: Count
    frames_encoded: Count
    frames_decoded: Count
    resources: Resources
    phases: Phases
    warnings: WarningEntries = ()
    overlays: Annotated[tuple[DrawnOverlay, ...], msgspec.Meta(max_length=100)] = ()
    frames_cut: Count = 0
    """Read and left out, because the output has a maximum duration."""
    walls: Walls | None = None
    """Those that the worker stood behind; null: written before there were any."""
    sound: SoundReport | None = None
    """Null: the output has no sound."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The assignment ended without an artifact; the worker is ready for another."""

    code: Code
    """A `FailureCode`, or the `WarningCode` of a fallback that a strict output forbade."""
    message: Text
    is_retryable: bool
    """Another attempt may succeed."""
    resources: Resources | None = None
    warnings: WarningEntries = ()
