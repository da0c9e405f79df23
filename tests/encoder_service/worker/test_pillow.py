"""Pillow: whatever a picture shows, it becomes a file that shows the same."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image, ImageFile

from encoder_service.worker.pillow import Pixels, decode_still, encode_jpeg

SIZES = ((1, 1), (1, 7), (9, 1), (8, 8), (17, 33), (480, 832), (1080, 1920))


def hard_to_code(rows: int, columns: int) -> dict[str, Pixels]:
    """Noise of full contrast is what needs most bytes."""
    rng = np.random.default_rng(rows)
    shape = (rows, columns, 3)
    return {
        "noise": rng.integers(0, 256, shape, np.uint8),
        "black and white": rng.integers(0, 2, shape, np.uint8) * np.uint8(255),
        "gray noise": rng.integers(0, 256, (rows, columns), np.uint8),
    }


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("quality", [1, 30, 75, 94, 95, 100])
def test_noise_of_any_size_becomes_a_jpeg(size: tuple[int, int], quality: int) -> None:
    for pixels in hard_to_code(*size).values():
        with Image.open(io.BytesIO(encode_jpeg(pixels, quality))) as image:
            image.load()
            assert image.size == (size[1], size[0])
            assert image.info["progressive"]


def test_noise_in_4k_becomes_a_jpeg() -> None:
    pixels = hard_to_code(2160, 3840)["black and white"]
    assert decode_still(encode_jpeg(pixels, 100)).shape == pixels.shape


def test_threads_make_jpegs_side_by_side_and_leave_pillow_as_it_was() -> None:
    usual = ImageFile.MAXBLOCK
    made: dict[int, bytes] = {}

    def encode(number: int) -> None:
        rows = 16 << number
        made[number] = encode_jpeg(hard_to_code(rows, rows)["noise"], 100)

    threads = [threading.Thread(target=encode, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [decode_still(made[number]).shape[0] for number in range(6)] == [16 << n for n in range(6)]
    assert usual == ImageFile.MAXBLOCK
