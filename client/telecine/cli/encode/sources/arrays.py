"""Frames in a NumPy file: `.npy`, or one array of an `.npz`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.source import Source, size_of
from telecine.cli.show.failures import SourceError

_USUAL_KEYS = ("frames", "video", "arr_0")
_SHAPES = "(T, H, W), (T, H, W, C) with C 1, 3 or 4, or one frame (H, W, 3 or 4)"


def open_arrays(path: Path) -> Source:
    """Opens an array of frames; an `.npy` is mapped, not read. Raises SourceError."""
    clip = _as_clip(_read(path), path)
    width, height = size_of(clip[0])
    return Source(
        description=f"{path} ({clip.shape[0]} frames of {clip.dtype})",
        width=width,
        height=height,
        frames=_each(clip),
        frame_count=int(clip.shape[0]),
        frame_bytes=int(clip[0].size) * (2 if clip.dtype == np.uint16 else 1),
    )


def _each(clip: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    yield from clip


def _read(path: Path) -> npt.NDArray[Any]:
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        # NumPy leaves a file that it opened itself open where it is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return np.asarray(archive[_choose(archive.files, path)])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(
            f"{path} cannot be read as a NumPy file: {error}", "save it again with numpy.save"
        ) from error


def _choose(names: list[str], path: Path) -> str:
    if len(names) == 1:
        return names[0]
    for name in _USUAL_KEYS:
        if name in names:
            return name
    raise SourceError(
        f"{path} holds several arrays: {', '.join(names)}",
        'save the frames under the name "frames" or in an .npy',
    )


def _as_clip(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    is_one_color_frame = array.ndim == 3 and array.shape[2] in {3, 4} and array.shape[0] > 4
    clip = array[np.newaxis] if is_one_color_frame else array
    has_channels = clip.ndim == 4 and clip.shape[3] in {1, 3, 4}
    if clip.ndim != 3 and not has_channels:
        raise SourceError(
            f"{path} has shape {array.shape}; expected {_SHAPES}", "transpose the array before saving it"
        )
    if clip.size == 0:
        raise SourceError(f"{path} holds no frame: its shape is {array.shape}", f"expected {_SHAPES}")
    return clip[..., 0] if has_channels and clip.shape[3] == 1 else clip
