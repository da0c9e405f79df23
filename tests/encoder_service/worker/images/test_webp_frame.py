"""Colours beside a mask are coded exactly as libwebp itself codes them beside an alpha channel."""

from __future__ import annotations

import numpy as np
import pytest

from encoder_service.spec.spec import Color, ColorMatrix, ColorPrimaries, ColorRange, ColorTransfer
from encoder_service.worker.containers.webp import Still, join_still, split_still
from encoder_service.worker.images.pixels import Pixels
from encoder_service.worker.images.reuse import Change, Mask
from encoder_service.worker.images.webp_frame import ENCODER, WebpSettings, encode_frame
from encoder_service.worker.libav.pictures import Converter, PictureFormat, planes_of, wrap
from encoder_service.worker.libav.stills import blank_picture, encode_still

_YUV = Color(ColorPrimaries.BT709, ColorTransfer.IEC61966_2_1, ColorMatrix.SMPTE170M, ColorRange.LIMITED)
_SETTINGS = WebpSettings(quality=80, method=4, is_lossless=False)


def coded_colors(still: Still) -> bytes:
    return still.chunks[still.chunks.index(b"VP8 ") :]


def as_libwebp_does(pixels: Pixels, mask: Mask) -> Still:
    rows, columns = mask.shape
    source = PictureFormat("rgb24", columns, rows)
    converter = Converter(source, PictureFormat("yuv420p", columns, rows, _YUV))
    plain = converter.convert(wrap([pixels], source))
    picture = blank_picture(PictureFormat("yuva420p", columns, rows, _YUV))
    for target, plane in zip(
        planes_of(picture), [*planes_of(plain), mask.astype(np.uint8) * 255], strict=True
    ):
        target[...] = plane
    return split_still(encode_still(picture, ENCODER, _SETTINGS.options))


@pytest.mark.parametrize(("rows", "columns"), [(64, 96), (24, 200), (8, 8), (72, 40)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_the_colours_of_a_masked_frame_are_those_that_libwebp_codes(
    rows: int, columns: int, share: float
) -> None:
    random = np.random.default_rng(rows + columns)
    pixels = np.cumsum(random.integers(-9, 10, (rows, columns, 3)), axis=1).astype(np.uint8)
    blocks = random.random((rows // 8, columns // 8)) < share
    mask = blocks.repeat(8, axis=0).repeat(8, axis=1)
    frame = encode_frame(pixels, Change(0, 0, columns, rows, mask), 40, _SETTINGS)
    assert coded_colors(frame.still) == coded_colors(as_libwebp_does(pixels, mask))
    assert frame.still.has_alpha


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 9), (33, 47), (90, 160)])
def test_a_mask_is_exact_at_every_size(rows: int, columns: int) -> None:
    random = np.random.default_rng(rows)
    pixels = random.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    blocks = random.random((rows // 8 + 1, columns // 8 + 1)) < 0.5
    mask = blocks.repeat(8, axis=0).repeat(8, axis=1)[:rows, :columns]
    # A mask that is not kept is an error.
    frame = encode_frame(pixels, Change(0, 0, columns, rows, mask), 40, _SETTINGS)
    assert split_still(join_still(frame.still, columns, rows)) == frame.still
