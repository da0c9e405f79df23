"""One PNG picture: encodes an array of 8 or 16 bits and decodes it again at once."""

from __future__ import annotations

import io

import msgspec
import numpy as np

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import BT709, SRGB, ColorRange
from encoder_service.worker.containers.png import SIGNATURE, PngPicture, make_chunk, split_png
from encoder_service.worker.images.options import OptionRange
from encoder_service.worker.images.pixels import Pixels
from encoder_service.worker.libav.pictures import Converter, PictureFormat, planes_of, wrap
from encoder_service.worker.libav.stills import decode_still, encode_still

ENCODER = "png"
BT709_FULL = msgspec.structs.replace(BT709, range=ColorRange.FULL)
OPTIONS = {
    "compression_level": OptionRange(0, 9, 3),
    "pred": OptionRange(0, 5, 5, words=("none", "sub", "up", "avg", "paeth", "mixed")),
}
"""FFmpeg's names."""


class PngSettings(msgspec.Struct, frozen=True):
    """How the pictures of a sequence are encoded."""

    pixel_format: str
    """The layout of the arrays: "gray", "rgb24", "rgba", "gray16le", "rgb48le" or "rgba64le"."""
    options: dict[str, str]


def coded_format(pixel_format: str) -> str:
    """What a pixel format becomes in the file: PNG is big-endian."""
    return pixel_format.removesuffix("le") + "be" if pixel_format.endswith("le") else pixel_format


def encode_picture(pixels: Pixels, settings: PngSettings) -> PngPicture:
    """Encodes one picture. Threads may do so side by side.

    Raises OutputError; with code VERIFICATION_FAILED where the decoder sees anything else.
    """
    rows, columns = pixels.shape[:2]
    # Only the order of bytes changes; for gray, swscale wants a matrix to be named all the same.
    color = BT709_FULL if pixels.ndim == 2 else SRGB
    source = PictureFormat(settings.pixel_format, columns, rows, color)
    target = PictureFormat(coded_format(settings.pixel_format), columns, rows, color)
    picture = Converter(source, target).convert(wrap([np.ascontiguousarray(pixels)], source))
    data = encode_still(picture, ENCODER, settings.options)
    decoded = decode_file(data)
    if decoded.shape != pixels.shape or not np.array_equal(decoded, pixels):
        raise OutputError(
            FailureCode.VERIFICATION_FAILED, "a PNG picture was decoded otherwise", is_retryable=True
        )
    return split_png(io.BytesIO(data))


def decode_picture(picture: PngPicture) -> Pixels:
    """Decodes a picture; 16-bit samples come big-endian. Raises OutputError."""
    chunks = (
        make_chunk(b"IHDR", picture.header) + make_chunk(b"IDAT", picture.data) + make_chunk(b"IEND", b"")
    )
    return decode_file(SIGNATURE + chunks)


def decode_file(data: bytes) -> Pixels:
    """Decodes a file of one picture; 16-bit samples come big-endian. Raises OutputError."""
    pixels: Pixels = planes_of(decode_still(data, "png"))[0]
    return pixels
