"""PIL images stand upright, and gray ones among coloured ones have their colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from telecine import ImageOverlay
from telecine.exceptions import InvalidFramesError
from telecine.frames.animation import whole
from telecine.request.overlay_messages import OverlayMessages

from tests.client.frames.test_animation import read


def photo(kind: str, orientation: int, *, mode: str = "RGB", count: int = 1) -> Image.Image:
    """A picture of 5 x 3 pixels, all different, as a camera writes it."""
    samples = np.random.default_rng(7).integers(0, 256, (count, 3, 5, 3), np.uint8)
    pictures = [Image.fromarray(each).convert(mode) for each in samples]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    many = {"save_all": True, "append_images": pictures[1:]} if count > 1 else {}
    lossless = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(file, kind, exif=exif, **many, **lossless)
    return Image.open(file)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_image_is_turned_upright(kind: str, orientation: int) -> None:
    expected = np.asarray(ImageOps.exif_transpose(photo(kind, orientation)).convert("RGB"))
    assert expected.shape[:2] == ((5, 3) if orientation > 4 else (3, 5))
    frames, warnings = read([photo(kind, orientation)] * 2)
    assert np.array_equal(frames, np.stack([expected] * 2))
    assert warnings == []


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "P", "LA"])
def test_an_image_of_any_mode_is_turned_upright(mode: str) -> None:
    frames, _ = read([photo("PNG", 6, mode=mode)])
    assert frames.shape[1:3] == (5, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_each_picture_of_an_animation_is_turned_upright(kind: str) -> None:
    frames, _ = read(whole(photo(kind, 6, count=3)))
    assert frames.shape[:3] == (3, 5, 3)


def test_an_image_that_was_turned_already_stays_as_it_is() -> None:
    frames, _ = read([ImageOps.exif_transpose(photo("JPEG", 6))])
    assert frames.shape[1:3] == (5, 3)


def test_damaged_exif_data_turns_nothing() -> None:
    image = Image.new("RGB", (5, 3))
    image.info["exif"] = b"Exif\0\0MM\0*garbage"
    assert read([image])[0].shape[1:3] == (3, 5)


def test_an_overlay_is_turned_upright() -> None:
    overlay = OverlayMessages().message(ImageOverlay(photo("JPEG", 6)), "overlays[0]")
    sent = Image.open(io.BytesIO(overlay.image.image))
    assert (sent.size, dict(sent.getexif())) == ((3, 5), {})


@pytest.mark.parametrize(("first", "channels"), [("RGB", 3), ("RGBA", 4)])
@pytest.mark.parametrize("gray", ["L", "1", "RGB"])
def test_a_gray_or_opaque_image_among_coloured_ones_is_taken(first: str, channels: int, gray: str) -> None:
    frames, warnings = read([Image.new(first, (4, 2), "red"), Image.new(gray, (4, 2), "white")])
    assert frames.shape == (2, 2, 4, channels)
    assert (frames[1] == 255).all()
    assert warnings == []


def test_a_gray_image_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidFramesError, match="a frame is 4x3"):
        read([Image.new("RGB", (4, 2)), Image.new("L", (4, 3))])
