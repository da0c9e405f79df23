"""A folder or a glob of images, in the order a person would number them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.source import Source, size_of
from telecine.cli.show.failures import SourceError
from telecine.frames.animation import ignores_profile, picture_count
from telecine.frames.foreign import image_array, in_channels, without_unused_alpha
from telecine.request.orientation import upright
from telecine.request.source_warnings import SourceCode, SourceWarning

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif"}
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
"""Pillow's names of the same; what else it knows may start programs (EPS), whatever a file is called."""
_GLOB_CHARACTERS = set("*?[")
_GRAY_AXES = 2
_PNG_BIT_DEPTH_AT = 24
"""Offset of the bit depth in a PNG file: signature, length and type of IHDR, width, height."""


def names_several(text: str) -> bool:
    """Says whether SOURCE is a glob or a folder."""
    path = Path(text)
    return path.is_dir() or (bool(_GLOB_CHARACTERS & set(text)) and not path.exists())


def open_images(source: str | Sequence[str]) -> Source:
    """Opens a folder, a glob, a list of images or one image; reads only the first now. Raises SourceError."""
    paths = _find(source) if isinstance(source, str) else sorted(map(Path, source), key=natural_order)
    losses = Losses()
    first = _load(paths[0], losses)
    if len(paths) == 1:  # of several only the first is known now, and all must be of one kind
        first = without_unused_alpha(first)
    if first.ndim == _GRAY_AXES and any(map(_has_color, paths[1:])):
        first = in_channels(first, 3)
    width, height = size_of(first)
    where = source if isinstance(source, str) else f"{paths[0]} ... {paths[-1]}"
    return Source(
        description=f"{len(paths)} image{'s' if len(paths) != 1 else ''} of {where}",
        width=width,
        height=height,
        frames=_arrays(paths, first, losses),
        frame_count=len(paths),
        frame_bytes=first.size * (2 if first.dtype == np.uint16 else 1),
        losses=losses.found,
    )


class Losses:
    """What the images do not give to the clip, each kind once, with the first image that shows it."""

    def __init__(self) -> None:
        self.found: list[SourceWarning] = []

    def look_at(self, image: Any, path: Path) -> None:
        """Notes what is not taken of an image."""
        if (count := picture_count(image)) > 1:
            self._add(
                SourceCode.SOURCE_FRAMES_DROPPED,
                f"{path.name} holds {count} pictures, of which the first is taken; by itself it is a clip",
            )
        if ignores_profile(image):
            self._add(
                SourceCode.SOURCE_PROFILE_IGNORED,
                f"the colour profile of {path.name} is not sRGB; its values are taken as sRGB",
            )

    def _add(self, code: SourceCode, message: str) -> None:
        if all(warning.code is not code for warning in self.found):
            self.found.append(SourceWarning(code, message))


def natural_order(path: Path) -> tuple[tuple[int, str], ...]:
    """A sorting key under which frame_2 comes before frame_10."""
    pieces = re.split(r"([0-9]+)", path.name)
    numbered = ((int(piece), "") if number % 2 else (-1, piece) for number, piece in enumerate(pieces))
    return (*numbered, (-1, str(path)))


def _find(text: str) -> Sequence[Path]:
    path = Path(text)
    if path.is_file():
        return [path]
    candidates = path.iterdir() if path.is_dir() else _glob(path)
    found = sorted((each for each in candidates if _is_image(each)), key=natural_order)
    if not found:
        raise SourceError(
            f"{text} names no images",
            f"expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}; quote a glob",
        )
    return found


def _is_image(path: Path) -> bool:
    # What macOS leaves beside each file on foreign disks ("._frame1.jpg") bears the name of an image.
    return not path.name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _glob(pattern: Path) -> Iterator[Path]:
    root = Path(pattern.anchor)
    return root.glob(str(pattern.relative_to(root)))


def _arrays(paths: Sequence[Path], first: npt.NDArray[Any], losses: Losses) -> Iterator[npt.NDArray[Any]]:
    yield first
    for path in paths[1:]:
        array = _load(path, losses)
        if array.dtype == first.dtype and first.ndim != _GRAY_AXES:
            # Programs save without colour, or without alpha, what has none.
            array = in_channels(array, first.shape[2])
        if array.shape != first.shape or array.dtype != first.dtype:
            raise SourceError(
                f"{path} is {_kind(array)}, but {paths[0].name} is {_kind(first)}",
                "all images of a clip need one size and kind; convert the odd ones",
            )
        yield array


def _has_color(path: Path) -> bool:
    """Whether an image is no gray one, as its head says."""
    with open_image(path) as image:
        return bool(image.mode[0] not in "LIF" or image.mode == "LAB" or image.has_transparency_data)


def _kind(array: npt.NDArray[Any]) -> str:
    width, height = size_of(array)
    channels = array.shape[2] if array.ndim == 3 else 1
    return f"{width}x{height} with {channels} x {array.dtype.itemsize * 8} bits a pixel"


def open_image(path: Path) -> Any:
    """Opens an image of a kind that is taken; the caller closes it. Raises SourceError."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise SourceError(
            f"{path} is none of {', '.join(_FORMATS)}, or damaged", "replace or remove this file"
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def _load(path: Path, losses: Losses) -> npt.NDArray[Any]:
    if _has_16_bits(path):
        return _load_deep(path)
    with open_image(path) as opened:
        try:
            losses.look_at(opened, path)
            image = upright(opened)
            if image.mode.startswith("I;16"):
                return np.asarray(image, dtype=np.uint16)
            if image.mode in {"I", "F"}:  # as RGB nearly all of it would be clipped to white
                return image_array(image)
            has_alpha = image.has_transparency_data
            if image.mode != "L" or has_alpha:
                image = image.convert("RGBA" if has_alpha else "RGB")
            return np.asarray(image)
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path} cannot be read as an image: {error}", "replace or remove this file")


def _has_16_bits(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_PNG_BIT_DEPTH_AT + 1)
    return head.startswith(b"\x89PNG") and len(head) > _PNG_BIT_DEPTH_AT and head[_PNG_BIT_DEPTH_AT] == 16


def _load_deep(path: Path) -> npt.NDArray[Any]:
    """A 16-bit PNG, which Pillow would cut to 8 bits; FFmpeg does not."""
    from telecine.cli.encode.sources.video import read_picture

    return read_picture(path)
