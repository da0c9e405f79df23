"""What every way of producing an output offers to the worker, and what it is given."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import msgspec

from encoder_service.evidence.facts import (
    DrawnOverlay,
    EncoderReport,
    ProducedFile,
    QualityReport,
    Readback,
    SoundReport,
)
from encoder_service.spec.audio.track import AudioSpec
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow, find_format
from encoder_service.spec.spec import OutputSpec, VideoSpec


class SourceFrame(msgspec.Struct, frozen=True):
    """One frame as it was sent; `data` keeps its memory alive, so hold no more frames than needed."""

    index: int
    data: memoryview
    """`VideoSpec.frame_bytes` bytes, read-only, laid out as `VideoSpec.pixel_format` says."""


class FrameSource(Protocol):
    """Random access to the frames that have arrived. Safe to use from several threads."""

    def frame(self, index: int) -> SourceFrame:
        """Returns a frame that has arrived; raises IndexError for one that has not."""
        ...


class SampleSource(Protocol):
    """Random access to the sound of a job, once all of it has arrived. For one thread."""

    @property
    def spec(self) -> AudioSpec:
        """What the samples are."""
        ...

    @property
    def samples(self) -> int:
        """How many there are, of all channels at once."""
        ...

    def read(self, start: int, count: int) -> bytes:
        """The bytes of samples as they were sent. Raises IndexError for those that are not there."""
        ...


class DrawingMaterial(msgspec.Struct, frozen=True):
    """What overlays are drawn with."""

    fields: dict[str, str] = {}
    """What the fields of texts stand for, but those that change from frame to frame."""
    pictures: Path = Path()
    """Holds images, each under its SHA-256."""
    font_directories: tuple[Path, ...] = ()
    """Besides the bundled fonts."""
    fallback_font_directories: tuple[Path, ...] = ()
    """Behind those, for what the font that is asked for lacks."""


class WriterContext(msgspec.Struct, frozen=True):
    """Everything a writer may use."""

    video: VideoSpec
    output: OutputSpec
    directory: Path
    """Empty, the attempt's own; final file names go straight into it."""
    threads: int
    """The number of threads that the codec may use; at least 1."""
    source: FrameSource
    """The frames as they were sent, to compare decoded ones with."""
    warn: Callable[[WarningCode, str], None]
    """Records (code, message); with a strict output it raises StrictViolationError instead."""
    log: Callable[[str], None]
    """A line for the job's stage.log."""
    note: Callable[[WarningCode, str], None] = lambda _code, _message: None
    """Records (code, message) for what the caller allowed, such as padding: never raises."""
    material: DrawingMaterial = DrawingMaterial()
    """What the output's overlays are drawn with."""
    drew: Callable[[DrawnOverlay], None] = lambda _overlay: None
    """Is called with each overlay and where it lies."""
    allowed_options: Mapping[str, Sequence[str]] = {}
    """`EncoderConfig.allowed_encoder_options`."""
    sound: SampleSource | None = None
    """None: the output has no sound."""


class Finished(msgspec.Struct, frozen=True):
    """What a writer has made, read back."""

    files: tuple[ProducedFile, ...]
    encoder: EncoderReport
    readback: Readback
    quality: QualityReport | None
    frames_encoded: int
    frames_decoded: int
    mux_seconds: float
    verify_seconds: float
    sound: SoundReport | None = None


class Writer(Protocol):
    """Turns frames into verified files. One attempt, one thread; made by a format's `open`.

    Order: `write` for every frame from 0 on, then `finish` once, then `close`.
    """

    @property
    def bytes_written(self) -> int:
        """Bytes on disk so far, for progress."""
        ...

    def write(self, frame: SourceFrame) -> None:
        """Encodes one frame. Raises OutputError."""
        ...

    def finish(self) -> Finished:
        """Ends the stream, closes the container, reads the artifact back. Raises OutputError."""
        ...

    def close(self) -> None:
        """Releases everything; idempotent; leaves files where they are."""
        ...


def load_writer(row: FormatRow) -> Callable[[WriterContext, FormatRow], Writer]:
    """The `open_writer(context, row)` of the format's module, which is imported now."""
    module = importlib.import_module(f"encoder_service.worker.outputs.{row.writer}")
    return cast(Callable[[WriterContext, FormatRow], Writer], module.open_writer)


def open_writer(context: WriterContext) -> Writer:
    """Opens the writer of the output's format. Raises OutputError."""
    row = find_format(context.output.format)
    codec = context.output.codec or row.default_codec
    if not row.candidates(codec):
        known = ", ".join(row.codecs)
        raise OutputError(
            FailureCode.UNKNOWN_CODEC, f"format {row.name!r} has no codec {codec!r}; expected one of {known}"
        )
    return load_writer(row)(context, row)
