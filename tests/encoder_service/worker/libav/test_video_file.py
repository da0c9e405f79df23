"""Files become raw frames, in their own pixel format where the contract knows it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import ColorMatrix, ColorRange, PixelFormat
from encoder_service.worker.color import UNSPECIFIED
from encoder_service.worker.libav.sources.reading import Reading
from encoder_service.worker.libav.video_file import open_video


def write_clip(
    path: Path, pixel_format: str, *, codec: str = "ffv1", size: tuple[int, int] = (64, 32)
) -> None:
    """Draws four frames, each brighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(24000, 1001))
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.colorspace = UNSPECIFIED
        for index in range(4):
            picture = np.full((size[1], size[0], 3), 40 * index + 20, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
            frame.colorspace = UNSPECIFIED
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_a_known_pixel_format_is_kept(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "yuv420p")
    video = open_video(tmp_path / "clip.mkv")
    assert video.pixel_format == PixelFormat.YUV420P
    assert video.frame_rate == Fraction(24000, 1001)
    assert [len(frame) for frame in video.frames] == [64 * 32 * 3 // 2] * 4


def test_odd_sizes_have_chroma_rounded_up(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "yuv420p", size=(65, 33))
    video = open_video(tmp_path / "clip.mkv")
    assert {len(frame) for frame in video.frames} == {PixelFormat.YUV420P.frame_bytes(65, 33)}


@pytest.mark.parametrize(
    ("coded", "codec", "expected"),
    [
        ("yuv422p", "ffv1", PixelFormat.YUV444P),
        ("yuv422p10le", "prores_ks", PixelFormat.RGB48LE),
        ("bgra", "ffv1", PixelFormat.RGBA),
        ("yuv420p10le", "ffv1", PixelFormat.YUV420P10LE),
    ],
)
def test_another_pixel_format_becomes_one_that_holds_it(
    tmp_path: Path, coded: str, codec: str, expected: PixelFormat
) -> None:
    write_clip(tmp_path / "clip.mov" if codec == "prores_ks" else tmp_path / "clip.mkv", coded, codec=codec)
    video = open_video(next(tmp_path.iterdir()))
    assert video.pixel_format == expected
    assert {len(frame) for frame in video.frames} == {expected.frame_bytes(64, 32)}


def test_an_rgb_file_is_full_range_rgb(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "bgr0")
    video = open_video(tmp_path / "clip.mkv")
    assert (video.color.matrix, video.color.range) == (ColorMatrix.RGB, ColorRange.FULL)
    assert next(video.frames)[:3] == bytes([20, 20, 20])


def test_an_untagged_small_file_is_taken_as_smpte170m_and_says_so(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", "yuv420p", codec="libx264")
    video = open_video(tmp_path / "clip.mkv")
    assert video.color.matrix == ColorMatrix.SMPTE170M
    assert not video.is_color_tagged


def test_what_is_taken_of_an_untagged_file_is_its_own_matrix_not_that_of_the_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mov", "yuv422p10le", codec="prores_ks")
    write_clip(tmp_path / "tall.mkv", "yuva420p", size=(64, 720))
    small, tall = open_video(tmp_path / "clip.mov"), open_video(tmp_path / "tall.mkv")
    assert (small.coded_matrix, small.color.matrix) == (ColorMatrix.SMPTE170M, ColorMatrix.RGB)
    assert (tall.coded_matrix, tall.color.matrix) == (ColorMatrix.BT709, ColorMatrix.RGB)


def write_animation(path: Path, *, last_alpha: int) -> None:
    pictures = [Image.new("RGBA", (16, 12), (50 * n, 9, 9, 255)) for n in range(4)]
    pictures[-1].putpixel((3, 2), (1, 2, 3, last_alpha))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, disposal=1)


@pytest.mark.parametrize("name", ["anim.gif", "anim.png"])
def test_an_animation_has_alpha_where_a_picture_of_it_is_not_opaque(tmp_path: Path, name: str) -> None:
    write_animation(tmp_path / name, last_alpha=255)
    opaque = open_video(tmp_path / name)
    assert opaque.pixel_format == PixelFormat.RGB24
    frames = [np.frombuffer(frame, np.uint8).reshape(12, 16, 3) for frame in opaque.frames]
    assert np.abs(np.array([frame[0, 0, 0] for frame in frames], int) - [0, 50, 100, 150]).max() <= 3


def test_an_animation_with_one_pixel_that_is_not_opaque_keeps_its_alpha(tmp_path: Path) -> None:
    write_animation(tmp_path / "anim.png", last_alpha=200)
    video = open_video(tmp_path / "anim.png")
    assert video.pixel_format == PixelFormat.RGBA
    assert min(frame[3::4][2 * 16 + 3] for frame in video.frames) == 200


@pytest.mark.parametrize(
    ("size", "aspect", "scale"),
    [((160, 120), Fraction(4, 3), "214x120"), ((161, 121), Fraction(3, 4), "161x162")],
)
def test_the_scaled_side_advised_for_pixels_that_are_not_square_is_even(
    tmp_path: Path, size: tuple[int, int], aspect: Fraction, scale: str
) -> None:
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        stream.codec_context.sample_aspect_ratio = aspect
        container.mux(stream.encode(av.VideoFrame(*size, "yuv444p")))
        container.mux(stream.encode())
    (loss,) = open_video(tmp_path / "clip.mkv", reading=Reading(has_square_pixels=False)).losses
    assert f"scale={scale},scale_mode=stretch" in loss.message


@pytest.mark.parametrize("content", [b"", b"this is no film" * 20])
def test_a_file_that_is_no_video_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "note.mp4").write_bytes(content)
    with pytest.raises(OutputError, match=r"note\.mp4") as caught:
        open_video(tmp_path / "note.mp4")
    assert caught.value.code == "SOURCE_UNREADABLE"
