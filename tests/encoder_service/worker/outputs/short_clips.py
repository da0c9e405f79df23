"""Writes clips of one to four frames in every format and codec; prints hashes and the packets' times.

A program, so that a test can set MALLOC_PERTURB_: the C library then fills memory that a codec has not
initialised. `python -m tests.encoder_service.worker.outputs.short_clips`.
"""

from __future__ import annotations

import hashlib
import tempfile
from fractions import Fraction
from pathlib import Path

from encoder_service.spec.formats import FORMATS, WriterKind
from encoder_service.spec.spec import BT709
from encoder_service.worker.libav.encoding import ContainerSettings, EncoderSettings, VideoFileEncoder
from encoder_service.worker.libav.pictures import PictureFormat
from encoder_service.worker.libav.stills import blank_picture
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer

LENGTHS = (1, 2, 3, 4)


VIDEO_ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1")


def packets(encoder: str, frames: int) -> str:
    """Which frame each packet shows, and when it is decoded."""
    layout = PictureFormat("yuv420p", 64, 64, BT709)
    settings = EncoderSettings(encoder, layout, Fraction(24), {}, 1)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "clip.mkv"
        file = VideoFileEncoder(path, ContainerSettings("matroska", {}), settings)
        made = [packet for frame in range(frames) for packet in file.encode(blank_picture(layout), frame)]
        made += file.flush()
        file.close()
    return " ".join(f"{packet.frame}:{packet.decode_order}" for packet in made)


def main() -> None:
    for encoder in VIDEO_ENCODERS:
        for frames in LENGTHS:
            print("packets", packets(encoder, frames))
    for row in (row for row in FORMATS.values() if row.writer is not WriterKind.SOUND):
        for codec in row.codecs:
            for frames in LENGTHS:
                with tempfile.TemporaryDirectory() as place:
                    clip = gradient_clip(frames, 34, 66)
                    run = run_writer(Path(place), clip, format=row.name, codec=codec, quality="draft")
                    made = hashlib.sha256(run.path.read_bytes()).hexdigest()
                    print("file", row.name, codec, frames, run.finished.frames_encoded, made)


if __name__ == "__main__":
    main()
