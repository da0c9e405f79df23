"""The only door to Pillow: still pictures to bytes and back, and text as pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError, features

from encoder_service.outputs.writer import OutputError

Pixels = npt.NDArray[Any]
"""Shape (rows, columns) or (rows, columns, channels); uint8, or native uint16 for gray."""


def encode_png(pixels: Pixels, compression_level: int) -> bytes:
    """Encodes gray, RGB or RGBA of 8 bits, or gray of 16 bits. Raises OutputError."""
    with _translated("ENCODING_FAILED", "png"):
        file = io.BytesIO()
        _image(pixels).save(file, "PNG", compress_level=compression_level)
        return file.getvalue()


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encodes gray or RGB of 8 bits, chroma not subsampled, progressive. Raises OutputError."""
    with _translated("ENCODING_FAILED", "jpeg"):
        file = io.BytesIO()
        _image(pixels).save(file, "JPEG", quality=quality, subsampling=0, optimize=True, progressive=True)
        return file.getvalue()


def decode_still(data: bytes, *, mode: str = "") -> Pixels:
    """Decodes a still picture of any format to an array of its own; `mode` is Pillow's, such as "RGBA".

    Raises OutputError with code VERIFICATION_FAILED.
    """
    with _translated("VERIFICATION_FAILED", "reading a picture back"), Image.open(io.BytesIO(data)) as image:
        image.load()
        return np.array(image.convert(mode) if mode and image.mode != mode else image)


def draw_text(text: str, size_pixels: int) -> Pixels:
    """Draws one line of text; returns its coverage, 0 to 255, shape (rows, columns), without margins."""
    font = ImageFont.load_default(size_pixels)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    return np.array(image)


def library_versions() -> dict[str, str]:
    """The builds that pictures are made with."""
    found = {"pillow": PIL.__version__}
    for name, feature in (("zlib", "zlib"), ("libjpeg-turbo", "libjpeg_turbo")):
        version = features.version(feature)
        if version:
            found[name] = str(version)
    return found


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels))


@contextmanager
def _translated(code: str, what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, MemoryError) as error:
        raise OutputError(code, f"{what}: {error}") from error
