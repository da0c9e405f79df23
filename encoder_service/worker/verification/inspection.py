"""Decodes a finished artifact to its end, whatever its format, knowing nothing of how it was made."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import msgspec

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.errors import OutputError
from encoder_service.worker import pillow
from encoder_service.worker.audio.proof import HeardSound, hear
from encoder_service.worker.containers.apng import ApngFrame, ApngHead, read_apng
from encoder_service.worker.containers.gif import GifError, read_gif
from encoder_service.worker.containers.isobmff import read_movie_facts
from encoder_service.worker.containers.png import PngError
from encoder_service.worker.containers.webp import WebpError, read_frames, read_head
from encoder_service.worker.images.png_frame import decode_file, decode_picture
from encoder_service.worker.images.webp_frame import decode_frame
from encoder_service.worker.libav.full_decode import decode_video
from encoder_service.worker.libav.stills import decode_animation


class Inspection(msgspec.Struct, frozen=True):
    """What was found in one artifact."""

    frame_count: int
    width: int
    """0: the file holds no picture itself (a zip)."""
    height: int
    duration_seconds: float | None = None
    """None: not a moving picture."""
    loop_count: int | None = None
    """None: the format does not loop."""
    color: ColorTags | None = None
    """None: the format has no tags, or they were not read."""
    has_alpha: bool | None = None
    """None: not looked for."""
    sound: HeardSound | None = None
    """None: it has none, or the format can hold none."""


class DamagedError(Exception):
    """The file cannot be decoded to its end."""


def inspect(path: Path, file_format: str) -> Inspection:
    """Decodes every frame of a file of an output of `file_format` ("mp4", "webp", "poster" ...).

    Raises DamagedError, OSError.
    """
    reader = READERS.get(path.suffix if file_format in STILLS else file_format, _video)
    try:
        return reader(path)
    except (OutputError, WebpError, PngError, GifError, zipfile.BadZipFile) as error:
        raise DamagedError(str(error)) from error


def _video(path: Path) -> Inspection:
    facts = decode_video(path)
    return Inspection(
        frame_count=facts.frame_count,
        width=facts.width,
        height=facts.height,
        duration_seconds=facts.duration_seconds,
        color=facts.color,
        has_alpha=facts.has_alpha,
        sound=hear(path),
    )


def _sound(path: Path) -> Inspection:
    heard = hear(path)
    if heard is None:
        raise DamagedError(f"{path.name} holds no sound")
    return Inspection(0, 0, 0, heard.content.samples / heard.content.sample_rate, sound=heard)


def _avif(path: Path) -> Inspection:
    found = _video(path)
    return msgspec.structs.replace(found, loop_count=read_movie_facts(path).play_count)


def _webp(path: Path) -> Inspection:
    count, milliseconds = 0, 0
    with path.open("rb") as file:
        head = read_head(file)
        for entry in read_frames(file):
            place = entry.placement
            if decode_frame(entry.still, place.width, place.height).shape[:2] != (place.height, place.width):
                raise WebpError(f"frame {count} has another size than it states")
            milliseconds += place.duration_milliseconds
            count += 1
    return Inspection(count, head.width, head.height, milliseconds / 1000, head.loop_count)


def _gif(path: Path) -> Inspection:
    with path.open("rb") as file:
        facts = read_gif(file)
    count = sum(1 for _ in decode_animation(path, has_alpha=False))
    if count != len(facts.delays_centiseconds):
        raise GifError(f"{len(facts.delays_centiseconds)} frames are stated and {count} were decoded")
    return Inspection(
        count, facts.width, facts.height, sum(facts.delays_centiseconds) / 100, facts.play_count
    )


def _apng(path: Path) -> Inspection:
    count, seconds = 0, Fraction(0)
    with path.open("rb") as file:
        entries = read_apng(file)
        head = next(entries, None)
        if not isinstance(head, ApngHead):
            raise PngError("no animation")
        for entry in entries:
            if isinstance(entry, ApngFrame):
                decode_picture(entry.picture)
                seconds += Fraction(entry.control.delay_numerator, entry.control.delay_denominator)
                count += 1
    if count != head.frame_count:
        raise PngError(f"{head.frame_count} frames are stated and {count} are there")
    return Inspection(count, head.width, head.height, float(seconds), head.loop_count, head.color)


def _png(path: Path) -> Inspection:
    if path.suffix == ".zip":
        return _zip(path)
    pixels = decode_file(path.read_bytes())
    return Inspection(1, pixels.shape[1], pixels.shape[0])


def _zip(path: Path) -> Inspection:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        return Inspection(len(archive.infolist()), 0, 0)


def _jpeg(path: Path) -> Inspection:
    pixels = pillow.decode_still(path.read_bytes())
    return Inspection(1, pixels.shape[1], pixels.shape[0])


STILLS = {"poster", "contact_sheet"}
"""Formats whose files are read by their suffix."""
READERS: dict[str, Callable[[Path], Inspection]] = {
    **dict.fromkeys(("mp4", "webm", "mov", "mkv"), _video),
    **dict.fromkeys(("wav", "flac", "m4a", "opus"), _sound),
    "avif": _avif,
    "webp": _webp,
    "gif": _gif,
    "apng": _apng,
    "png": _png,
    ".png": _png,
    ".jpg": _jpeg,
}
