"""Reads any file that FFmpeg can decode as raw frames, for the command line, the demo and the tests.

A file's own pixel format is kept where the contract knows it; any other becomes the nearest one that
loses nothing (8-bit YUV: yuv444p) or RGB of the same depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import msgspec
from av.container import InputContainer
from av.video.stream import VideoStream

from encoder_service.color import tags_from_codes
from encoder_service.libav.errors import translated
from encoder_service.libav.pictures import Converter, Picture, PictureFormat, describe, planes_of
from encoder_service.outputs.writer import OutputError
from encoder_service.spec import (
    SRGB,
    Color,
    ColorMatrix,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    PixelFormat,
)

_UNREADABLE = "SOURCE_UNREADABLE"
_FULL_RANGE_TWINS = {"yuvj420p": "yuv420p", "yuvj444p": "yuv444p"}
_HD_HEIGHT = 720
"""From here on an untagged file is taken as BT.709, below as SMPTE 170M, as players do."""


class VideoFile(msgspec.Struct, frozen=True):
    """What a video file holds. `frames` reads it from its beginning, once."""

    width: int
    height: int
    pixel_format: PixelFormat
    """Of the frames that `frames` yields."""
    coded_pixel_format: str
    """Of the file, FFmpeg's name."""
    color: Color
    """Of the frames that `frames` yields."""
    is_color_tagged: bool
    """False: the file does not state its matrix, and the usual one for its size was taken."""
    frame_rate: Fraction | None
    """None: the file does not know one, such as a single picture."""
    frame_count: int
    """As the container states it; 0: it does not."""
    frames: Iterator[bytes]
    """Whole frames in `pixel_format`; raises OutputError where the file is damaged."""


def open_video(path: Path) -> VideoFile:
    """Opens a file and decodes its first frame.

    Raises OutputError with code SOURCE_UNREADABLE. Iterating `frames` to the end closes the file.
    """
    with translated(_UNREADABLE, f"{path}"):
        container = av.open(str(path))
    try:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        pictures = _decode(container, stream, path)
        first = next(pictures, None)
        if first is None:
            raise OutputError(_UNREADABLE, f"{path} has a video stream without a frame")
        source, is_tagged = _format_of(first)
        target = _target(source)
        return VideoFile(
            width=first.width,
            height=first.height,
            pixel_format=PixelFormat(target.pixel_format),
            coded_pixel_format=first.format.name,
            color=target.color,
            is_color_tagged=is_tagged,
            frame_rate=_frame_rate(stream),
            frame_count=stream.frames,
            frames=_raw_frames(container, pictures, first, Converter(source, target)),
        )
    except BaseException:
        container.close()
        raise


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise OutputError(_UNREADABLE, f"{path} has no video stream")
    return container.streams.video[0]


def _frame_rate(stream: VideoStream) -> Fraction | None:
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate else None


def _decode(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[Picture]:
    with translated(_UNREADABLE, f"{path}"):
        yield from container.decode(stream)


def _raw_frames(
    container: InputContainer, pictures: Iterator[Picture], first: Picture, converter: Converter
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
            yield b"".join(plane.tobytes() for plane in planes_of(converter.convert(picture)))
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
