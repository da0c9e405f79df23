"""Runs a writer over raw frames of any pixel format, for the tests of the video streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from encoder_service.spec.errors import StrictViolationError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.spec import BT709, SRGB, Color, OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker.process.capabilities import MemorySource
from encoder_service.worker.writer import Finished, WriterContext, load_writer, open_writer

FILM = Rational(24)
NTSC = Rational(24000, 1001)


@dataclass
class StreamRun:
    """One run of a writer."""

    finished: Finished
    path: Path
    warnings: list[str] = field(default_factory=list)
    """Codes, of notes too."""
    logged: list[str] = field(default_factory=list)


def spec_of(
    width: int,
    height: int,
    pixel_format: PixelFormat = PixelFormat.RGB24,
    *,
    frame_rate: Rational = FILM,
    color: Color | None = None,
    **fields: Any,
) -> VideoSpec:
    """A track whose colour, when none is named, is the one that `wire` takes for the pixel format."""
    is_yuv = not pixel_format.is_rgb and not pixel_format.value.startswith("gray")
    return VideoSpec(width, height, pixel_format, frame_rate, color or (BT709 if is_yuv else SRGB), **fields)


def run_stream(
    directory: Path,
    video: VideoSpec,
    frames: npt.NDArray[Any],
    *,
    threads: int = 2,
    row: FormatRow | None = None,
    **output: Any,
) -> StreamRun:
    """Writes frames, whose first axis counts them, with the writer of `output["format"]` or of `row`."""
    spec = OutputSpec(**({"name": "clip"} | output))
    run_warnings: list[str] = []
    logged: list[str] = []

    def warn(code: str, message: str) -> None:
        if spec.strict:
            raise StrictViolationError(code, message)
        run_warnings.append(code)

    source = MemorySource(np.ascontiguousarray(frame).tobytes() for frame in frames)
    context = WriterContext(
        video=video,
        output=spec,
        directory=directory,
        threads=threads,
        source=source,
        warn=warn,
        log=logged.append,
        note=lambda code, _message: run_warnings.append(code),
    )
    writer = load_writer(row)(context, row) if row else open_writer(context)
    try:
        for index in range(len(source)):
            writer.write(source.frame(index))
        finished = writer.finish()
    finally:
        writer.close()
    return StreamRun(finished, directory / finished.files[0].path, run_warnings, logged)
