"""Images that hold several pictures (GIF, WebP, PNG, AVIF, multi-page TIFF), as Pillow opens them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.frames.arrays import Array
from telecine.frames.foreign import has_transparency, image_array, is_image, without_unused_alpha
from telecine.request.orientation import upright
from telecine.request.source_warnings import SourceCode, SourceWarnings

_FORMATS = {"GIF", "WEBP", "PNG", "AVIF", "TIFF", "FLI"}
"""Whose pictures follow each other in time; those of other formats are sizes, layers or previews."""
_OPAQUE = 255


def picture_count(image: object) -> int:
    """How many pictures an image of Pillow's holds that follow each other; 1 for all else."""
    if not is_image(image) or getattr(image, "format", None) not in _FORMATS:
        return 1
    return int(getattr(image, "n_frames", 1) or 1)


@dataclass(frozen=True, slots=True)
class Whole:
    """An image that is the whole clip: all of its pictures are meant."""

    image: Any


def whole(frames: object) -> object:
    """What a caller passes as a complete clip: an animated image stands for all of its pictures.

    After a still one no frame with alpha follows. Pushed bit by bit an animated image is the picture that it
    shows: `ImageSequence` gives the same image again and again.
    """
    return Whole(frames) if is_image(frames) else frames


def pictures_of(image: Any, warnings: SourceWarnings) -> Iterator[Array]:
    """Every picture of an image, in turn, all with the same channels; the image is left at the one it showed.

    Raises InvalidFramesError. What cannot be kept (pauses of different lengths, pages of other sizes) is a
    warning.
    """
    count = picture_count(image)
    if count == 1:
        yield without_unused_alpha(image_array(image))
        return
    shown = image.tell()
    try:
        sizes, durations, has_alpha, modes = _looked_through(image, count)
        if len(sizes) > 1 and image.format == "TIFF":
            warnings.add(
                SourceCode.SOURCE_FRAMES_DROPPED,
                f"an image of {count} pages of different sizes counts as one frame, the page that it shows",
            )
            image.seek(shown)
            yield image_array(image)
            return
        if len(durations) > 1:
            warnings.add(
                SourceCode.SOURCE_TIMING_CHANGED,
                f"an animation shows its {count} pictures for {min(durations):g} to {max(durations):g} ms; "
                "all are shown equally long",
            )
        wanted = None if _are_deep(modes) else "RGBA" if has_alpha else "L" if modes == {"L"} else "RGB"
        for number in range(count):
            image.seek(number)
            yield image_array(image) if wanted is None else np.asarray(upright(image).convert(wanted))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, InvalidFramesError):
            raise
        raise InvalidFramesError(f"an animated image cannot be read: {error}") from error
    finally:
        with suppress(OSError, ValueError, EOFError):
            image.seek(shown)


def _looked_through(image: Any, count: int) -> tuple[set[tuple[int, int]], set[float], bool, set[str]]:
    """The sizes, durations and modes that its pictures have, and whether any pixel is not opaque.

    A GIF says picture by picture whether it has transparency, and a clip has one kind of frames.
    """
    sizes, durations, modes, has_alpha = set(), set(), set(), False
    for number in range(count):
        image.seek(number)
        image.load()
        sizes.add(image.size)
        modes.add(image.mode)
        durations.add(float(image.info.get("duration", 0) or 0))
        if not has_alpha and (has_transparency(image) or image.mode in {"La", "RGBa"}):
            has_alpha = bool((image_array(image)[..., -1] < _OPAQUE).any())
    return sizes, durations, has_alpha, modes


def _are_deep(modes: set[str]) -> bool:
    return any(mode.startswith(("I", "F")) for mode in modes)


class StillsSeen:
    """Notices animations that came as one frame among others, such as in a list of files.

    `ImageSequence` gives the same image again and again, moved on: that loses nothing.
    """

    def __init__(self, warnings: SourceWarnings) -> None:
        self._warnings = warnings
        self._image: object = None
        self._times = 0

    def see(self, item: object) -> None:
        """Takes the next frame of a list or generator; None: that was the last. Raises InvalidFramesError."""
        if item is self._image:
            self._times += 1
            return
        before, times = self._image, self._times
        self._image, self._times = (item, 1) if picture_count(item) > 1 else (None, 0)
        if times == 1:
            self._warnings.add(
                SourceCode.SOURCE_FRAMES_DROPPED,
                f"an animated image of {picture_count(before)} pictures is one of several frames: it counts "
                "as the one picture that it shows; encode it by itself to have them all",
            )


def ignores_profile(image: Any) -> bool:
    """Whether it has a colour profile that is not sRGB, which its samples do not say."""
    profile = image.info.get("icc_profile") if is_image(image) else None
    if not isinstance(profile, bytes) or not profile:
        return False
    return b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile
