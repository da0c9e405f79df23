"""A video file is shown as players do, upright and in square pixels; or as it lies, with a warning."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from telecine.cli.encode.sources import Source, SourceChoices, SourceError, open_source
from telecine.clients.embedded import EmbeddedServer
from telecine.request.source_warnings import SourceCode

from tests.client.cli.terminal_command import telecine

WIDTH, HEIGHT = 64, 48
CORNER = np.array([250, 20, 30])


def marked() -> npt.NDArray[np.uint8]:
    """Gray with a red upper left corner and a bright upper right one: no two ways to lie look the same."""
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    picture[:16, :16] = CORNER
    picture[:8, -16:] = 230
    return picture


def write(
    path: Path,
    *,
    codec: str = "png",
    pixel_format: str = "rgb24",
    turn: tuple[int, bool, bool] | None = None,
    aspect: Fraction | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    options: dict[str, str] | None = None,
    count: int = 3,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        if turn is not None:
            stream.set_display_rotation(turn[0], hflip=turn[1], vflip=turn[2])
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        picture = marked() if size == (WIDTH, HEIGHT) else np.zeros((size[1], size[0], 3), np.uint8)
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


def pictures(source: Source) -> npt.NDArray[Any]:
    data = np.frombuffer(b"".join(map(bytes, source.frames)), np.uint8)
    return data.reshape(-1, source.height, source.width, 3)


def codes(source: Source) -> list[SourceCode]:
    return [loss.code for loss in source.losses]


@pytest.mark.parametrize(("horizontal", "vertical"), [(0, 0), (0, 1), (1, 0)])
def test_pixels_of_no_shape_are_those_that_the_codec_states(
    tmp_path: Path, horizontal: int, vertical: int
) -> None:
    path = write(tmp_path / "clip.mov", aspect=Fraction(2))
    state_aspect(path, horizontal, vertical)
    assert open_source(str(path)).width == 2 * WIDTH


def turned_by_hand(turn: tuple[int, bool, bool]) -> npt.NDArray[np.uint8]:
    """The marked picture as a display matrix of that turn and flips is to be shown, by NumPy."""
    degrees, is_across, is_down = turn
    shown = np.rot90(marked(), degrees // 90)
    return np.ascontiguousarray(shown[:: -1 if is_down else 1, :: -1 if is_across else 1])


@pytest.mark.parametrize("turn", list(product((0, 90, 180, 270), (False, True), (False,))))
def test_a_display_matrix_is_followed_or_kept_out_on_request(
    tmp_path: Path, turn: tuple[int, bool, bool]
) -> None:
    path = write(tmp_path / "clip.mov", turn=turn)
    upright = open_source(str(path))
    shown = pictures(upright)
    assert (upright.width, upright.height) == ((HEIGHT, WIDTH) if turn[0] in {90, 270} else (WIDTH, HEIGHT))
    assert np.array_equal(shown[0], turned_by_hand(turn))
    assert codes(upright) == []

    lying = open_source(str(path), choices=SourceChoices(is_turned_upright=False))
    assert np.array_equal(pictures(lying)[0], marked())
    is_plain = turn == (0, False, False)
    assert codes(lying) == ([] if is_plain else [SourceCode.SOURCE_ORIENTATION_IGNORED])


def state_aspect(path: Path, horizontal: int, vertical: int) -> None:
    """Writes into the `pasp` box what no muxer would."""
    data = path.read_bytes()
    at = data.index(b"pasp") + 4
    path.write_bytes(data[:at] + struct.pack(">II", horizontal, vertical) + data[at + 8 :])


@pytest.mark.parametrize(
    ("aspect", "turned", "size"),
    [
        (Fraction(4, 3), 0, (86, 48)),
        (Fraction(3, 4), 0, (64, 64)),
        (Fraction(4, 3), 90, (48, 86)),
        (Fraction(16, 11), 0, (94, 48)),
        (Fraction(1), 0, (64, 48)),
        (Fraction(100), 0, (6400, 48)),
        (Fraction(1, 100), 90, (4800, 64)),
    ],
)
def test_pixels_become_square_and_no_side_shrinks(
    tmp_path: Path, aspect: Fraction, turned: int, size: tuple[int, int]
) -> None:
    path = write(tmp_path / "clip.mov", aspect=Fraction(4, 3), turn=(turned, False, False))
    state_aspect(path, aspect.numerator, aspect.denominator)
    source = open_source(str(path))
    assert (source.width, source.height) == size
    assert codes(source) == []
    picture = pictures(source)[0]
    row, column = (-3, 2) if turned else (2, 2)
    assert np.abs(picture[row, column].astype(int) - CORNER).max() < 12

    kept = open_source(str(path), choices=SourceChoices(has_square_pixels=False))
    assert {kept.width, kept.height} == {WIDTH, HEIGHT}
    is_square = aspect == 1
    assert codes(kept) == ([] if is_square else [SourceCode.SOURCE_PIXELS_NOT_SQUARE])
    if not is_square:
        assert f"scale={size[0]}x{size[1]}," in kept.losses[0].message


@pytest.mark.parametrize(
    ("horizontal", "vertical", "size"),
    [(10000, 1, "640000x48"), (1, 10000, "64x480000"), ((1 << 31) - 1, 1, "x48")],
)
def test_pixels_that_would_burst_every_limit_are_one_clear_error(
    tmp_path: Path, horizontal: int, vertical: int, size: str
) -> None:
    path = write(tmp_path / "clip.mov", aspect=Fraction(4, 3))
    state_aspect(path, horizontal, vertical)
    with pytest.raises(SourceError, match=f"{horizontal}:{vertical}.*{size}.*--no-square-pixels"):
        open_source(str(path))
    kept = open_source(str(path), choices=SourceChoices(has_square_pixels=False))
    assert len(pictures(kept)) == 3


def test_a_scaled_picture_of_an_odd_size_keeps_its_colour_tags(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 61, 45, "yuv444p"
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(4, 3)
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(61, 45, "yuv444p")))
        container.mux(stream.encode())
    out = tmp_path / "out"
    ran = telecine("encode", path, "-o", "mp4", "-d", out, "--json", server=encoder.address)
    assert ran.exit_code == 0, ran.err
    assert [warning["code"] for warning in ran.document["warnings"]] == ["ODD_SIZE_PADDED"]
    with av.open(str(out / "mp4.mp4")) as made:
        stream = made.streams.video[0]
        assert (stream.width, stream.height) == (82, 46)
        frame = next(made.decode(stream))
    assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, 16, 9)


def combed(number: int) -> npt.NDArray[np.uint8]:
    """A bar that moves between the two fields of one picture."""
    picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    for field in (0, 1):
        left = 4 + 6 * (2 * number + field)
        picture[field::2, left : left + 12] = 220
    return picture


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_fields_stay_with_a_warning_or_become_whole_pictures(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 4_000_000
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(combed(number)).reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    as_it_is = open_source(str(path))
    woven = luma(as_it_is)
    assert codes(as_it_is) == [SourceCode.SOURCE_INTERLACED]
    assert "6 of its pictures" in as_it_is.losses[0].message
    whole = open_source(str(path), choices=SourceChoices(is_deinterlaced=True))
    smooth = luma(whole)
    assert codes(whole) == []
    assert whole.color == as_it_is.color
    assert len(smooth) == len(woven) == 6
    assert combing(smooth) < combing(woven) / 3


def luma(source: Source) -> npt.NDArray[np.int64]:
    size = source.width * source.height
    return (
        np.array([np.frombuffer(frame, np.uint8)[:size] for frame in source.frames])
        .reshape(-1, source.height, source.width)
        .astype(int)
    )


def combing(clip: npt.NDArray[np.int64]) -> float:
    """How much each row differs from the mean of its neighbours."""
    inner = clip[1:-1]
    return float(np.abs(inner[:, 1:-1] - (inner[:, :-2] + inner[:, 2:]) / 2).mean())
