"""The client's conversion has the server's values, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from telecine.frames.yuv420 import Yuv420Converter

from encoder_service.spec.spec import BT709, SRGB
from encoder_service.worker.libav import pictures


def servers_conversion(rgb: np.ndarray) -> np.ndarray:
    height, width, _ = rgb.shape
    source = pictures.PictureFormat("rgb24", width, height, SRGB)
    target = pictures.PictureFormat("yuv420p", width, height, BT709)
    picture = pictures.Converter(source, target).convert(pictures.wrap([rgb], source))
    return np.concatenate([plane.ravel() for plane in pictures.planes_of(picture)])


def gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack((x * 255 // (width - 1), y * 255 // (height - 1), (x + y) % 256), -1).astype(np.uint8)


def primaries(height: int, width: int) -> np.ndarray:
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8)
    return np.resize(corners, (height, width, 3))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("draw", [noise, gradient, primaries])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 16), (4, 2), (48, 64), (130, 302), (480, 832)])
def test_every_sample_equals_the_servers_conversion(draw, height: int, width: int) -> None:
    rgb = draw(height, width)
    converted = Yuv420Converter(width, height).convert(rgb)
    np.testing.assert_array_equal(converted, servers_conversion(rgb))


@pytest.mark.parametrize(("height", "width"), [(3, 5), (48, 63), (47, 64), (1, 1)])
def test_odd_sizes_equal_the_servers_conversion_of_the_padded_frame(height: int, width: int) -> None:
    rgb = noise(height, width)
    even = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    expected = servers_conversion(even)
    luma = expected[: even.shape[0] * even.shape[1]].reshape(even.shape[:2])[:height, :width]
    converted = Yuv420Converter(width, height).convert(rgb)
    np.testing.assert_array_equal(converted[: height * width].reshape(height, width), luma)
    np.testing.assert_array_equal(converted[height * width :], expected[even.shape[0] * even.shape[1] :])


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected uint8 of shape"):
        Yuv420Converter(4, 4).convert(noise(4, 6))
