"""Whatever a caller holds becomes exactly the bytes of its frames, or one clear error."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from telecine.exceptions import InvalidFramesError, InvalidRequestError, ValueRangeError
from telecine.frames.reader import FrameReader
from telecine.frames.yuv420 import Yuv420Converter
from telecine.request.frame_layout import FrameLayout

RNG = np.random.default_rng(7)
CLIP = RNG.integers(0, 256, (3, 6, 8, 3), np.uint8)


def read(frames: object, **options: object) -> tuple[bytes, FrameReader]:
    reader = FrameReader(**options)
    blocks = (block for item in reader.items(frames) for block in reader.blocks(item))
    return b"".join(bytes(block) for block in blocks), reader


def layout_of(frames: object, **options: object) -> str:
    return str(read(frames, **options)[1].layout)


class Foreign:
    """Another library's array that shows itself through DLPack only."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: object) -> object:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class OnDevice(Foreign):
    """As `Foreign`, in the memory of an accelerator (2 is kDLCUDA)."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def cpu(self) -> Foreign:
        return Foreign(self._array)


# --- kinds of frames -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames",
    [
        CLIP,
        list(CLIP),
        tuple(CLIP),
        iter(CLIP),
        (frame for frame in CLIP),
        [CLIP[:2], CLIP[2]],
        [Image.fromarray(frame) for frame in CLIP],
        Foreign(CLIP),
        OnDevice(CLIP),
        np.asfortranarray(CLIP),
        CLIP[:, :, ::-1][:, :, ::-1],
        np.repeat(CLIP, 2, axis=0)[::2],
        CLIP.astype(np.float32) / np.float32(255),
        CLIP / 255,
    ],
    ids=[
        "array", "list", "tuple", "iterator", "generator", "clip and frame", "images", "DLPack",
        "DLPack on a device", "column-major", "negative strides", "gaps", "float32", "float64",
    ],
)  # fmt: skip
def test_each_kind_of_frames_gives_the_same_bytes(frames: object) -> None:
    data, reader = read(frames)
    assert data == CLIP.tobytes()
    assert str(reader.layout) == "8x6 rgb24"


def test_channels_first_must_be_declared() -> None:
    first = np.ascontiguousarray(CLIP.transpose(0, 3, 1, 2))
    assert read(first, layout="TCHW")[0] == CLIP.tobytes()
    assert read(first[0], layout="TCHW")[0] == CLIP[0].tobytes()
    with pytest.raises(InvalidFramesError, match='declare layout="TCHW"'):
        read(first)
    with pytest.raises(InvalidFramesError, match='"CHW" or layout="THW" for gray'):
        read(first[0])


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_may_come_before_frames(frames: int, channels: int) -> None:
    clip = RNG.integers(0, 256, (frames, 6, 8, channels), np.uint8)
    first = np.ascontiguousarray(clip.transpose(3, 0, 1, 2))
    assert read(first, layout="CTHW")[0] == clip.tobytes()
    assert read((first / 255).astype(np.float32), layout="CTHW")[0] == clip.tobytes()


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((3, 1, 6, 8), 'layout="CTHW", or layout="TCHW"'),
        ((3, 5, 6, 8), 'declare layout="CTHW"$'),
        ((1, 5, 6, 8), 'declare layout="CTHW"$'),
        ((5, 3, 6, 8), 'declare layout="TCHW"$'),
        ((5, 1, 6, 8), 'declare layout="TCHW"$'),
        ((3, 3, 6, 8), 'layout="TCHW", or layout="CTHW"'),
        ((4, 3, 6, 8), 'layout="TCHW", or layout="CTHW"'),
        ((1, 3, 5, 6, 8), r'frames\[0\] with layout="CTHW"$'),
        ((2, 5, 3, 6, 8), r'frames\[0\] with layout="TCHW"$'),
        ((2, 5, 6, 8, 3), r"frames\[0\]$"),
    ],
)
def test_what_a_shape_suggests_is_named(shape: tuple[int, ...], advice: str) -> None:
    with pytest.raises(InvalidFramesError) as caught:
        read(np.zeros(shape, np.uint8))
    assert re.search(advice, caught.value.message), caught.value.message


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((6, 8), np.uint8, "8x6 gray"),
        ((5, 6, 8), np.uint8, "8x6 gray"),
        ((6, 8, 1), np.uint8, "8x6 gray"),
        ((6, 8, 4), np.uint8, "8x6 rgba"),
        ((2, 6, 8, 4), np.uint16, "8x6 rgba64le"),
        ((6, 8, 3), np.uint16, "8x6 rgb48le"),
        ((6, 8), np.uint16, "8x6 gray16le"),
        ((6, 8, 3), np.float16, "8x6 rgb24"),
    ],
)
def test_the_pixel_format_follows_from_shape_and_type(shape, dtype, expected: str) -> None:
    assert layout_of(np.zeros(shape, dtype)) == expected


def test_three_gray_frames_are_possible_when_declared() -> None:
    assert layout_of(np.zeros((3, 6, 8), np.uint8), layout="THW") == "8x6 gray"
    assert layout_of(np.zeros((3, 6, 8), np.uint8), pixel_format="gray") == "8x6 gray"


def test_a_clip_without_frames_gives_nothing() -> None:
    assert read(CLIP[:0])[0] == b""


def test_big_endian_samples_are_turned_around() -> None:
    clip = RNG.integers(0, 65536, (2, 6, 8, 3), np.uint16)
    assert read(clip.astype(">u2"))[0] == clip.astype("<u2").tobytes()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "gray"), ("L", "gray"), ("P", "rgb24"), ("RGBA", "rgba"), ("LA", "rgba"), ("I;16", "gray16le"),
        ("La", "rgba"), ("PA", "rgba"), ("RGBa", "rgba"), ("RGBX", "rgb24"), ("I", "gray16le"), ("F", "gray"),
        ("I;16B", "gray16le"),
    ],
)  # fmt: skip
def test_images_of_each_mode_keep_their_samples(mode: str, expected: str) -> None:
    assert layout_of(Image.new(mode, (8, 6))) == f"8x6 {expected}"


def test_a_palette_with_transparency_becomes_rgba() -> None:
    image = Image.new("P", (8, 6))
    image.info["transparency"] = 0
    assert layout_of(image) == "8x6 rgba"


@pytest.mark.parametrize(("mode", "value"), [("RGB", (9, 9, 9)), ("L", 9), ("1", 0)])
def test_a_colour_that_means_transparency_becomes_alpha(mode: str, value: object) -> None:
    image = Image.new(mode, (8, 6))
    image.info["transparency"] = value
    assert layout_of(image) == "8x6 rgba"


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB"])
def test_an_image_whose_colours_need_a_choice_is_refused(mode: str) -> None:
    advice = "ImageCms" if mode == "LAB" else r'convert\("RGB"\)'
    with pytest.raises(InvalidFramesError, match=f"mode {mode}.*{advice}"):
        read(Image.new(mode, (8, 6)))


def test_images_of_32_bits_are_16_bits_or_refused() -> None:
    ramp = (np.arange(256).reshape(16, 16) * 257).astype(np.int32)
    assert read(Image.fromarray(ramp))[0] == ramp.astype("<u2").tobytes()
    for wrong in (ramp * 2, ramp - 1):
        with pytest.raises(InvalidFramesError, match=r"mode I holds values from .* expected 0 to 65535"):
            read(Image.fromarray(wrong))


def test_masks_are_black_and_white() -> None:
    mask = np.eye(8, dtype=bool)[None].repeat(2, 0)
    assert read(mask)[0] == (mask * np.uint8(255)).tobytes()
    assert read(mask, pixel_format="gray16le")[0] == (mask * np.uint16(65535)).tobytes()


def test_samples_of_ten_bits_have_ten_bits() -> None:
    size = {"width": 8, "height": 6}
    planes = np.full((9, 8), 1023, np.uint16)
    for frames in (planes, planes.tobytes()):
        assert read(frames, pixel_format="yuv420p10le", **size)[0] == planes.tobytes()
        with pytest.raises(ValueRangeError, match="lowest bits"):
            read(frames, pixel_format="p010le", **size)
    for frames in (planes + 1, (planes + 1).tobytes()):
        with pytest.raises(ValueRangeError, match="up to 1024; expected at most 1023"):
            read(frames, pixel_format="yuv420p10le", **size)
        assert read(frames, pixel_format="p010le", **size)[0] == (planes + 1).tobytes()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ("clip.mp4", "type str cannot be taken; expected an array.*`telecine encode FILE`"),
        (7, "type int cannot be taken"),
        ([[1, 2], [3, 4]], "a list inside of a list"),
        (CLIP.astype(np.int64), "dtype int64"),
        ([[CLIP[0]], [CLIP[1]]], r"encode one clip: frames\[0\]"),
        (np.zeros((2, 6, 8, 5), np.uint8), "cannot be told apart"),
        (CLIP[np.newaxis], "5 axes, as a batch has"),
        (np.zeros(8, np.uint8), "cannot be told apart"),
        (np.zeros((0, 8), np.uint8), "no pixels"),
        ([CLIP, np.zeros((6, 9, 3), np.uint8)], "a frame is 9x6 rgb24; this job's frames are 8x6 rgb24"),
        ([CLIP, CLIP[:2, ..., 0]], "a frame is 8x6 gray"),
        (np.zeros((1, 20000, 3), np.uint8), "at most 16384"),
        (b"raw", "need width, height and pixel_format"),
    ],
)
def test_what_cannot_be_taken_is_one_clear_error(frames: object, message: str) -> None:
    with pytest.raises(InvalidFramesError, match=message):
        read(frames)


def test_frames_that_differ_from_the_declaration_are_refused() -> None:
    with pytest.raises(InvalidFramesError, match="a frame is 8x6 rgb24; declared are 9x6 rgb24"):
        read(CLIP, width=9)


def test_unknown_options_are_refused_with_the_choices() -> None:
    with pytest.raises(InvalidFramesError, match="THWC"):
        FrameReader(layout="TWHC")
    with pytest.raises(InvalidRequestError, match="rgb48le"):
        FrameReader(pixel_format="rgb25")
    with pytest.raises(InvalidFramesError, match='"error" or "clip"'):
        FrameReader(out_of_range="wrap")


# --- raw frames ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda raw: np.frombuffer(raw, np.uint8)])
def test_raw_planar_frames_pass_unchanged(kind) -> None:
    raw = RNG.integers(0, 256, 2 * 8 * 6 * 3 // 2, np.uint8).tobytes()
    assert read(kind(raw), width=8, height=6, pixel_format="yuv420p")[0] == raw


def test_raw_ten_bit_frames_may_be_uint16() -> None:
    planes = RNG.integers(0, 1024, (9, 8), np.uint16)
    data, _ = read(planes, width=8, height=6, pixel_format="yuv420p10le")
    assert data == planes.astype("<u2").tobytes()


def test_half_a_raw_frame_is_refused() -> None:
    with pytest.raises(InvalidFramesError, match="100 bytes are no whole number of 8x6 yuv420p frames of 72"):
        read(bytes(100), width=8, height=6, pixel_format="yuv420p")


def test_floats_cannot_be_raw_frames() -> None:
    with pytest.raises(InvalidFramesError, match="expected uint8"):
        read(np.zeros((9, 8), np.float32), width=8, height=6, pixel_format="yuv420p")


# --- floats --------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3))
def test_floats_are_rounded_to_the_nearest_code_value(values: list[float]) -> None:
    data, _ = read(np.array(values, np.float32).reshape(1, 1, 3))
    assert all(abs(code - value * 255) <= 0.5001 for code, value in zip(data, values, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ">f4"])
def test_every_code_value_survives_every_kind_of_float(dtype) -> None:
    codes = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    exact = codes.astype(np.float64) / 255
    if dtype is ml_dtypes.bfloat16:  # has 8 significant bits: nearest code values merge
        codes = np.rint(exact.astype(dtype).astype(np.float32) * np.float32(255)).astype(np.uint8)
    assert read(exact.astype(dtype))[0] == codes.tobytes()


def test_sixteen_bits_from_floats_when_declared() -> None:
    codes = RNG.integers(0, 65536, (6, 8, 3), np.uint16)
    data, reader = read(codes / np.float32(65535), pixel_format="rgb48le")
    assert data == codes.tobytes()
    assert str(reader.layout) == "8x6 rgb48le"


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (-1.0, r"from -1 to 0; expected 0 to 1; if they are meant as -1 to 1, pass \(frames \+ 1\) / 2"),
        (255.0, "from 0 to 255; expected 0 to 1; they look like 0 to 255: pass frames / 255"),
        (np.nan, "1 NaN and values from 0 to 0"),
        (np.inf, "to inf"),
        (1.002, "to 1.002"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_out_of_range_are_refused_with_advice(value: float, advice: str, dtype) -> None:
    frame = np.zeros((6, 8, 3), dtype)
    frame[2, 3, 1] = value
    with pytest.raises(ValueRangeError, match=advice):
        read(frame)


def test_values_that_round_to_a_code_value_are_in_range() -> None:
    frame = np.array([[[-0.001, 0.5, 1.0009]]], np.float32)
    assert read(frame)[0] == bytes((0, 128, 255))


def test_clipping_counts_what_it_changes_and_never_wraps() -> None:
    frame = np.array([[[-2.0, 7.0, np.nan], [0.5, np.inf, -np.inf]]], np.float32)
    data, reader = read([frame, frame], out_of_range="clip")
    assert data == bytes((0, 255, 0, 128, 255, 0)) * 2
    assert reader.range.clipped_samples == 10


# --- laziness and memory -------------------------------------------------------------------------


def test_a_generator_is_not_read_ahead() -> None:
    taken = []

    def draw():
        for index in range(3):
            taken.append(index)
            yield CLIP[index]

    reader = FrameReader()
    items = reader.items(draw())
    next(items)
    assert taken == [0]


def test_a_contiguous_array_is_not_copied() -> None:
    reader = FrameReader()
    (block,) = reader.blocks(CLIP)
    assert np.shares_memory(np.frombuffer(block, np.uint8), CLIP)


def test_other_arrays_are_read_frame_by_frame_into_the_same_memory() -> None:
    reader = FrameReader()
    places = {np.frombuffer(block, np.uint8).ctypes.data for block in reader.blocks(CLIP / 255)}
    assert len(places) == 1


# --- conversion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [CLIP, list(CLIP), CLIP / 255])
def test_conversion_halves_the_bytes(frames: object) -> None:
    data, reader = read(frames, convert_to="yuv420p")
    converter = Yuv420Converter(8, 6)
    assert data == b"".join(converter.convert(frame).tobytes() for frame in CLIP)
    assert reader.layout == FrameLayout(8, 6, "yuv420p")


def test_raw_rgb_frames_can_be_converted_too() -> None:
    options = {"width": 8, "height": 6, "pixel_format": "rgb24", "convert_to": "yuv420p"}
    assert read(CLIP.tobytes(), **options)[0] == read(CLIP, convert_to="yuv420p")[0]


def test_only_8_bit_rgb_is_converted() -> None:
    with pytest.raises(InvalidFramesError, match="convert_to takes 8-bit RGB"):
        read(CLIP[0, ..., 0], convert_to="yuv420p")
    with pytest.raises(InvalidRequestError, match='expected "yuv420p"'):
        FrameReader(convert_to="nv12")


@pytest.mark.parametrize(
    ("pixel_format", "size", "sent", "words"),
    [
        ("yuv420p", (100, 50), 128 * 50 * 3 // 2, "padded to 128x50: send rows and planes without padding"),
        ("nv12", (1918, 1078), 1920 * 1088 * 3 // 2, "padded to 1920x1088"),
        ("p010le", (100, 50), 128 * 64 * 3, "padded to 128x64"),
        ("yuv420p", (100, 51), 7600, "chroma of an odd size is rounded up: 50x26"),
        ("yuv444p", (99, 51), 128 * 51 * 3, "padded to 128x51"),
        ("yuv420p", (100, 50), 7499, r"of 7500 bytes\n"),
    ],
)
def test_raw_frames_of_a_wrong_size_are_refused_with_what_they_could_be(
    pixel_format: str, size: tuple[int, int], sent: int, words: str
) -> None:
    reader = FrameReader(width=size[0], height=size[1], pixel_format=pixel_format)
    with pytest.raises(InvalidFramesError, match=words):
        list(reader.blocks(bytes(sent)))
