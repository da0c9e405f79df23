"""Whatever SOURCE names becomes frames of one size, or one clear error."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from telecine.cli.encode.sources import SourceError, open_source
from telecine.cli.encode.sources.images import natural_order
from telecine.cli.encode.sources.raw import open_raw
from telecine.request.frame_layout import FrameLayout
from telecine.request.options import PixelFormat


def draw(path: Path, *, size: tuple[int, int] = (8, 6), value: int = 100, mode: str = "RGB") -> None:
    channels = Image.new(mode, (1, 1)).getbands()
    Image.new(mode, size, value if len(channels) == 1 else (value,) * len(channels)).save(path)


def test_a_folder_is_read_in_the_order_a_person_numbers_it(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        draw(tmp_path / f"frame_{number}.png", value=number)
    (tmp_path / "notes.txt").write_text("no picture")
    source = open_source(str(tmp_path))
    assert (source.width, source.height, source.frame_count) == (8, 6, 3)
    assert [int(np.asarray(frame)[0, 0, 0]) for frame in source.frames] == [1, 2, 10]


def test_a_glob_takes_what_it_matches(tmp_path: Path) -> None:
    for name in ("a_1.png", "a_2.png", "b_1.png"):
        draw(tmp_path / name)
    assert open_source(f"{tmp_path}/a_*.png").frame_count == 2


def test_natural_order_compares_numbers_as_numbers() -> None:
    names = ["f10", "f2", "f2b", "f", "10", "9"]
    ordered = [path.name for path in sorted(map(Path, names), key=natural_order)]
    assert ordered.index("f2") < ordered.index("f10")
    assert ordered.index("9") < ordered.index("10")


def test_names_with_digits_of_any_kind_have_an_order(tmp_path: Path) -> None:
    names = [
        "a1.png",
        "a10.png",
        "a2.png",
        "a².png",
        "a٣.png",
        "②.png",
        "²",
        "1" * 200 + ".png",
        "01.png",
        "1.png",
    ]
    ordered = sorted((tmp_path / name for name in names), key=natural_order)
    backwards = ordered[::-1]
    assert ordered == sorted(backwards, key=natural_order)
    place = [path.name for path in ordered].index
    assert place("a1.png") < place("a2.png") < place("a10.png")


def test_deep_images_are_not_clipped_to_white(tmp_path: Path) -> None:
    ramp = (np.arange(48).reshape(6, 8) * 1000).astype(np.int32)
    Image.fromarray(ramp).save(tmp_path / "deep.tiff")
    assert np.array_equal(next(iter(open_source(str(tmp_path / "deep.tiff")).frames)), ramp)
    Image.fromarray((ramp / 47000).astype(np.float32)).save(tmp_path / "float.tiff")
    assert next(iter(open_source(str(tmp_path / "float.tiff")).frames)).dtype == np.float32
    Image.fromarray(ramp * 2).save(tmp_path / "deeper.tiff")
    with pytest.raises(SourceError, match="mode I holds values from 0 to 94000"):
        open_source(str(tmp_path / "deeper.tiff"))


def test_what_a_shell_makes_of_a_glob_is_the_same_clip(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"f{number}.png")
    source = open_source([str(path) for path in tmp_path.iterdir()])
    assert [int(frame[0, 0, 0]) for frame in source.frames] == [1, 2, 10]
    with pytest.raises(SourceError, match=r"there are 2 sources: .*mp4") as caught:
        open_source([str(tmp_path / "f1.png"), "mp4"])
    assert "-o" in caught.value.advice


def test_transparent_images_keep_their_alpha(tmp_path: Path) -> None:
    draw(tmp_path / "1.png", mode="RGBA")
    assert np.asarray(next(iter(open_source(str(tmp_path)).frames))).shape == (6, 8, 4)


@pytest.mark.parametrize(("pixel_format", "shape"), [("rgb48be", (6, 8, 3)), ("gray16be", (6, 8))])
def test_16_bit_png_stays_16_bit(tmp_path: Path, pixel_format: str, shape: tuple[int, ...]) -> None:
    picture = av.VideoFrame.from_ndarray(np.full((6, 8, 3), 0x80, np.uint8), "rgb24").reformat(
        format=pixel_format
    )
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 8, 6, pixel_format, Fraction(1, 1)
    (tmp_path / "1.png").write_bytes(b"".join(bytes(packet) for packet in context.encode(picture)))
    frame = np.asarray(next(iter(open_source(str(tmp_path)).frames)))
    assert frame.dtype == np.uint16
    assert frame.shape == shape


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "1.png")
    draw(tmp_path / "2.png", size=(9, 6))
    with pytest.raises(SourceError, match=r"2\.png is 9x6"):
        list(open_source(str(tmp_path)).frames)


@pytest.mark.parametrize("shape", [(3, 6, 8, 3), (3, 6, 8, 1), (3, 6, 8), (6, 8, 3)])
def test_arrays_are_read_by_their_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "clip.npy", np.zeros(shape, np.uint8))
    source = open_source(str(tmp_path / "clip.npy"))
    assert (source.width, source.height) == (8, 6)
    assert len(list(source.frames)) == source.frame_count == (1 if len(shape) == 3 and shape[0] == 6 else 3)


def test_an_npz_of_several_arrays_needs_one_called_frames(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", frames=np.zeros((2, 6, 8, 3), np.uint8), seed=np.array(1))
    assert open_source(str(tmp_path / "good.npz")).frame_count == 2
    np.savez(tmp_path / "bad.npz", a=np.zeros(1), b=np.zeros(1))
    with pytest.raises(SourceError, match="several arrays: a, b"):
        open_source(str(tmp_path / "bad.npz"))


@pytest.mark.parametrize("shape", [(6, 8, 2), (2, 3, 6, 8, 3), (0, 6, 8, 3)])
def test_an_array_that_holds_no_frames_is_refused_with_its_shape(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    np.save(tmp_path / "clip.npy", np.zeros(shape, np.uint8))
    if shape == (6, 8, 2):
        assert open_source(str(tmp_path / "clip.npy")).frame_count == 6, "(T, H, W) is gray"
        return
    with pytest.raises(SourceError, match="shape"):
        open_source(str(tmp_path / "clip.npy"))


class Dribble(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, size: int = -1) -> bytes:
        piece, self._rest = self._rest[: min(size, 7)], self._rest[min(size, 7) :]
        return piece


def test_raw_frames_survive_short_reads() -> None:
    layout = FrameLayout(5, 3, PixelFormat.YUV420P)
    data = bytes(range(layout.frame_bytes)) * 2
    assert b"".join(map(bytes, open_raw(Dribble(data), layout, "a pipe").frames)) == data


def test_a_pipe_that_ends_inside_a_frame_says_where() -> None:
    layout = FrameLayout(4, 4, PixelFormat.RGB24)
    with pytest.raises(SourceError, match="inside frame 1: 10 of 48 bytes"):
        list(open_raw(io.BytesIO(bytes(58)), layout, "a pipe").frames)


def test_raw_frames_need_a_layout_and_only_they_take_one() -> None:
    with pytest.raises(SourceError) as caught:
        open_source("-")
    assert "--size" in caught.value.advice
    with pytest.raises(SourceError, match="standard input"):
        open_source("clip.mp4", FrameLayout(4, 4, PixelFormat.RGB24))


@pytest.mark.parametrize("name", ["missing.mp4", "missing-*.png", "empty"])
def test_what_is_not_there_is_said_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=name.partition("*")[0]):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["npy", "npz", "packed.npz", "png", "jpg", "bmp", "tif", "webp", "deep.png"])
def test_a_cut_array_or_image_is_one_clear_error(tmp_path: Path, kind: str, part: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)
    path = tmp_path / f"clip.{kind}"
    if kind == "npy":
        np.save(path, pixels)
    elif kind.endswith("npz"):
        (np.savez if kind == "npz" else np.savez_compressed)(path, frames=pixels)
    elif kind == "deep.png":
        Image.fromarray(pixels[0, ..., 0].astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(pixels[0]).save(path, lossless=True)
    data = path.read_bytes()
    # A few bytes from the end a PNG holds its whole picture.
    path.write_bytes(data[: min(int(len(data) * part), len(data) - 40)])
    with pytest.raises(SourceError):
        list(open_source(str(path if "webp" not in kind else tmp_path)).frames)


def test_what_other_systems_leave_beside_images_is_not_taken_for_one(tmp_path: Path) -> None:
    for number in (1, 2):
        draw(tmp_path / f"frame_{number}.jpg", value=number)
        (tmp_path / f"._frame_{number}.jpg").write_bytes(b"\0\5\x16\7 Mac OS X")
    assert open_source(str(tmp_path)).frame_count == 2
    assert open_source(str(tmp_path / "*.jpg")).frame_count == 2
    draw(tmp_path / ".hidden.png")
    assert open_source(str(tmp_path / ".hidden.png")).frame_count == 1, "it was named"


@pytest.mark.parametrize("first", ["L", "RGB", "RGBA"])
def test_gray_images_among_coloured_ones_are_taken(tmp_path: Path, first: str) -> None:
    channels = 4 if first == "RGBA" else 3
    for number, mode in enumerate([first, "L", "RGBA" if first == "RGBA" else "RGB", "1", "L"]):
        Image.new(mode, (16, 8), 200 if mode == "L" else "white").save(tmp_path / f"{number}.png")
    source = open_source(str(tmp_path))
    frames = list(source.frames)
    assert [frame.shape for frame in frames] == [(8, 16, channels)] * 5
    assert source.frame_bytes == 16 * 8 * channels
    assert (frames[4][..., :3] == 200).all()


def test_gray_images_alone_stay_gray(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (16, 8), 9).save(tmp_path / f"{number}.png")
    assert {frame.shape for frame in open_source(str(tmp_path)).frames} == {(8, 16)}
