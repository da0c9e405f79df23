"""Reads frames of any supported kind as the bytes of whole frames, lazily, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.frames.animation import StillsSeen, Whole, ignores_profile, picture_count, pictures_of
from telecine.frames.arrays import Array, OutOfRange, bits_of, check_sample_range, code_blocks
from telecine.frames.axes import CHANNELS_FIRST_OF_ALL, Axes, arrange, declared_axes
from telecine.frames.foreign import image_array, in_channels, is_array_like, is_image, open_array
from telecine.frames.tensors import is_tensor, tensor_bits, tensor_blocks
from telecine.frames.yuv420 import Yuv420Converter
from telecine.request.fields import refused
from telecine.request.frame_layout import MAX_SIDE, FrameLayout, packed_format
from telecine.request.options import PixelFormat, chosen
from telecine.request.source_warnings import SourceCode, SourceWarnings

_RAW = (bytes, bytearray, memoryview)
_CLIP_AXES = 4


class FrameReader:
    """Reads frames of one job. Not thread-safe.

    Takes numpy arrays (T, H, W, C), (H, W, C), (T, H, W), (H, W); torch tensors on any device; anything
    with DLPack or an array interface; PIL images (one that is animated, wrapped by `whole`, is a clip);
    `bytes` of whole raw frames where the size and pixel format are declared; and lists, iterators and
    generators of those. Samples are uint8, uint16, bool, or
    floats (16, 32 or 64 bits, bfloat16) from 0 to 1, which are rounded to the nearest code value. A float
    is out of range when it is NaN or rounds to no code value; it is refused or clipped, never wrapped.
    """

    def __init__(
        self,
        *,
        width: int | None = None,
        height: int | None = None,
        pixel_format: str | None = None,
        layout: str = "auto",
        out_of_range: str = "error",
        convert_to: str | None = None,
        warnings: SourceWarnings | None = None,
        is_color_declared: bool = False,
    ) -> None:
        """`warnings` takes what the frames do not carry of what is read; None: nobody asks.

        `is_color_declared`: the caller has said what samples mean, whatever an image says itself.
        """
        self._is_color_declared = is_color_declared
        self._warnings = SourceWarnings() if warnings is None else warnings
        self._stills = StillsSeen(self._warnings)
        self._is_time_second = layout == CHANNELS_FIRST_OF_ALL
        self.range = OutOfRange(out_of_range)
        self._axes = declared_axes(layout)
        self._format = chosen(PixelFormat, pixel_format, "pixel_format") if pixel_format else None
        if convert_to not in {None, "yuv420p"}:
            raise refused("convert_to", convert_to, '"yuv420p" or None')
        self._is_converting = convert_to is not None
        self._converter: Yuv420Converter | None = None
        self._width, self._height = width, height
        self._source: FrameLayout | None = None
        if width and height and self._format:
            self._settle(FrameLayout(width, height, self._format))

    @property
    def layout(self) -> FrameLayout | None:
        """How frames are sent; None until the first was read or everything was declared."""
        if self._source is None or not self._is_converting:
            return self._source
        return FrameLayout(self._source.width, self._source.height, PixelFormat.YUV420P)

    def items(self, frames: object) -> Iterator[object]:
        """Takes lists and iterators apart, lazily, into what `blocks` reads. Raises InvalidFramesError."""
        if isinstance(frames, Whole):
            self._see_image(frames.image)
            if picture_count(frames.image) == 1 and (self._format is not None or self._axes is not None):
                yield frames.image  # as it is: the caller has declared what it is
            else:
                yield from pictures_of(frames.image, self._warnings)
        elif _is_frame(frames):
            self._stills.see(frames)
            yield frames
        elif isinstance(frames, Iterable) and not isinstance(frames, str | dict):
            for item in frames:
                if isinstance(item, list | tuple):
                    raise InvalidFramesError(
                        "frames hold a list inside of a list, as a batch of clips does; encode one clip: "
                        "frames[0]",
                        recovery="Pass frames[0], one clip of the batch at a time.",
                    )
                yield from self.items(item)
        else:
            raise InvalidFramesError(
                f"frames of type {type(frames).__qualname__} cannot be taken; expected an array, tensor, PIL "
                "images or an iterable of those (a file: `telecine encode FILE`)"
            )

    def end(self) -> None:
        """No more frames will come. Raises InvalidFramesError where the job is strict and lost some."""
        self._stills.see(None)

    def blocks(self, item: object) -> Iterator[memoryview]:
        """Yields an item's frames as bytes, one or more whole frames at a time.

        Each block is valid until the next is asked for. Raises InvalidFramesError, ValueRangeError.
        """
        if isinstance(item, _RAW):
            if not len(item):
                return
            yield from self._raw_blocks(np.frombuffer(item, np.uint8))
        elif is_tensor(item):
            yield from self._tensor_blocks(item)
        else:
            array = self._image_array(item) if is_image(item) else open_array(item)
            is_planar = self._source is not None and not self._source.is_packed
            yield from self._raw_blocks(array) if is_planar else self._array_blocks(array)

    def _image_array(self, image: Any) -> Array:
        self._see_image(image)
        array = image_array(image)
        layout = self._source
        # Programs save without colour, or without alpha, what has none.
        is_alike = layout is not None and layout.is_packed and array.itemsize == layout.sample_bytes
        return in_channels(array, layout.channels) if layout is not None and is_alike else array

    def _see_image(self, image: Any) -> None:
        if not self._is_color_declared and ignores_profile(image):
            self._warnings.add(
                SourceCode.SOURCE_PROFILE_IGNORED,
                "an image has a colour profile that is not sRGB; its values are taken as sRGB",
            )

    def _array_blocks(self, array: Array) -> Iterator[memoryview]:
        array = array.swapaxes(0, 1) if self._is_time_second and array.ndim == _CLIP_AXES else array
        arrangement = arrange(array.shape, self._axes_of(array.ndim))
        bits = bits_of(array) or self._float_bits()
        self._settle(
            FrameLayout(arrangement.width, arrangement.height, packed_format(arrangement.channels, bits))
        )
        for block in code_blocks(array, arrangement, bits, self.range):
            yield from self._finished(block)

    def _tensor_blocks(self, tensor: Any) -> Iterator[memoryview]:
        if self._source is not None and not self._source.is_packed:
            yield from self._raw_blocks(tensor.detach().cpu().numpy())
            return
        if self._is_time_second and len(tensor.shape) == _CLIP_AXES:
            tensor = tensor.transpose(0, 1)
        shape = tuple(int(side) for side in tensor.shape)
        arrangement = arrange(shape, self._axes_of(len(shape)))
        bits = tensor_bits(tensor) or self._float_bits()
        self._settle(
            FrameLayout(arrangement.width, arrangement.height, packed_format(arrangement.channels, bits))
        )
        for block in tensor_blocks(
            tensor, arrangement, bits, self.range, is_converting=self._converter is not None
        ):
            yield block.reshape(-1).view(np.uint8).data

    def _raw_blocks(self, array: Array) -> Iterator[memoryview]:
        """Frames that are laid out already, as one run of bytes."""
        layout = self._source
        if layout is None:
            raise InvalidFramesError("raw frames need width, height and pixel_format to be declared")
        if array.dtype.itemsize not in {1, layout.sample_bytes} or array.dtype.kind != "u":
            raise InvalidFramesError(
                f"raw {layout.pixel_format.value} frames have dtype {array.dtype}; "
                f"expected uint{8 * layout.sample_bytes}"
            )
        if array.nbytes % layout.frame_bytes:
            raise InvalidFramesError(
                f"{array.nbytes} bytes are no whole number of {layout} frames of {layout.frame_bytes} bytes"
                + layout.explain_size(array.nbytes)
            )
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        flat: Array = np.ascontiguousarray(little).reshape(-1).view(np.uint8)
        check_sample_range(little, layout.pixel_format)
        if self._is_converting:
            flat = flat.reshape(-1, layout.height, layout.width, layout.channels)
        yield from self._finished(flat)

    def _finished(self, block: Array) -> Iterator[memoryview]:
        if self._converter is None:
            yield block.reshape(-1).view(np.uint8).data
            return
        for frame in block if block.ndim == 4 else (block,):
            yield self._converter.convert(frame).data

    def _axes_of(self, dimensions: int) -> Axes | None:
        is_gray = self._format in {PixelFormat.GRAY8, PixelFormat.GRAY16LE} and self._axes is None
        return Axes.GRAY if dimensions == 2 or (is_gray and dimensions == 3) else self._axes

    def _float_bits(self) -> int:
        declared = self._source.pixel_format if self._source else self._format
        return 8 if declared is None else 8 * FrameLayout(1, 1, declared).sample_bytes

    def _settle(self, found: FrameLayout) -> None:
        """Takes the layout of the first frame; all others must have the same."""
        if self._source is not None:
            if found != self._source:
                raise InvalidFramesError(f"a frame is {found}; this job's frames are {self._source}")
            return
        declared = FrameLayout(
            self._width or found.width, self._height or found.height, self._format or found.pixel_format
        )
        if found != declared:
            raise InvalidFramesError(f"a frame is {found}; declared are {declared}")
        if max(found.width, found.height) > MAX_SIDE:
            raise InvalidFramesError(f"frames are {found}; at most {MAX_SIDE} pixels a side can be taken")
        if self._is_converting:
            if found.pixel_format is not PixelFormat.RGB24:
                raise InvalidFramesError(
                    f"convert_to takes 8-bit RGB frames, not {found.pixel_format.value}; leave convert_to out"
                )
            self._converter = Yuv420Converter(found.width, found.height)
        self._source = found


def _is_frame(item: object) -> bool:
    return isinstance(item, _RAW) or is_tensor(item) or is_image(item) or is_array_like(item)
