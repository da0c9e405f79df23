"""Finds out what SOURCE is and opens it."""

from __future__ import annotations

import sys
from pathlib import Path

from telecine.cli.encode.sources.arrays import open_arrays
from telecine.cli.encode.sources.images import names_images, open_images
from telecine.cli.encode.sources.raw import open_raw
from telecine.cli.encode.sources.source import Source
from telecine.cli.show.failures import SourceError
from telecine.request.frame_layout import FrameLayout

STANDARD_INPUT = "-"


def open_source(text: str, raw_layout: FrameLayout | None = None, *, allows_damage: bool = False) -> Source:
    """Opens a video file, a folder or glob of images, an .npy/.npz, or `-`. Raises SourceError.

    `allows_damage` takes what can be read of a damaged video file.
    """
    if text == STANDARD_INPUT:
        if raw_layout is None:
            raise SourceError(
                "raw frames say nothing about themselves",
                "add --size WIDTHxHEIGHT and --pix-fmt, such as rgb24",
            )
        return open_raw(sys.stdin.buffer, raw_layout)
    if raw_layout is not None:
        raise SourceError(
            "--size and --pix-fmt are for raw frames from standard input",
            'leave them out, or give "-" as SOURCE',
        )
    path = Path(text)
    if path.suffix.lower() in {".npy", ".npz"} and path.is_file():
        return open_arrays(path)
    if names_images(text):
        return open_images(text)
    if not path.is_file():
        raise SourceError(f"{text} does not exist", "check the path; a glob of images needs quotes")
    from telecine.cli.encode.sources.video import open_video_file

    return open_video_file(path, allows_damage=allows_damage)
