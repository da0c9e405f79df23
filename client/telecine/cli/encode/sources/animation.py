"""An animated WebP, which FFmpeg cannot read and Pillow can."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.images import open_image
from telecine.cli.encode.sources.source import Source
from telecine.cli.show.failures import SourceError
from telecine.exceptions import InvalidFramesError
from telecine.frames.animation import ignores_profile, pictures_of
from telecine.request.source_warnings import SourceCode, SourceWarnings

_MILLISECONDS = 1000
_ADVICE = "check that it plays; or convert it to an animated PNG"


def open_animated_webp(path: Path) -> Source:
    """Opens an animated WebP; its pictures are shown at its own average rate. Raises SourceError."""
    image = open_image(path)
    try:
        count, durations = _timing(image)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise SourceError(f"{path} cannot be read as an animated WebP: {error}", _ADVICE) from error
    warnings = SourceWarnings()
    if ignores_profile(image):
        warnings.add(
            SourceCode.SOURCE_PROFILE_IGNORED,
            "its colour profile is not sRGB; its values are taken as sRGB",
        )
    if len(set(durations)) > 1:
        warnings.add(
            SourceCode.SOURCE_TIMING_CHANGED,
            f"its pictures are shown for {min(durations)} to {max(durations)} ms; all are shown equally long",
        )
    total = sum(durations)
    return Source(
        description=f"{path} (animated WebP)",
        width=image.size[0],
        height=image.size[1],
        frames=_frames(image, path),
        frame_rate=Fraction(count * _MILLISECONDS, total) if total else None,
        frame_count=count,
        losses=list(warnings.found),
    )


def _timing(image: Any) -> tuple[int, list[int]]:
    durations = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        durations.append(int(image.info.get("duration", 0) or 0))
    return len(durations), durations


def _frames(image: Any, path: Path) -> Iterator[npt.NDArray[Any]]:
    try:
        with image:
            yield from (np.asarray(picture) for picture in pictures_of(image, SourceWarnings()))
    except InvalidFramesError as error:
        raise SourceError(f"{path}: {error.message}", _ADVICE) from error
