"""Pictures in memory: wraps bytes as frames without copying them, and converts between pixel formats."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.spec import SRGB, Color, ColorMatrix, ColorRange
from encoder_service.worker.color import Codes, code_of
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.padding import padded

Picture = VideoFrame
"""One decoded or converted picture, as FFmpeg holds it."""

Samples = npt.NDArray[Any]
"""Samples of a plane: uint8 or uint16."""

_EXACT = Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_SAME_SIZE = Interpolation.AREA | _EXACT
_FROM_SUBSAMPLED = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | _EXACT
_RESIZED = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | _EXACT

# swscale's own numbers for matrices: 470BG and 170M are the same one.
_SWS_MATRIX = {
    ColorMatrix.BT709: 1,
    ColorMatrix.BT470BG: 5,
    ColorMatrix.SMPTE170M: 5,
    ColorMatrix.BT2020NC: 9,
}
_DEEP_FULL_RANGE = {"rgb48le", "rgba64le", "gray16le"}
_BYTES_PER_PIXEL_OF_PACKED = {
    "rgb24": (3, 1),
    "rgba": (4, 1),
    "bgr24": (3, 1),
    "bgra": (4, 1),
    "bgr0": (4, 1),
    "rgb48le": (3, 2),
    "rgba64le": (4, 2),
    "gray": (1, 1),
    "gray16le": (1, 2),
}


class PictureFormat(msgspec.Struct, frozen=True):
    """How a picture lies in memory and what its samples mean."""

    pixel_format: str
    """FFmpeg's name."""
    width: int
    height: int
    color: Color = SRGB


class PixelFormatInfo(msgspec.Struct, frozen=True):
    """What FFmpeg knows about a pixel format."""

    is_rgb: bool
    has_alpha: bool
    bits: int
    """Bits of the widest component."""
    width_step: int
    """Widths are multiples of this."""
    height_step: int
    has_chroma_planes: bool
    """YUV with colour: the matrix of the samples matters."""
    is_gray: bool


def describe(pixel_format: str) -> PixelFormatInfo:
    """Describes a pixel format. Raises OutputError with code UNKNOWN_PIXEL_FORMAT."""
    with translated(FailureCode.UNKNOWN_PIXEL_FORMAT, f"pixel format {pixel_format!r}"):
        found = VideoFormat(str(pixel_format), 64, 64)
    components = found.components
    luma = components[0]
    least = min(components, key=lambda component: component.width)
    colors = sum(not component.is_alpha for component in components)
    return PixelFormatInfo(
        is_rgb=found.is_rgb,
        has_alpha=any(component.is_alpha for component in components),
        bits=max(component.bits for component in components),
        width_step=luma.width // least.width,
        height_step=luma.height // min(component.height for component in components),
        has_chroma_planes=not found.is_rgb and colors > 1,
        is_gray=not found.is_rgb and colors == 1,
    )


def split_planes(data: memoryview, pixel_format: str, width: int, height: int) -> list[Samples]:
    """Views raw bytes as planes, without copying.

    Each plane has shape (rows, columns) or, when samples are interleaved, (rows, columns, samples),
    dtype uint8 or little-endian uint16. Planes follow each other without padding.
    """
    if pixel_format in _BYTES_PER_PIXEL_OF_PACKED:
        samples, _ = _BYTES_PER_PIXEL_OF_PACKED[pixel_format]
        shape = (height, width) if samples == 1 else (height, width, samples)
        return [_array(data, pixel_format).reshape(shape)]
    flat = _array(data, pixel_format)
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    luma = flat[: width * height].reshape(height, width)
    rest = flat[width * height :]
    if pixel_format in {"nv12", "p010le"}:
        return [luma, rest.reshape(half_height, half_width, 2)]
    if pixel_format == "yuv444p":
        return [luma, *rest.reshape(2, height, width)]
    return [luma, *rest.reshape(2, half_height, half_width)]


def _array(data: memoryview, pixel_format: str) -> Samples:
    is_wide = pixel_format.endswith("le")
    if is_wide:
        return np.frombuffer(data, dtype="<u2")
    return np.frombuffer(data, dtype=np.uint8)


def wrap(planes: list[Samples], layout: PictureFormat) -> Picture:
    """Makes a picture of planes, without copying where FFmpeg can read them in place.

    This is the only way by which memory that FFmpeg has not allocated reaches it. The picture keeps the
    planes' memory alive. It must not be written to.
    """
    with translated(FailureCode.INVALID_FRAME, "wrapping a frame"):
        if layout.pixel_format in _BYTES_PER_PIXEL_OF_PACKED:
            picture = VideoFrame.from_numpy_buffer(padded(planes[0]), str(layout.pixel_format))
        elif layout.width % 2 or layout.height % 2:
            picture = _copied(planes, layout)
        else:
            picture = VideoFrame.from_dlpack(
                tuple(_dlpack_source(padded(plane)) for plane in planes),
                str(layout.pixel_format),  # Cython takes no subclass of str
                layout.width,
                layout.height,
            )
    tag(picture, layout.color)
    return picture


class _InPlace:
    """Shows numpy memory as writable: NumPy exports only such through DLPack, and FFmpeg just reads."""

    def __init__(self, plane: Samples) -> None:
        self.plane = plane
        interface = dict(plane.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__: dict[str, Any] = interface


def _dlpack_source(plane: Samples) -> Samples:
    if plane.flags.writeable:
        return plane
    return np.asarray(_InPlace(plane))


def _copied(planes: list[Samples], layout: PictureFormat) -> Picture:
    picture = VideoFrame(layout.width, layout.height, str(layout.pixel_format))
    for target, plane in zip(planes_of(picture), planes, strict=True):
        target[...] = plane
    return picture


def planes_of(picture: Picture) -> list[Samples]:
    """Views a picture's planes, without their padding; the arrays keep the picture alive.

    Shapes are those of `split_planes`, for any format of whole bytes per sample.
    """
    found: list[Samples] = []
    components = picture.format.components
    for index, plane in enumerate(picture.planes):
        own = [component for component in components if component.plane == index]
        is_wide = own[0].bits > 8
        dtype = np.dtype(">u2" if picture.format.is_big_endian else "<u2") if is_wide else np.dtype(np.uint8)
        flat = np.frombuffer(memoryview(plane), dtype=dtype)
        samples = _samples_per_pixel(picture, len(own))
        rows = flat.reshape(plane.height, plane.line_size // dtype.itemsize)[:, : plane.width * samples]
        found.append(rows if samples == 1 else rows.reshape(plane.height, plane.width, samples))
    return found


def _samples_per_pixel(picture: Picture, components: int) -> int:
    # bgr0 and its like have a fourth sample that belongs to no component.
    return 4 if picture.format.name in {"bgr0", "rgb0", "0bgr", "0rgb"} else components


def tag(picture: Picture, color: Color) -> None:
    """Writes the four colour tags onto a picture; its samples stay as they are."""
    picture.color_primaries = code_of(Codes.PRIMARIES, color.primaries)
    picture.color_trc = code_of(Codes.TRANSFER, color.transfer)
    picture.colorspace = code_of(Codes.MATRIX, color.matrix)
    picture.color_range = code_of(Codes.RANGE, color.range)


class Converter:
    """Converts pictures from one format to another: pixel format, size, matrix and range.

    Primaries and transfer are tags only. Exact integer arithmetic (see `color`). Not thread-safe.
    """

    def __init__(self, source: PictureFormat, target: PictureFormat, *, threads: int = 1) -> None:
        self.source = source
        self.target = target
        self._threads = threads
        self._flags = _choose_filter(source, target)
        self._reformatter = VideoReformatter()
        before, after = describe(source.pixel_format), describe(target.pixel_format)
        self._is_noop = _is_same_layout(source, target) and (
            before.is_rgb or _is_same_coding(before, source.color, target.color)
        )
        self._is_limited_gray = before.is_gray and source.color.range == ColorRange.LIMITED
        self._is_deep_to_yuv = str(source.pixel_format) in _DEEP_FULL_RANGE and after.has_chroma_planes
        self._source_matrix = None if before.is_rgb else _SWS_MATRIX.get(source.color.matrix, 1)
        self._target_matrix = None if after.is_rgb else _SWS_MATRIX.get(target.color.matrix, 1)

    @property
    def is_noop(self) -> bool:
        """The samples are already as the target wants them; `convert` only tags."""
        return self._is_noop

    def convert(self, picture: Picture) -> Picture:
        """Returns the picture in the target's format, tagged; the same object where nothing changes."""
        if not self._is_noop:
            picture = self._prepared(picture)
            with translated(FailureCode.CONVERSION_FAILED, f"converting to {self.target.pixel_format}"):
                picture = self._reformatter.reformat(
                    picture,
                    width=self.target.width,
                    height=self.target.height,
                    format=str(self.target.pixel_format),
                    src_colorspace=self._source_matrix,
                    dst_colorspace=self._target_matrix,
                    interpolation=self._flags,
                    src_color_range=code_of(Codes.RANGE, self.source.color.range),
                    dst_color_range=code_of(Codes.RANGE, self.target.color.range),
                    threads=self._threads,
                )
        tag(picture, self.target.color)
        return picture

    def _prepared(self, picture: Picture) -> Picture:
        if self._is_limited_gray:
            return _with_neutral_chroma(picture, self.source)
        if self._is_deep_to_yuv:
            return _at_scale_of_swscale(picture, self.source)
        return picture


def _with_neutral_chroma(picture: Picture, source: PictureFormat) -> Picture:
    # swscale takes every gray picture for full range.
    luma = planes_of(picture)[0]
    is_wide = luma.dtype != np.uint8
    chroma = np.full_like(luma, 1 << (15 if is_wide else 7))
    name = "yuv444p16le" if is_wide else "yuv444p"
    return wrap([luma, chroma, chroma], msgspec.structs.replace(source, pixel_format=name))


def _at_scale_of_swscale(picture: Picture, source: PictureFormat) -> Picture:
    # To swscale the white of 16-bit RGB and gray is 255 * 256, not 65535: a gain of 0.4 % otherwise.
    pixels = planes_of(picture)[0].copy()
    colors = pixels[..., :3] if pixels.ndim == 3 else pixels
    colors -= (colors >> 8) + ((colors & 0x80) >> 7)
    return wrap([pixels], source)


def _is_same_layout(source: PictureFormat, target: PictureFormat) -> bool:
    return (source.pixel_format, source.width, source.height) == (
        target.pixel_format,
        target.width,
        target.height,
    )


def _is_same_coding(info: PixelFormatInfo, source: Color, target: Color) -> bool:
    if source.range != target.range:
        return False
    return not info.has_chroma_planes or source.matrix == target.matrix


def _choose_filter(source: PictureFormat, target: PictureFormat) -> Interpolation:
    if (source.width, source.height) != (target.width, target.height):
        return Interpolation(_RESIZED)
    before, after = describe(source.pixel_format), describe(target.pixel_format)
    if before.height_step > after.height_step and after.bits > 8:
        # Where two rows of chroma make one, swscale's 16-bit RGB wraps round at saturated colours.
        return Interpolation(_RESIZED)
    if before.width_step * before.height_step > after.width_step * after.height_step:
        return Interpolation(_FROM_SUBSAMPLED)
    return Interpolation(_SAME_SIZE)
