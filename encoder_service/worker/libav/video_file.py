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
from encoder_service.worker.libav.sources.deinterlacing import deinterlaced
from encoder_service.worker.libav.sources.packet_times import PictureTimes, picture_times
from encoder_service.worker.libav.sources.reading import AS_PLAYERS_DO, Reading
from encoder_service.worker.libav.sources.square_pixels import (
    MAX_SIDE_PIXELS,
    sample_aspect_ratio,
    square_size,
)
from encoder_service.worker.libav.video_losses import (
    SourceLoss,
    is_cover,
    losses_at_opening,
    pixels_kept,
    turn_left_out,
    with_interlaced,
)

_UNREADABLE = FailureCode.SOURCE_UNREADABLE
_INDEXED_CONTAINER = "mov,mp4,m4a,3gp,3g2,mj2"
"""Its index names each packet that there is to read, whatever edit lists leave out."""
_ANIMATIONS = {"gif", "apng"}
"""Containers whose pictures are decoded with alpha, whether there is any or not."""
_WITHOUT_ALPHA = {PixelFormat.RGBA: PixelFormat.RGB24, PixelFormat.RGBA64LE: PixelFormat.RGB48LE}
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_FULL_RANGE_TWINS = {"yuvj420p": "yuv420p", "yuvj444p": "yuv444p"}
_MAX_RATE_DENOMINATOR = 1_000_000
"""An average may have any; the nearest of these is off by less than a second in ten thousand years."""
_HD_HEIGHT = 720
"""From here on an untagged file is taken as BT.709, below as SMPTE 170M, as players do."""


class SourcePicture(msgspec.Struct, frozen=True):
    """One picture as it is shown, and when."""

    data: bytes
    """A whole frame in `VideoFile.pixel_format`, upright."""
    seconds: Fraction | None
    """When it is shown, on the file's own clock; None: the file does not say."""


class VideoFile(msgspec.Struct, frozen=True):
    """What a video file holds. `pictures` reads it from its beginning, once."""

    width: int
    height: int
    pixel_format: PixelFormat
    """The pixel format of what `pictures` yields."""
    coded_pixel_format: str
    """The pixel format of the file, by FFmpeg's name."""
    color: Color
    """The colour of what `pictures` yields."""
    is_color_tagged: bool
    """False: the file does not state its matrix, and the usual one for its size was taken."""
    coded_matrix: ColorMatrix
    """The matrix by which the file's samples are read, stated or taken; that of `color` is the frames'."""
    stated_rates: tuple[Fraction, ...]
    """What the file says of its frame rate, the likeliest first; tags may lie, and `times` do not."""
    times: PictureTimes
    """When its pictures are shown."""
    frame_count: int
    """The number that the container states; 0: it states none."""
    orientation: Orientation
    """How `pictures` were turned and mirrored to stand upright."""
    pixel_aspect: Fraction
    """Width to height of a coded pixel that was made square; 1: nothing was to be done."""
    losses: list[SourceLoss]
    """What `pictures` do not carry of the file; complete once they have ended."""
    pictures: Iterator[SourcePicture]
    """Raises OutputError where the file is damaged."""

    @property
    def frame_rate(self) -> Fraction | None:
        """The likeliest of the stated rates; None: the file states none, such as a single picture."""
        return self.stated_rates[0] if self.stated_rates else None

    @property
    def frames(self) -> Iterator[bytes]:
        """The pictures without their times."""
        return (picture.data for picture in self.pictures)


def open_video(
    path: Path, on_damage: Callable[[str], None] | None = None, reading: Reading = AS_PLAYERS_DO
) -> VideoFile:
    """Opens a file and decodes its first frame.

    Raises OutputError with code SOURCE_UNREADABLE. A file that is cut or damaged is such an error, now or
    while `pictures` is read; with `on_damage` it is called with each fault found, and what can be decoded is
    yielded. Iterating `pictures` to the end closes the file.
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
        pictures = _decode(container, stream, path, report, losses, keeps_fields=not reading.is_deinterlaced)
        pictures = deinterlaced(pictures, stream) if reading.is_deinterlaced else pictures
        first = _first(pictures, path)
        source, is_tagged = _format_of(first)
        target = _target(source)
        target = _without_unused_alpha(path, source, target) if _is_animation(container) else target
        orientation = _orientation(first, reading, losses)
        aspect = _pixel_aspect(stream, first, reading, losses, is_on_its_side=orientation.is_transposed)
        width, height = _square(path, first, aspect)
        target = msgspec.structs.replace(target, width=width, height=height)
        losses += losses_at_opening(container, stream, first)
        times = _times(path)
        return VideoFile(
            width=height if orientation.is_transposed else width,
            height=width if orientation.is_transposed else height,
            pixel_format=PixelFormat(target.pixel_format),
            coded_pixel_format=first.format.name,
            color=target.color,
            is_color_tagged=is_tagged,
            coded_matrix=source.color.matrix,
            stated_rates=_stated_rates(stream, is_timed=bool(times.ticks)),
            times=times,
            frame_count=stream.frames,
            orientation=orientation,
            pixel_aspect=aspect,
            losses=losses,
            pictures=_source_pictures(container, pictures, first, Converter(source, target), orientation),
        )
    except BaseException:
        container.close()
        raise


def _first(pictures: Iterator[Picture], path: Path) -> Picture:
    first = next(pictures, None)
    if first is None:
        raise OutputError(_UNREADABLE, f"{path} has a video stream without a frame")
    return first


def _times(path: Path) -> PictureTimes:
    with translated(_UNREADABLE, f"{path}"), open_input(path) as container:
        return picture_times(container, _video_stream(container, path))


def _orientation(first: Picture, reading: Reading, losses: list[SourceLoss]) -> Orientation:
    orientation, is_followed = orientation_of(first)
    if is_followed and (reading.is_turned_upright or orientation == Orientation()):
        return orientation
    losses.append(turn_left_out(first, is_on_purpose=is_followed))
    return orientation if reading.is_turned_upright else Orientation()


def _pixel_aspect(
    stream: VideoStream, first: Picture, reading: Reading, losses: list[SourceLoss], *, is_on_its_side: bool
) -> Fraction:
    aspect = sample_aspect_ratio(stream)
    if reading.has_square_pixels or aspect == 1:
        return aspect
    shown = square_size(first.width, first.height, aspect, is_interlaced=first.interlaced_frame)
    losses.append(pixels_kept(aspect, (shown[1], shown[0]) if is_on_its_side else shown))
    return Fraction(1)


def _square(path: Path, first: Picture, aspect: Fraction) -> tuple[int, int]:
    size = square_size(first.width, first.height, aspect, is_interlaced=first.interlaced_frame)
    if max(size) > MAX_SIDE_PIXELS:
        raise OutputError(
            _UNREADABLE,
            f"{path} states pixels of {aspect.numerator}:{aspect.denominator}, which make a picture of "
            f"{size[0]}x{size[1]}; at most {MAX_SIDE_PIXELS} are taken; "
            "--no-square-pixels takes them as square",
        )
    return size


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
    for stream in found:
        if not is_cover(stream):
            return stream
    kind = "no film, only a cover picture" if found else "no video stream"
    raise OutputError(_UNREADABLE, f"{path} has {kind}")


def _stated_rates(stream: VideoStream, *, is_timed: bool) -> tuple[Fraction, ...]:
    # Of a bare stream the average is FFmpeg's default of 25, whatever its headers say.
    rates = [stream.average_rate, stream.guessed_rate] if is_timed else [stream.guessed_rate]
    known = [Fraction(rate).limit_denominator(_MAX_RATE_DENOMINATOR) for rate in rates if rate]
    return tuple(dict.fromkeys(rate for rate in known if rate > 0))


def _refuse(path: Path, fault: str) -> None:
    raise OutputError(_UNREADABLE, f"{path} is damaged: {fault}")


def _decode(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    report: Callable[[str], None],
    losses: list[SourceLoss],
    *,
    keeps_fields: bool = True,
) -> Iterator[Picture]:
    packets = frames = with_fields = 0
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
                # What a decoder gives at the end belongs to no packet of which it could know the clock.
                picture.time_base = picture.time_base or stream.time_base
                with_fields += picture.interlaced_frame and keeps_fields
                yield picture
        stated = len(stream.index_entries) if container.format.name == _INDEXED_CONTAINER else 0
        if packets < stated:
            report(f"{stated - packets} of {stated} packets are missing")
        losses[:] = with_interlaced(losses, with_fields)


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


def _source_pictures(
    container: InputContainer,
    pictures: Iterator[Picture],
    first: Picture,
    converter: Converter,
    orientation: Orientation,
) -> Iterator[SourcePicture]:
    with closing(container):
        picture: Picture | None = first
        while picture is not None:
            if (picture.width, picture.height) != (first.width, first.height):
                raise OutputError(
                    _UNREADABLE,
                    f"the picture changes its size from {first.width}x{first.height} to "
                    f"{picture.width}x{picture.height}; only clips of one size can be encoded",
                )
            tick = Fraction(picture.time_base or 0)
            seconds = None if picture.pts is None or not tick else picture.pts * tick
            planes = planes_of(converter.convert(picture))
            data = b"".join(orientation.apply(plane).tobytes() for plane in planes)
            yield SourcePicture(data, seconds)
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
