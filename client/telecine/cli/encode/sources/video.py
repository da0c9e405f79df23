"""A video file, decoded by the encoder service's FFmpeg (the optional part `telecine[encoder]`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.source import Source
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


def open_video_file(path: Path, *, allows_damage: bool = False) -> Source:
    """Opens a video file; its own pixel format, colour and frame rate are kept. Raises SourceError.

    A damaged file is such an error unless that is allowed; then `Source.damage` says what was found.
    """
    try:
        from encoder_service.spec.errors import OutputError
        from encoder_service.worker.libav.video_file import open_video
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{path}: reading a video file needs FFmpeg, which is not installed ({error.name})",
            f"install it with: {install_command('encoder')}, or pipe raw frames in",
        ) from error
    damage: list[str] = []
    try:
        video = open_video(path, damage.append if allows_damage else None)
    except OutputError as error:
        raise _unreadable(error) from error

    losses = [_warning(loss) for loss in video.losses]

    def frames() -> Iterator[bytes]:
        try:
            yield from video.frames
        except OutputError as error:
            raise _unreadable(error) from error
        losses[:] = [_warning(loss) for loss in video.losses]

    layout = FrameLayout(video.width, video.height, PixelFormat(video.pixel_format.value))
    return Source(
        description=f"{path} ({_remarks(video)})",
        width=video.width,
        height=video.height,
        frames=frames(),
        frame_rate=video.frame_rate,
        frame_count=video.frame_count,
        frame_bytes=layout.frame_bytes,
        pixel_format=layout.pixel_format,
        color=_color(video.color),
        damage=damage,
        losses=losses,
    )


def _remarks(video: VideoFile) -> str:
    untagged = "" if video.is_color_tagged else f"untagged: taken as {video.coded_matrix}"
    return ", ".join(filter(None, (video.coded_pixel_format, untagged, video.orientation.describe())))


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
    source = open_video_file(path)
    array: npt.NDArray[Any] = np.frombuffer(b"".join(map(bytes, source.frames)), dtype="<u2")
    shape = (source.height, source.width)
    return array.reshape(shape if array.size == source.width * source.height else (*shape, -1))
