"""Reads any file that FFmpeg can decode as raw frames, for the command line, the demo and the tests.

A file's own pixel format is kept where the contract knows it; any other becomes the nearest one that
loses nothing (8-bit YUV: yuv444p) or RGB of the same depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import av.error
import msgspec
import numpy as np
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import (
    SRGB,
    Color,
    ColorMatrix,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    PixelFormat,
)
from encoder_service.worker.color import tags_from_codes
from encoder_service.worker.libav.decoding import moving_streams
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.file_ends import missing_end
from encoder_service.worker.libav.opening import open_input
from encoder_service.worker.libav.orientation import Orientation, orientation_of
from encoder_service.worker.libav.pictures import Converter, Picture, PictureFormat, describe, planes_of
from encoder_service.worker.libav.video_losses import SourceLoss, Timing, is_cover, losses_at_opening

_UNREADABLE = FailureCode.SOURCE_UNREADABLE
_INDEXED_CONTAINER = "mov,mp4,m4a,3gp,3g2,mj2"
"""Its index names each packet that there is to read, whatever edit lists leave out."""
_ANIMATIONS = {"gif", "apng"}
"""Containers that say how long the last picture is shown."""
_WITHOUT_ALPHA = {PixelFormat.RGBA: PixelFormat.RGB24, PixelFormat.RGBA64LE: PixelFormat.RGB48LE}
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_FULL_RANGE_TWINS = {"yuvj420p": "yuv420p", "yuvj444p": "yuv444p"}
_MAX_RATE_DENOMINATOR = 1_000_000
"""An average may have any; the nearest of these is off by less than a second in ten thousand years."""
_HD_HEIGHT = 720
"""From here on an untagged file is taken as BT.709, below as SMPTE 170M, as players do."""


class VideoFile(msgspec.Struct, frozen=True):
    """What a video file holds. `frames` reads it from its beginning, once."""

    width: int
    height: int
    pixel_format: PixelFormat
    """The pixel format of what `frames` yields."""
    coded_pixel_format: str
    """The pixel format of the file, by FFmpeg's name."""
    color: Color
    """The colour of what `frames` yields."""
    is_color_tagged: bool
    """False: the file does not state its matrix, and the usual one for its size was taken."""
    coded_matrix: ColorMatrix
    """The matrix by which the file's samples are read, stated or taken; that of `color` is the frames'."""
    frame_rate: Fraction | None
    """None: the file does not know one, such as a single picture."""
    frame_count: int
    """The number that the container states; 0: it states none."""
    orientation: Orientation
    """How `frames` were turned and mirrored to stand upright."""
    losses: list[SourceLoss]
    """What `frames` do not carry of the file; complete once they have ended."""
    frames: Iterator[bytes]
    """Whole frames in `pixel_format`, upright; raises OutputError where the file is damaged."""


def open_video(path: Path, on_damage: Callable[[str], None] | None = None) -> VideoFile:
    """Opens a file and decodes its first frame.

    Raises OutputError with code SOURCE_UNREADABLE. A file that is cut or damaged is such an error, now or
    while `frames` is read; with `on_damage` it is called with each fault found, and what can be decoded is
    yielded. Iterating `frames` to the end closes the file.
    """
    report = on_damage or partial(_refuse, path)
    with translated(_UNREADABLE, f"{path}"):
        if fault := missing_end(path):
            report(fault)
        container = open_input(path)
    try:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        losses: list[SourceLoss] = []
        pictures = _decode(container, stream, path, report, losses)
        first = next(pictures, None)
        if first is None:
            raise OutputError(_UNREADABLE, f"{path} has a video stream without a frame")
        source, is_tagged = _format_of(first)
        target = _target(source)
        target = _without_unused_alpha(path, source, target) if _is_animation(container) else target
        orientation, is_followed = orientation_of(first)
        if not is_followed:
            losses.append(
                SourceLoss(
                    WarningCode.SOURCE_ORIENTATION_IGNORED,
                    f"it is to be turned by {first.rotation:g} degrees or stretched, which is not done",
                )
            )
        is_on_its_side = orientation.is_transposed
        losses += losses_at_opening(container, stream, first, is_on_its_side=is_on_its_side)
        return VideoFile(
            width=first.height if is_on_its_side else first.width,
            height=first.width if is_on_its_side else first.height,
            pixel_format=PixelFormat(target.pixel_format),
            coded_pixel_format=first.format.name,
            color=target.color,
            is_color_tagged=is_tagged,
            coded_matrix=source.color.matrix,
            frame_rate=_frame_rate(stream),
            frame_count=stream.frames,
            orientation=orientation,
            losses=losses,
            frames=_raw_frames(container, pictures, first, Converter(source, target), orientation),
        )
    except BaseException:
        container.close()
        raise


def _is_animation(container: InputContainer) -> bool:
    return container.format.name in _ANIMATIONS


def _without_unused_alpha(path: Path, source: PictureFormat, target: PictureFormat) -> PictureFormat:
    """The layout without alpha where every picture of an animation is opaque from corner to corner.

    FFmpeg decodes each GIF and nearly each APNG with alpha, whether the file makes use of it or not. To know
    that takes a look at all pictures, which ends at the first one that is not opaque.
    """
    if target.pixel_format not in _WITHOUT_ALPHA:
        return target
    converter = Converter(source, target)
    try:
        with translated(_UNREADABLE, f"{path}"), open_input(path) as container:
            stream = _video_stream(container, path)
            for picture in _decode(container, stream, path, partial(_refuse, path), []):
                pixels = planes_of(converter.convert(picture))[0]
                if pixels[..., 3].min() < np.iinfo(pixels.dtype).max:
                    return target
    except OutputError:  # reported where the frames are read
        return target
    return msgspec.structs.replace(target, pixel_format=_WITHOUT_ALPHA[PixelFormat(target.pixel_format)])


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    found = [stream for stream in moving_streams(container) if isinstance(stream, VideoStream)]
    for stream in [*(each for each in found if not is_cover(each)), *found]:
        return stream
    raise OutputError(_UNREADABLE, f"{path} has no video stream")


def _frame_rate(stream: VideoStream) -> Fraction | None:
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate).limit_denominator(_MAX_RATE_DENOMINATOR) if rate else None


def _refuse(path: Path, fault: str) -> None:
    raise OutputError(_UNREADABLE, f"{path} is damaged: {fault}")


def _decode(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    report: Callable[[str], None],
    losses: list[SourceLoss],
) -> Iterator[Picture]:
    packets = frames = 0
    timing = Timing(states_last=_is_animation(container))
    decoder = _decoder_of(container, stream, losses)
    with translated(_UNREADABLE, f"{path}"):
        for packet in container.demux(stream):
            packets += packet.size > 0 or packet.pts is not None
            if packet.is_corrupt:
                report(f"the packet after frame {frames} is broken or cut short")
            try:
                pictures = decoder.decode(packet if packet.size else None)
            except av.error.FFmpegError as error:
                report(f"what follows frame {frames} cannot be decoded ({error.strerror})")
                continue
            for picture in pictures:
                if picture.is_corrupt:
                    report(f"frame {frames} is damaged; parts of it are guessed")
                frames += 1
                timing.see(picture.pts, picture.duration)
                yield picture
        stated = len(stream.index_entries) if container.format.name == _INDEXED_CONTAINER else 0
        if packets < stated:
            report(f"{stated - packets} of {stated} packets are missing")
        losses += timing.losses()


def _decoder_of(
    container: InputContainer, stream: VideoStream, losses: list[SourceLoss]
) -> VideoCodecContext:
    """The stream's own decoder; one that sees alpha where the file says that there is some.

    FFmpeg's own for VP8 and VP9 do not look at it, libvpx's do.
    """
    own = stream.codec_context
    name = _ALPHA_DECODERS.get(own.codec.canonical_name, "")
    if not name or stream.metadata.get("alpha_mode", "0") == "0" or "matroska" not in container.format.name:
        return own
    try:
        decoder = CodecContext.create(name, "r")
    except (ValueError, av.error.FFmpegError):
        losses.append(
            SourceLoss(
                WarningCode.SOURCE_ALPHA_DROPPED, f"its alpha is left out: this FFmpeg has no decoder {name}"
            )
        )
        return own
    if not isinstance(decoder, VideoCodecContext):  # pragma: no cover -- both are for video
        return own
    decoder.extradata = own.extradata
    return decoder


def _raw_frames(
    container: InputContainer,
    pictures: Iterator[Picture],
    first: Picture,
    converter: Converter,
    orientation: Orientation,
) -> Iterator[bytes]:
    with closing(container):
        picture: Picture | None = first
        while picture is not None:
            if (picture.width, picture.height) != (first.width, first.height):
                raise OutputError(
                    _UNREADABLE,
                    f"the picture changes its size from {first.width}x{first.height} to "
                    f"{picture.width}x{picture.height}; only clips of one size can be encoded",
                )
            planes = planes_of(converter.convert(picture))
            yield b"".join(orientation.apply(plane).tobytes() for plane in planes)
            picture = next(pictures, None)


def _format_of(picture: Picture) -> tuple[PictureFormat, bool]:
    info = describe(picture.format.name)
    name = picture.format.name
    pixel_format = _FULL_RANGE_TWINS.get(name, name)
    tags = tags_from_codes(
        int(picture.color_primaries),
        int(picture.color_trc),
        int(picture.colorspace),
        int(picture.color_range),
    )
    is_high = picture.height >= _HD_HEIGHT
    usual = ColorMatrix.BT709 if is_high or not info.has_chroma_planes else ColorMatrix.SMPTE170M
    matrix = _known(ColorMatrix, tags.matrix, usual)
    full = info.is_rgb or name in _FULL_RANGE_TWINS or not info.has_chroma_planes
    color = Color(
        primaries=_known(ColorPrimaries, tags.primaries, ColorPrimaries.BT709),
        transfer=_known(ColorTransfer, tags.transfer, SRGB.transfer if info.is_rgb else ColorTransfer.BT709),
        matrix=ColorMatrix.RGB if info.is_rgb else usual if matrix is ColorMatrix.RGB else matrix,
        range=_known(ColorRange, tags.range, ColorRange.FULL if full else ColorRange.LIMITED),
    )
    is_tagged = not info.has_chroma_planes or tags.matrix == color.matrix
    return PictureFormat(pixel_format, picture.width, picture.height, color), is_tagged


_Tag = TypeVar("_Tag", bound=StrEnum)


def _known(kind: type[_Tag], name: str, default: _Tag) -> _Tag:
    return kind(name) if name in set(kind) else default


def _target(source: PictureFormat) -> PictureFormat:
    """The layout of the contract that is nearest to the file's own."""
    if source.pixel_format in set(PixelFormat):
        return source
    info = describe(source.pixel_format)
    if info.has_chroma_planes and info.bits == 8 and not info.has_alpha:
        return PictureFormat(PixelFormat.YUV444P, source.width, source.height, source.color)
    is_deep = info.bits > 8
    if source.pixel_format.startswith("gray") and is_deep:
        return PictureFormat(PixelFormat.GRAY16LE, source.width, source.height, source.color)
    if info.has_alpha:
        name = PixelFormat.RGBA64LE if is_deep else PixelFormat.RGBA
    else:
        name = PixelFormat.RGB48LE if is_deep else PixelFormat.RGB24
    color = Color(source.color.primaries, source.color.transfer, ColorMatrix.RGB, ColorRange.FULL)
    return PictureFormat(name, source.width, source.height, color)
