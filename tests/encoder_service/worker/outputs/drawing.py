"""Draws small clips and runs a writer over them, for the tests of the image outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from encoder_service.evidence.facts import DrawnOverlay
from encoder_service.spec.errors import StrictViolationError
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker.writer import (
    DrawingMaterial,
    Finished,
    FrameSource,
    SourceFrame,
    WriterContext,
    open_writer,
)

FILM = Rational(24)

Clip = npt.NDArray[Any]
"""Shape (frames, rows, columns) or (frames, rows, columns, channels)."""


def gradient_clip(
    frames: int, rows: int = 32, columns: int = 48, channels: int = 3, deep: bool = False
) -> Clip:
    """A smooth picture that moves, with a frame counter in its first pixels."""
    t, y, x = np.mgrid[0:frames, 0:rows, 0:columns]
    planes = [(x * 5 + t * 3) % 256, (y * 7 + t * 5) % 256, (x + y + t * 11) % 256, (x * 4 + t * 9) % 256]
    clip = np.stack(planes[:channels], axis=-1).astype(np.uint8)
    return clip.astype("<u2") * 257 if deep else clip


def still_clip(frames: int, rows: int = 32, columns: int = 48) -> Clip:
    """A picture of which only a small square moves."""
    clip = np.repeat(gradient_clip(1, rows, columns), frames, axis=0)
    for index in range(frames):
        clip[index, 8:16, 2 * index % (columns - 8) :][:, :8] = 255 - 9 * index % 200
    return clip


@dataclass
class Run:
    """One run of a writer."""

    finished: Finished
    directory: Path
    context: WriterContext
    warnings: list[tuple[str, str]] = field(default_factory=list)
    drawn: list[DrawnOverlay] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The primary file."""
        return self.directory / next(file.path for file in self.finished.files if file.is_primary)


class _Memory:
    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def frame(self, index: int) -> SourceFrame:
        if not 0 <= index < len(self._clip):
            raise IndexError(index)
        return SourceFrame(index, memoryview(np.ascontiguousarray(self._clip[index]).tobytes()))


def run_writer(
    directory: Path,
    clip: Clip,
    source_format: PixelFormat = PixelFormat.RGB24,
    frame_rate: Rational = FILM,
    video: dict[str, Any] | None = None,
    threads: int = 2,
    material: DrawingMaterial | None = None,
    source: FrameSource | None = None,
    **output: Any,
) -> Run:
    """Writes a clip with the writer of `output["format"]`; warnings are collected as a worker does.

    `source` gives the frames instead of the clip, which then says how many there are, and their size.
    """
    spec = OutputSpec(**({"name": "clip"} | output))
    warnings: list[tuple[str, str]] = []
    drawn: list[DrawnOverlay] = []

    def warn(code: str, message: str) -> None:
        if spec.strict:
            raise StrictViolationError(code, message)
        warnings.append((code, message))

    source = source or _Memory(clip)
    fields = {
        "width": clip.shape[2],
        "height": clip.shape[1],
        "pixel_format": source_format,
        "frame_rate": frame_rate,
    }
    directory.mkdir(exist_ok=True)
    context = WriterContext(
        video=VideoSpec(**(fields | (video or {}))),
        output=spec,
        directory=directory,
        threads=threads,
        source=source,
        warn=warn,
        log=lambda _line: None,
        note=lambda code, message: warnings.append((code, message)),
        material=material or DrawingMaterial(),
        drew=drawn.append,
    )
    writer = open_writer(context)
    try:
        for index in range(len(clip)):
            writer.write(source.frame(index))
        finished = writer.finish()
    finally:
        writer.close()
    return Run(finished, directory, context, warnings, drawn)
