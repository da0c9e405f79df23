"""An image that holds several pictures is a clip, and what of it is not kept is said."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence
from telecine.exceptions import InvalidFramesError
from telecine.frames.animation import whole
from telecine.frames.reader import FrameReader
from telecine.request.source_warnings import SourceWarnings

KINDS = ("GIF", "WEBP", "PNG", "TIFF")


def animation(kind: str, *, mode: str = "RGB", durations: object = 100, alpha: int = 255) -> Image.Image:
    pictures = [Image.new("RGBA", (16, 12), (25 * n, 0, 0, alpha if n else 255)) for n in range(10)]
    pictures = [picture.convert(mode) for picture in pictures]
    file = io.BytesIO()
    lossless = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=durations, **lossless)
    return Image.open(file)


def read(frames: object, *, is_strict: bool = False) -> tuple[np.ndarray, list[str]]:
    warnings = SourceWarnings(is_strict=is_strict)
    reader = FrameReader(warnings=warnings)
    data = b"".join(bytes(block) for item in reader.items(frames) for block in reader.blocks(item))
    reader.end()
    shape = (-1, reader.layout.height, reader.layout.width, reader.layout.channels)
    return np.frombuffer(data, np.uint8).reshape(shape), [warning.code.value for warning in warnings.found]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_animation_is_all_of_its_pictures(kind: str) -> None:
    image = animation(kind)
    image.seek(3)
    frames, warnings = read(whole(image))
    assert frames.shape == (10, 12, 16, 3)
    assert np.abs(frames[:, 0, 0, 0].astype(int) - 25 * np.arange(10)).max() <= 3
    assert warnings == []
    assert image.tell() == 3


def test_transparency_of_one_picture_is_alpha_of_all() -> None:
    for kind in ("WEBP", "PNG"):
        frames, _ = read(whole(animation(kind, mode="RGBA", alpha=90)))
        assert frames.shape[-1] == 4
        assert frames[0, 0, 0, 3] == 255
        assert frames[5, 0, 0, 3] == 90
    assert read(whole(animation("PNG", mode="L")))[0].shape[-1] == 1


def test_one_image_that_is_the_whole_clip_has_alpha_where_it_is_not_opaque() -> None:
    for mode in ("RGBA", "LA"):
        assert read(whole(Image.new("RGB", (16, 12), "red").convert(mode)))[0].shape == (1, 12, 16, 3)
    seen_through = Image.new("RGBA", (16, 12), (9, 9, 9, 90))
    assert read(whole(seen_through))[0].shape == (1, 12, 16, 4)
    reader = FrameReader(pixel_format="rgba")  # the caller's own word counts
    opaque = Image.new("RGBA", (16, 12), "red")
    assert sum(len(block) for item in reader.items(whole(opaque)) for block in reader.blocks(item)) == 768


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_pauses_of_different_lengths_are_reported(kind: str) -> None:
    uneven = animation(kind, durations=[100] * 9 + [800])
    assert read(whole(uneven))[1] == ["SOURCE_TIMING_CHANGED"]
    with pytest.raises(InvalidFramesError, match=r"SOURCE_TIMING_CHANGED.*100 to 800 ms"):
        read(whole(uneven), is_strict=True)


def test_pushed_bit_by_bit_each_picture_counts_once() -> None:
    image = animation("GIF")

    def moved_on() -> Iterator[Image.Image]:
        for number in range(10):
            image.seek(number)
            yield image

    for frames in (ImageSequence.Iterator(image), moved_on()):
        found, warnings = read(frames)
        assert (len(found), warnings) == (10, [])


def test_animations_in_a_list_count_as_what_they_show_and_that_is_reported() -> None:
    found, warnings = read([animation("GIF"), animation("GIF")])
    assert (len(found), warnings) == (2, ["SOURCE_FRAMES_DROPPED"])
    with pytest.raises(InvalidFramesError, match="SOURCE_FRAMES_DROPPED"):
        read([animation("WEBP")], is_strict=True)


def test_pages_of_different_sizes_are_no_clip() -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 12)).save(file, "TIFF", save_all=True, append_images=[Image.new("RGB", (4, 3))])
    found, warnings = read(whole(Image.open(file)))
    assert (found.shape[0], warnings) == (1, ["SOURCE_FRAMES_DROPPED"])


def test_a_damaged_animation_is_one_clear_error() -> None:
    file = animation("PNG").fp
    data = file.getvalue()
    with pytest.raises(InvalidFramesError, match="animated image cannot be read"):
        read(whole(Image.open(io.BytesIO(data[: len(data) // 2]))))


def test_a_profile_that_is_not_srgb_is_reported() -> None:
    image = Image.new("RGB", (16, 12))
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read([image])[1] == []
    image.info["icc_profile"] = b"Display P3"
    assert read([image])[1] == ["SOURCE_PROFILE_IGNORED"]
