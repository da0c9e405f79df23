"""The only door to Pillow: still pictures to bytes and back, and text as pixels."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, ImageCms, ImageDraw, ImageFile, ImageFont, ImageOps, UnidentifiedImageError, features

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.overlays.picture_header import KINDS
from encoder_service.spec.sizes import MAX_SIDE_PIXELS
from service_host.status.disclosure import for_clients

Pixels = npt.NDArray[Any]
"""Shape (rows, columns) or (rows, columns, channels); uint8, or native uint16 for gray."""

_NO_CHARACTER = "\U0010ffff"
_MAX_FONTS = 16
_MAX_OWN_PIXELS = MAX_SIDE_PIXELS * MAX_SIDE_PIXELS
_OWN_KINDS = ("PNG", "JPEG", "WEBP", "GIF")
# Every function here that opens a picture checks its size before a pixel is decoded; Pillow's own bound
# would be an error of another kind, or a warning.
Image.MAX_IMAGE_PIXELS = None
_ONE_SIZE = threading.Lock()


class Lettering(msgspec.Struct, frozen=True):
    """The font, size and outline that text is drawn with."""

    font: Path
    size_pixels: float
    outline_pixels: float = 0.0
    align: float = 0.0
    """Where shorter lines stand: 0 left, 0.5 in the middle, 1 right."""


class Letters(msgspec.Struct, frozen=True):
    """Text as coverage, 0 to 255, shape (rows, columns)."""

    inside: Pixels
    with_outline: Pixels
    """The letters and the line around them."""
    margin: int
    """Pixels on each side beyond the text's own box, for outlines and what hangs over."""


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encodes gray or RGB of 8 bits, chroma not subsampled, progressive. Raises OutputError."""
    height, width = pixels.shape[:2]
    with _translated(FailureCode.ENCODING_FAILED, "jpeg"), _room_for(_max_jpeg_bytes(width, height)):
        file = io.BytesIO()
        _image(pixels).save(file, "JPEG", quality=quality, subsampling=0, optimize=True, progressive=True)
        return file.getvalue()


def _max_jpeg_bytes(width: int, height: int) -> int:
    # libjpeg-turbo's own bound, without subsampling (tjBufSize): 6 bytes for each pixel of whole blocks.
    return (width + 7 & ~7) * (height + 7 & ~7) * 6 + 2048


@contextmanager
def _room_for(size_bytes: int) -> Iterator[None]:
    """Lets Pillow make files of that size in one piece, as it must make optimized and progressive ones.

    Pillow guesses 1 or 2 bytes a pixel, which noise exceeds. There is no argument for it, only a global;
    what other threads encode meanwhile merely gets more room. Untouched memory costs nothing.
    """
    with _ONE_SIZE:
        usual, ImageFile.MAXBLOCK = ImageFile.MAXBLOCK, max(ImageFile.MAXBLOCK, size_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = usual


def decode_still(data: bytes, *, mode: str = "") -> Pixels:
    """Decodes a still picture of ours to an array of its own; `mode` is Pillow's, such as "RGBA".

    Raises OutputError with code VERIFICATION_FAILED.
    """
    with (
        _translated(FailureCode.VERIFICATION_FAILED, "reading a picture back"),
        _opened(data, _OWN_KINDS) as image,
    ):
        if image.width * image.height > _MAX_OWN_PIXELS:
            raise OutputError(
                FailureCode.VERIFICATION_FAILED, f"a picture of {image.width} x {image.height} is not ours"
            )
        image.load()
        return np.array(image.convert(mode) if mode and image.mode != mode else image)


def draw_text(text: str, size_pixels: int) -> Pixels:
    """Draws one line of text; returns its coverage, 0 to 255, shape (rows, columns), without margins."""
    font = ImageFont.load_default(size_pixels)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    return np.array(image)


def measure_text(text: str, style: Lettering) -> tuple[int, int]:
    """Width and height in pixels of the box of lines of text, by the font's metrics. Raises OutputError."""
    font = _font(style.font, style.size_pixels)
    lines = text.split("\n")
    return max(1, math.ceil(max(font.getlength(line) for line in lines))), len(lines) * sum(font.getmetrics())


def break_lines(text: str, style: Lettering, width_pixels: float) -> str:
    """Breaks lines between words, so that they are no wider than `width_pixels` where that is possible."""
    font = _font(style.font, style.size_pixels)
    broken = []
    for line in text.split("\n"):
        taken = ""
        for word in line.split(" "):
            longer = f"{taken} {word}" if taken else word
            if taken and font.getlength(longer) > width_pixels:
                broken.append(taken)
                longer = word
            taken = longer
        broken.append(taken)
    return "\n".join(broken)


def draw_letters(text: str, style: Lettering) -> Letters:
    """Draws lines of text with their outline. Raises OutputError."""
    font = _font(style.font, style.size_pixels)
    width, height = measure_text(text, style)
    ascent, descent = font.getmetrics()
    margin = math.ceil(style.outline_pixels + style.size_pixels / 4) + 1
    layers = []
    for outline in (0.0, style.outline_pixels):
        image = Image.new("L", (width + 2 * margin, height + 2 * margin))
        pen = ImageDraw.Draw(image)
        for number, line in enumerate(text.split("\n")):
            left = margin + (width - font.getlength(line)) * style.align
            base = margin + ascent + number * (ascent + descent)
            pen.text((left, base), line, fill=255, font=font, anchor="ls", stroke_width=outline)
        layers.append(np.array(image))
    return Letters(layers[0], layers[1], margin)


def missing_glyphs(text: str, font: Path) -> str:
    """The characters that a font cannot show."""
    return _lacking("".join(sorted(set(text))), _font(font, 16.0))


def font_with(text: str, fonts: Iterable[Path], missing: str) -> Path | None:
    """The first font that has every character of a text, or else the one that lacks the fewest.

    None: none lacks fewer than `missing`, what the font that was asked for lacks. Files that are no font are
    passed over.
    """
    characters = missing + "".join(sorted(set(text) - set(missing)))
    best, fewest = None, len(missing)
    for path in fonts:
        try:
            lacking = len(_lacking(characters, ImageFont.truetype(path, 16.0), fewest))
        except (OSError, ValueError):
            continue
        if lacking < fewest:
            best, fewest = path, lacking
        if not fewest:
            break
    return best


def _lacking(characters: str, font: ImageFont.FreeTypeFont, most: int | None = None) -> str:
    """Those of the characters that a font cannot show; with `most`, no more are looked for than that."""
    nothing = bytes(font.getmask(_NO_CHARACTER))
    found = (one for one in characters if not one.isspace() and bytes(font.getmask(one)) == nothing)
    return "".join(islice(found, most))


@lru_cache(_MAX_FONTS)
def _font(path: Path, size_pixels: float) -> ImageFont.FreeTypeFont:
    with _translated(FailureCode.FONT_UNUSABLE, f"font {path.name}"):
        return ImageFont.truetype(path, size_pixels)


class OverlayPicture(msgspec.Struct, frozen=True):
    """The decoded image of an overlay."""

    pixels: Pixels
    """RGBA, 8 bits, straight alpha, in sRGB."""
    ignored_profile: str
    """Why its colour profile could not be used; empty: it was used, or the image has none."""


def read_overlay(data: bytes, max_pixels: int) -> OverlayPicture:
    """Decodes a picture of one of `KINDS`, upright. Raises OutputError INVALID_OVERLAY."""
    with _translated(FailureCode.INVALID_OVERLAY, "the overlay's image"), _opened(data, KINDS) as image:
        if image.width * image.height > max_pixels:
            raise OutputError(
                FailureCode.INVALID_OVERLAY,
                f"the overlay's image has {image.width} x {image.height} pixels; at most {max_pixels} in all",
            )
        image.load()
        upright = ImageOps.exif_transpose(image)
        ignored = ""
        try:
            upright = _in_srgb(upright)
        except (ImageCms.PyCMSError, ValueError, OSError) as error:
            ignored = for_clients(str(error)) or "it cannot be read"
        if upright.mode.startswith("I"):  # 16 bits of gray, which Pillow would clip
            upright = Image.fromarray((np.array(upright) >> 8).astype(np.uint8))
        return OverlayPicture(np.array(upright.convert("RGBA")), ignored)


def resize_overlay(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resizes straight RGBA; what is transparent does not bleed into what is not."""
    return np.array(_image(pixels).resize((width, height), Image.Resampling.LANCZOS))


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode in {"P", "PA", "LA"}:
        image = image.convert("RGBA")
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    return converted or image


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
def _opened(data: bytes, kinds: tuple[str, ...]) -> Iterator[Image.Image]:
    """Opens a picture of one of these kinds; with others Pillow starts programs, such as Ghostscript."""
    try:
        image = Image.open(io.BytesIO(data), formats=kinds)
    except UnidentifiedImageError as error:
        raise OSError(f"it is none of {', '.join(kinds)}, or damaged") from error
    with image:
        yield image


@contextmanager
def _translated(code: FailureCode, what: str) -> Iterator[None]:
    try:
        yield
    except (OutputError, MemoryError):
        raise
    except Exception as error:  # a damaged picture raises whatever its reader stumbles over
        raise OutputError(code, f"{what}: {for_clients(str(error)) or type(error).__name__}") from error
