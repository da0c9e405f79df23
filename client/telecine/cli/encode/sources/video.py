"""A video file, decoded by the encoder service's FFmpeg (the optional part `telecine[encoder]`)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.choices import AS_PLAYERS_DO, SourceChoices
from telecine.cli.encode.sources.constant_rate import Timed
from telecine.cli.encode.sources.sound import ClipSound, open_sound
from telecine.cli.encode.sources.source import Source
from telecine.cli.encode.sources.timing import StatedTimes, Timing, keep_times, replace_times
from telecine.cli.show.failures import SourceError
from telecine.installation import install_command
from telecine.request.frame_layout import FrameLayout
from telecine.request.options import Color, PixelFormat
from telecine.request.source_warnings import SourceCode, SourceWarning

if TYPE_CHECKING:
    from encoder_service.spec.spec import Color as SourceColor
    from encoder_service.worker.libav.video_file import VideoFile
    from encoder_service.worker.libav.video_losses import SourceLoss

_ADVICE = "check that it plays, or convert it first; images, .npy and raw frames are taken too"
_DAMAGE_ADVICE = "take a whole copy of it, or add --allow-damaged to encode what can be read"


def open_video_file(path: Path, choices: SourceChoices = AS_PLAYERS_DO) -> Source:
    """Opens a video file; its own pixel format, colour, times and sound are kept. Raises SourceError.

    A damaged file is such an error unless that is allowed; then `Source.damage` says what was found.
    """
    damage: list[str] = []
    video = _opened(path, choices, damage)
    timing = _timing(path, video, choices.frame_rate)
    sound = _sound(path, timing, choices)
    # Sound that is taken is not lost, nor what the caller left out or replaced.
    has_lost_sound = sound is None and choices.has_sound and choices.sound_file is None

    def all_losses() -> list[SourceWarning]:
        found = [*map(_warning, video.losses), *timing.losses]
        return [loss for loss in found if has_lost_sound or loss.code is not SourceCode.SOURCE_SOUND_DROPPED]

    losses = all_losses()

    def frames() -> Iterator[bytes]:
        from encoder_service.spec.errors import OutputError

        try:
            yield from timing.arrange(Timed(each.data, each.seconds) for each in video.pictures)
        except OutputError as error:
            raise _unreadable(error) from error
        losses[:] = all_losses()

    layout = FrameLayout(video.width, video.height, PixelFormat(video.pixel_format.value))
    return Source(
        description=f"{path} ({_remarks(video)})",
        width=video.width,
        height=video.height,
        frames=frames(),
        frame_rate=timing.rate,
        frame_count=timing.frame_count,
        frame_bytes=layout.frame_bytes,
        pixel_format=layout.pixel_format,
        color=_color(video.color),
        damage=damage,
        losses=losses,
        sound=sound,
    )


def _opened(path: Path, choices: SourceChoices, damage: list[str]) -> VideoFile:
    try:
        from encoder_service.spec.errors import OutputError
        from encoder_service.worker.libav.sources.reading import Reading
        from encoder_service.worker.libav.video_file import open_video
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{path}: reading a video file needs FFmpeg, which is not installed ({error.name})",
            f"install it with: {install_command('encoder')}, or pipe raw frames in",
        ) from error
    reading = Reading(
        is_turned_upright=choices.is_turned_upright,
        has_square_pixels=choices.has_square_pixels,
        is_deinterlaced=choices.is_deinterlaced,
    )
    try:
        return open_video(path, damage.append if choices.allows_damage else None, reading)
    except OutputError as error:
        raise _unreadable(error) from error


def _sound(path: Path, timing: Timing[bytes], choices: SourceChoices) -> ClipSound | None:
    if not choices.has_sound or choices.sound_file is not None:
        return None
    return open_sound(path, lambda: timing.begins_at, allows_damage=choices.allows_damage)


def _timing(path: Path, video: VideoFile, rate: Fraction | None) -> Timing[bytes]:
    times = video.times
    stated = StatedTimes(times.ticks, times.tick_seconds, times.last_ticks, video.stated_rates)
    if rate is None:
        return keep_times(str(path), stated, video.frame_count)
    return replace_times(str(path), rate, stated, video.frame_count)


def _remarks(video: VideoFile) -> str:
    untagged = "" if video.is_color_tagged else f"untagged: taken as {video.coded_matrix}"
    aspect = video.pixel_aspect
    square = "" if aspect == 1 else f"pixels of {aspect.numerator}:{aspect.denominator} made square"
    parts = (video.coded_pixel_format, untagged, video.orientation.describe(), square)
    return ", ".join(filter(None, parts))


def _color(color: SourceColor) -> Color:
    return Color(
        primaries=color.primaries.value,
        transfer=color.transfer.value,
        matrix=color.matrix.value,
        range=color.range.value,
    )


def _warning(loss: SourceLoss) -> SourceWarning:
    return SourceWarning(SourceCode(loss.code.value), loss.message)


def _unreadable(error: Exception) -> SourceError:
    return SourceError(str(error), _DAMAGE_ADVICE if " is damaged: " in str(error) else _ADVICE)


def read_picture(path: Path) -> npt.NDArray[Any]:
    """Reads one picture of 16 bits a sample: uint16 of shape (H, W), (H, W, 3) or (H, W, 4)."""
    source = open_video_file(path, SourceChoices(has_square_pixels=False, has_sound=False))
    array: npt.NDArray[Any] = np.frombuffer(b"".join(map(bytes, source.frames)), dtype="<u2")
    shape = (source.height, source.width)
    return array.reshape(shape if array.size == source.width * source.height else (*shape, -1))
