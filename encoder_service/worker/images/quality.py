"""Which frames of an image output are compared with what was sent, and in which form."""

from __future__ import annotations

import numpy as np

from encoder_service.worker.images.pixels import Pixels
from encoder_service.worker.quality import Rgb8

SAMPLES = 5


def sampled_frames(frame_count: int, samples: int = SAMPLES) -> tuple[int, ...]:
    """Evenly spaced frame numbers, the first and the last among them."""
    if frame_count <= samples:
        return tuple(range(frame_count))
    return tuple(round(step * (frame_count - 1) / (samples - 1)) for step in range(samples))


def as_rgb8(pixels: Pixels) -> Rgb8:
    """Gray, RGB or RGBA of any depth as RGB or RGBA of 8 bits."""
    if pixels.dtype.itemsize == 2:
        pixels = (pixels.astype(np.uint32) * 255 + 32767) // 65535
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, axis=2)
    return pixels.astype(np.uint8, copy=False)
