"""Pays ahead, in the zygote, for every import that an output would otherwise pay for."""

from __future__ import annotations

import importlib

import numpy as np

from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import PixelFormat
from encoder_service.worker import pillow
from encoder_service.worker.process import capabilities
from encoder_service.worker.writer import load_writer

_AT_FIRST_USE = (
    "av.subtitles.stream", "encodings.cp437",
    # Readers of the pictures that overlays may be, with their own libraries.
    *(f"PIL.{name}ImagePlugin" for name in ("Png", "Jpeg", "WebP", "Gif", "Bmp")),
)  # fmt: skip
"""What libraries import when they are first used, however they have been imported."""


def import_ahead() -> None:
    """Imports all writers, and uses Pillow and NumPy once: both import parts of themselves at first use."""
    for row in FORMATS.values():
        load_writer(row)
    pixels = np.full((8, 8, 3), 128, np.uint8)
    pillow.decode_still(pillow.encode_jpeg(pixels, 80))
    pillow.draw_text("0", 12)
    capabilities.color_bars(0, PixelFormat.RGBA)
    for name in _AT_FIRST_USE:
        importlib.import_module(name)
    weights = np.eye(3, dtype=np.float32)
    _ = pixels.astype(np.float32) @ weights  # a BLAS that starts threads does so here, where they are counted
