"""An animated WebP, which FFmpeg cannot read and Pillow can."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.choices import SourceChoices
from telecine.cli.encode.sources.constant_rate import Timed
from telecine.cli.encode.sources.images import open_image
from telecine.cli.encode.sources.source import Source
from telecine.cli.encode.sources.timing import StatedTimes, Timing, keep_times, replace_times
from telecine.cli.show.failures import SourceError
from telecine.exceptions import InvalidFramesError
from telecine.frames.animation import ignores_profile, pictures_of
from telecine.request.source_warnings import SourceCode, SourceWarnings

_MILLISECOND = Fraction(1, 1000)
_UNSTATED_MILLISECONDS = 100
"""What browsers make of no duration."""
_ADVICE = "check that it plays; or convert it to an animated PNG"


def open_animated_webp(path: Path, choices: SourceChoices) -> Source:
    """Opens an animated WebP; each picture is shown as long as it says. Raises SourceError."""
    image = open_image(path)
    try:
        durations = _durations(image)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise SourceError(f"{path} cannot be read as an animated WebP: {error}", _ADVICE) from error
    warnings = SourceWarnings()
    if ignores_profile(image):
        warnings.add(
            SourceCode.SOURCE_PROFILE_IGNORED,
            "its colour profile is not sRGB; its values are taken as sRGB",
        )
    name, count = str(path), len(durations)
    stated = _stated(durations)
    timing: Timing[npt.NDArray[Any]] = (
        keep_times(name, stated, count)
        if choices.frame_rate is None
        else replace_times(name, choices.frame_rate, stated, count)
    )
    losses = [*warnings.found, *timing.losses]

    def frames() -> Iterator[npt.NDArray[Any]]:
        yield from timing.arrange(_pictures(image, path, stated))
        losses[:] = [*warnings.found, *timing.losses]

    return Source(
        description=f"{path} (animated WebP)",
        width=image.size[0],
        height=image.size[1],
        frames=frames(),
        frame_rate=timing.rate,
        frame_count=timing.frame_count,
        losses=losses,
    )


def _durations(image: Any) -> list[int]:
    durations = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        durations.append(int(image.info.get("duration", 0) or 0))
    return durations


def _stated(durations: list[int]) -> StatedTimes:
    if not any(durations):
        return StatedTimes([], _MILLISECOND)
    shown = [duration or _UNSTATED_MILLISECONDS for duration in durations]
    return StatedTimes([0, *accumulate(shown[:-1])], _MILLISECOND, shown[-1])


def _pictures(image: Any, path: Path, stated: StatedTimes) -> Iterator[Timed[npt.NDArray[Any]]]:
    shown = [tick * _MILLISECOND for tick in stated.ticks]
    try:
        with image:
            for number, picture in enumerate(pictures_of(image, SourceWarnings())):
                yield Timed(np.asarray(picture), shown[number] if shown else None)
    except InvalidFramesError as error:
        raise SourceError(f"{path}: {error.message}", _ADVICE) from error
