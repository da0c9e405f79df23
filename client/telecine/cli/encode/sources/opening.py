"""Finds out what SOURCE is and opens it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from telecine.cli.encode.sources.arrays import open_arrays
from telecine.cli.encode.sources.choices import AS_PLAYERS_DO, SourceChoices
from telecine.cli.encode.sources.images import IMAGE_SUFFIXES, names_several, open_images
from telecine.cli.encode.sources.kinds import FileKind, kind_of
from telecine.cli.encode.sources.pipe import copied, is_pipe, open_pipe
from telecine.cli.encode.sources.raw import open_raw
from telecine.cli.encode.sources.sound import open_sound_file
from telecine.cli.encode.sources.source import Source
from telecine.cli.show.failures import SourceError
from telecine.request.frame_layout import FrameLayout

STANDARD_INPUT = "-"


def open_source(
    text: str | Sequence[str],
    raw_layout: FrameLayout | None = None,
    choices: SourceChoices = AS_PLAYERS_DO,
) -> Source:
    """Opens a video file, a folder, glob or list of images, an .npy/.npz, a pipe, or `-`. Raises SourceError.

    Args:
        text: What the caller named.
        raw_layout: How frames lie in a pipe; None: it is not a pipe of raw frames.
        choices: What is wanted of a clip that has times, an orientation, a pixel shape or sound of its own.
    """
    source = _open_pictures(text, raw_layout, choices)
    if choices.sound_file is None:
        return source
    return replace(source, sound=open_sound_file(choices.sound_file, allows_damage=choices.allows_damage))


def _open_pictures(
    text: str | Sequence[str], raw_layout: FrameLayout | None, choices: SourceChoices
) -> Source:
    if not isinstance(text, str):
        if len(text) > 1:
            return _open_several(text, raw_layout)
        text = text[0]
    path = Path(text)
    if raw_layout is not None:
        return _open_raw(text, path, raw_layout)
    if text == STANDARD_INPUT:
        raise SourceError(
            "raw frames say nothing about themselves",
            "add --size WIDTHxHEIGHT and --pix-fmt, such as rgb24; a file: telecine encode /dev/stdin",
        )
    try:
        if is_pipe(path):
            return _open_pipe(path, choices)
        if names_several(text):
            return open_images(text)
        if not path.exists():
            raise SourceError(f"{text} does not exist", "check the path; a glob of images needs quotes")
        if not path.is_file():
            raise SourceError(f"{text} is no file, folder or pipe", "name one of these")
        return _open_file(path, choices)
    except (OSError, ValueError) as error:
        raise SourceError(f"{text} cannot be read: {error}", "check the path and its permissions") from error


def _open_file(path: Path, choices: SourceChoices) -> Source:
    kind = kind_of(path)
    if kind is FileKind.ARRAYS:
        return open_arrays(path)
    if kind is FileKind.STILL:
        return open_images(str(path))
    if kind is FileKind.ANIMATED_WEBP:
        from telecine.cli.encode.sources.animation import open_animated_webp

        return open_animated_webp(path, choices)
    from telecine.cli.encode.sources.video import open_video_file

    return open_video_file(path, choices)


def _open_several(texts: Sequence[str], raw_layout: FrameLayout | None) -> Source:
    """What a shell makes of a glob without quotes: images, in their order."""
    if raw_layout is not None or any(Path(text).suffix.lower() not in IMAGE_SUFFIXES for text in texts):
        raise SourceError(
            f"there are {len(texts)} sources: {texts[0]}, {texts[1]} ...",
            "name one, and each format behind an -o; several are taken only where all are images of one clip",
        )
    return open_images(texts)


def _open_raw(text: str, path: Path, layout: FrameLayout) -> Source:
    if text == STANDARD_INPUT:
        return open_raw(sys.stdin.buffer, layout, "standard input")
    if is_pipe(path):
        with ExitStack() as stack:
            source = open_raw(stack.enter_context(open_pipe(path)), layout, text)
            kept = stack.pop_all()
        return replace(source, frames=_released(source.frames, kept))
    raise SourceError(
        "--size and --pix-fmt are for raw frames from standard input or a pipe",
        'leave them out, or give "-" as SOURCE',
    )


def _open_pipe(path: Path, choices: SourceChoices) -> Source:
    with ExitStack() as stack:
        file = stack.enter_context(copied(path))
        opened = _open_file(file, choices)
        kept = stack.pop_all()
    return replace(
        opened,
        description=opened.description.replace(str(file), str(path)),
        frames=_released(opened.frames, kept),
    )


def _released(frames: Iterator[Any], kept: ExitStack) -> Iterator[Any]:
    with kept:
        yield from frames
