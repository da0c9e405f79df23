"""Animations made by the container are what Pillow and the container's own reader find in them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from encoder_service.worker.containers.webp import (
    MAX_DURATION_MILLISECONDS,
    AnimationHead,
    AnimationWriter,
    FrameEntry,
    Placement,
    WebpError,
    join_still,
    read_frames,
    read_head,
    split_still,
    with_alpha_plane,
)


def still_file(width: int, height: int, color: tuple[int, ...], *, lossless: bool = True) -> bytes:
    file = io.BytesIO()
    mode = "RGBA" if len(color) == 4 else "RGB"
    Image.new(mode, (width, height), color).save(file, "WEBP", lossless=lossless, exact=True)
    return file.getvalue()


def placements(draw: st.DrawFn, canvas: tuple[int, int]) -> Placement:
    x, y = draw(st.integers(0, (canvas[0] - 1) // 2)) * 2, draw(st.integers(0, (canvas[1] - 1) // 2)) * 2
    return Placement(
        x,
        y,
        draw(st.integers(1, canvas[0] - x)),
        draw(st.integers(1, canvas[1] - y)),
        draw(st.integers(0, MAX_DURATION_MILLISECONDS)),
        draw(st.booleans()),
    )


@st.composite
def animations(draw: st.DrawFn) -> tuple[AnimationHead, list[FrameEntry]]:
    canvas = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    frames = []
    for _ in range(draw(st.integers(1, 5))):
        placement = placements(draw, canvas)
        channels = draw(st.sampled_from([3, 4]))
        color = tuple(draw(st.integers(0, 255)) for _ in range(channels))
        data = still_file(placement.width, placement.height, color, lossless=draw(st.booleans()))
        frames.append(FrameEntry(placement, split_still(data)))
    has_alpha = any(frame.still.has_alpha for frame in frames)
    return AnimationHead(*canvas, has_alpha, draw(st.integers(0, 65535))), frames


def write(head: AnimationHead, frames: list[FrameEntry]) -> io.BytesIO:
    file = io.BytesIO()
    writer = AnimationWriter(file, head.width, head.height, head.loop_count)
    for frame in frames:
        writer.add(frame.placement, frame.still)
    writer.finish()
    assert writer.bytes_written == len(file.getvalue())
    file.seek(0)
    return file


@settings(deadline=None, max_examples=60)
@given(animations())
def test_what_is_written_is_read_back_frame_for_frame(made: tuple[AnimationHead, list[FrameEntry]]) -> None:
    head, frames = made
    file = write(head, frames)
    assert read_head(file) == head
    assert list(read_frames(file)) == frames


@settings(deadline=None, max_examples=40)
@given(animations())
def test_an_independent_reader_sees_the_same_frames_size_loops_and_durations(
    made: tuple[AnimationHead, list[FrameEntry]],
) -> None:
    head, frames = made
    with Image.open(write(head, frames)) as image:
        assert (image.size, image.n_frames, image.info["loop"]) == (
            (head.width, head.height),
            len(frames),
            head.loop_count,
        )
        elapsed = 0
        for index, frame in enumerate(frames):
            image.seek(index)
            image.load()
            elapsed += frame.placement.duration_milliseconds
            assert image.info["timestamp"] + image.info["duration"] == elapsed


def test_a_blended_frame_lets_the_frame_before_show_through() -> None:
    red = FrameEntry(Placement(0, 0, 4, 4, 10, False), split_still(still_file(4, 4, (255, 0, 0))))
    hole = np.zeros((2, 2, 4), np.uint8)
    hole[0, 0] = 0, 0, 255, 255
    file = io.BytesIO()
    Image.fromarray(hole).save(file, "WEBP", lossless=True)
    blue = FrameEntry(Placement(2, 2, 2, 2, 10, True), split_still(file.getvalue()))
    with Image.open(write(AnimationHead(4, 4, False, 0), [red, blue])) as image:
        image.seek(1)
        pixels = np.asarray(image.convert("RGB"))
    assert pixels[2, 2].tolist() == [0, 0, 255]
    assert pixels[3, 3].tolist() == pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("color", [(1, 2, 3), (1, 2, 3, 77)])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_still_is_taken_apart_and_joined_again(color: tuple[int, ...], lossless: bool) -> None:
    data = still_file(7, 5, color, lossless=lossless)
    still = split_still(data)
    assert still.has_alpha == (len(color) == 4)
    with Image.open(io.BytesIO(join_still(still, 7, 5))) as joined, Image.open(io.BytesIO(data)) as plain:
        assert np.array_equal(np.asarray(joined), np.asarray(plain))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (9, 6), (64, 48)])
def test_the_green_of_a_lossless_picture_becomes_the_alpha_of_a_lossy_one(width: int, height: int) -> None:
    alpha = np.arange(width * height, dtype=np.uint32).reshape(height, width) * 37 % 256
    green = np.zeros((height, width, 3), np.uint8)
    green[..., 1] = alpha
    file = io.BytesIO()
    Image.fromarray(green).save(file, "WEBP", lossless=True)
    color = still_file(width, height, (200, 30, 90), lossless=False)
    still = with_alpha_plane(split_still(color), split_still(file.getvalue()))
    with (
        Image.open(io.BytesIO(join_still(still, width, height))) as image,
        Image.open(io.BytesIO(color)) as plain,
    ):
        shown = np.asarray(image.convert("RGBA"))
        assert np.array_equal(shown[..., 3], alpha)
        opaque = alpha > 0
        assert np.array_equal(shown[opaque][:, :3], np.asarray(plain.convert("RGB"))[opaque])


def test_an_alpha_channel_is_made_of_a_lossless_picture_alone() -> None:
    lossy, lossless = (split_still(still_file(4, 4, (1, 2, 3), lossless=flag)) for flag in (False, True))
    for color, alpha in ((lossy, lossy), (lossless, lossless), (lossless, lossy)):
        with pytest.raises(WebpError, match="lossless picture, for a lossy one"):
            with_alpha_plane(color, alpha)


def test_metadata_of_a_still_stays_out_of_the_animation() -> None:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "WEBP", exif=b"Exif\0\0secret", icc_profile=b"x" * 200)
    assert b"secret" not in split_still(file.getvalue()).chunks


@pytest.mark.parametrize(
    ("placement", "reason"),
    [
        (Placement(1, 0, 2, 2, 0, False), "even"),
        (Placement(0, 3, 2, 1, 0, False), "even"),
        (Placement(4, 0, 5, 2, 0, False), "edge"),
        (Placement(0, 0, 0, 2, 0, False), "no pixels"),
        (Placement(0, 0, 2, 2, 1 << 24, False), "at most"),
    ],
)
def test_a_frame_that_the_container_cannot_hold_is_refused(placement: Placement, reason: str) -> None:
    writer = AnimationWriter(io.BytesIO(), 8, 8, 0)
    with pytest.raises(WebpError, match=reason):
        writer.add(placement, split_still(still_file(2, 2, (0, 0, 0))))


@pytest.mark.parametrize(("width", "height", "loops"), [(0, 1, 0), (1, 16384, 0), (1, 1, 65536), (1, 1, -1)])
def test_limits_of_the_format_are_named(width: int, height: int, loops: int) -> None:
    with pytest.raises(WebpError, match="WebP"):
        AnimationWriter(io.BytesIO(), width, height, loops)


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_a_file_cut_anywhere_or_with_a_wrong_head_is_refused(data: st.DataObject) -> None:
    frame = FrameEntry(Placement(0, 0, 2, 2, 1, False), split_still(still_file(2, 2, (9, 9, 9))))
    whole = write(AnimationHead(2, 2, False, 0), [frame, frame]).getvalue()
    cut = io.BytesIO(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(WebpError):
        read_head(cut)


@given(st.binary(max_size=60))
def test_noise_behind_a_right_head_is_refused_or_read_but_never_crashes(noise: bytes) -> None:
    file = write(AnimationHead(2, 2, False, 0), [])
    data = file.getvalue() + noise
    changed = io.BytesIO(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    read_head(changed)
    try:
        for _ in read_frames(changed):
            pass
    except WebpError:
        pass
