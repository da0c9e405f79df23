"""One frame of an animated WebP: encodes the part that has changed and decodes it again at once."""

from __future__ import annotations

import msgspec
import numpy as np

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import SRGB, Color, ColorMatrix, ColorPrimaries, ColorRange, ColorTransfer
from encoder_service.worker.containers.webp import Placement, Still, join_still, split_still, with_alpha_plane
from encoder_service.worker.images.pixels import Pixels, is_opaque
from encoder_service.worker.images.reuse import Change, Mask
from encoder_service.worker.libav.pictures import (
    Converter,
    Picture,
    PictureFormat,
    planes_of,
    wrap,
)
from encoder_service.worker.libav.stills import blank_picture, decode_still, encode_still

ENCODER = "libwebp"
_YUV = Color(ColorPrimaries.BT709, ColorTransfer.IEC61966_2_1, ColorMatrix.SMPTE170M, ColorRange.LIMITED)
"""What every WebP decoder takes the samples of a lossy picture for."""

_BLOCK = 8
"""Pixels a side of the squares that a mask of a lossy picture is made of."""
_MASK_SETTINGS = {"lossless": "1", "compression_level": "0", "quality": "50"}
"""Masks of whole blocks are small in any case: more effort takes four times as long for 1 % of a frame."""


class WebpSettings(msgspec.Struct, frozen=True):
    """The settings of an encoded frame, as libwebp counts them."""

    quality: int
    """0 to 100; with `is_lossless` the effort."""
    method: int
    """0, fast, to 6, small."""
    is_lossless: bool

    @property
    def options(self) -> dict[str, str]:
        """The same settings as options of FFmpeg's encoder."""
        return {
            "quality": str(self.quality),
            "compression_level": str(self.method),
            "lossless": str(int(self.is_lossless)),
        }


class CodedFrame(msgspec.Struct, frozen=True):
    """One frame, encoded and decoded again."""

    placement: Placement
    still: Still
    is_opaque: bool
    """The frame as it was sent shows no transparency."""


def encode_frame(
    pixels: Pixels, change: Change, duration_milliseconds: int, settings: WebpSettings
) -> CodedFrame:
    """Encodes a frame, RGB or RGBA of 8 bits, as far as `change` says. Threads may do so side by side.

    Raises OutputError; with code VERIFICATION_FAILED where the decoder does not see what was encoded.
    """
    inside = pixels[change.y : change.y + change.height, change.x : change.x + change.width]
    is_fully_opaque = is_opaque(inside)
    if is_fully_opaque:
        inside = inside[..., :3]
    picture = _picture(inside, settings)
    if change.coded is not None and not settings.is_lossless:
        still = _masked_still(picture, change.coded, settings)
        _check_lossy(change.coded.astype(np.uint8) * 255, still)
    else:
        if change.coded is not None:
            picture = _masked_pixels(picture, change.coded)
        elif inside.shape[2] == 4 and not settings.is_lossless:
            # swscale moves alpha by one; it is to be exact.
            picture = _with_alpha(picture, inside[..., 3])
        still = split_still(encode_still(picture, ENCODER, settings.options))
        _check(picture, still)
    placement = Placement(
        x=change.x,
        y=change.y,
        width=change.width,
        height=change.height,
        duration_milliseconds=duration_milliseconds,
        is_blended=change.coded is not None,
    )
    return CodedFrame(placement, still, is_fully_opaque)


def encode_lossy_still(pixels: Pixels, settings: WebpSettings) -> bytes:
    """Encodes RGB of 8 bits as a whole file, without reading it back. Raises OutputError."""
    return encode_still(_picture(pixels, settings), ENCODER, settings.options)


def decode_frame(still: Still, width: int, height: int) -> Pixels:
    """Decodes a coded picture to RGBA of 8 bits. Raises OutputError."""
    picture = decode_still(join_still(still, width, height), "webp")
    color = SRGB if picture.format.is_rgb else _YUV
    source = PictureFormat(picture.format.name, width, height, color)
    pixels: Pixels = planes_of(Converter(source, PictureFormat("rgba", width, height)).convert(picture))[0]
    if picture.format.name == "yuva420p":
        pixels[..., 3] = planes_of(picture)[3]
    return pixels


def _picture(pixels: Pixels, settings: WebpSettings) -> Picture:
    """The picture in the layout that libwebp takes; a lossy one is still without alpha."""
    rows, columns, channels = pixels.shape
    source = PictureFormat("rgba" if channels == 4 else "rgb24", columns, rows)
    if settings.is_lossless:
        target = PictureFormat("bgra", columns, rows)
    else:
        target = PictureFormat("yuv420p", columns, rows, _YUV)
    return Converter(source, target).convert(wrap([np.ascontiguousarray(pixels)], source))


def _with_alpha(picture: Picture, alpha: Pixels) -> Picture:
    with_alpha = blank_picture(PictureFormat("yuva420p", picture.width, picture.height, _YUV))
    for target, plane in zip(planes_of(with_alpha), [*planes_of(picture), alpha], strict=True):
        target[...] = plane
    return with_alpha


def _masked_pixels(picture: Picture, coded: Mask) -> Picture:
    # Samples below a mask are never seen: zeros cost the least.
    alpha = coded.astype(np.uint8) * 255
    pixels = planes_of(picture)[0] & alpha[..., None]
    pixels[..., 3] = alpha
    return wrap([pixels], PictureFormat("bgra", picture.width, picture.height))


def _masked_still(picture: Picture, coded: Mask, settings: WebpSettings) -> Still:
    """Encodes the coded blocks of a lossy picture, and the mask apart. Writes to `picture`.

    libwebp would spend as much effort on a mask of blocks as on any alpha; the colours come out as it
    would code them.
    """
    _flatten_hidden(planes_of(picture), ~coded[::_BLOCK, ::_BLOCK])
    color = encode_still(picture, ENCODER, settings.options)
    mask = np.where(coded, np.uint32(0xFF00FF00), np.uint32(0xFF000000)).view(np.uint8)
    layout = PictureFormat("bgra", picture.width, picture.height)
    alpha = encode_still(wrap([mask.reshape(*coded.shape, 4)], layout), ENCODER, _MASK_SETTINGS)
    return with_alpha_plane(split_still(color), split_still(alpha))


def _flatten_hidden(planes: list[Pixels], hidden: Mask) -> None:
    """Fills hidden blocks as libwebp does (WebPCleanupTransparentArea), which its quantizers go by.

    Side by side, they all take the first one's first sample. Blocks that the edge cuts stay as they are.
    """
    rows, columns = planes[0].shape[0] // _BLOCK, planes[0].shape[1] // _BLOCK
    hidden = hidden[:rows, :columns]
    begins = hidden.copy()
    begins[:, 1:] &= ~hidden[:, :-1]
    first = np.maximum.accumulate(np.where(begins, np.arange(columns), 0), axis=1)
    # A row of a block is one number, which is ten times as fast as by samples.
    for plane, side in zip(planes, (_BLOCK, _BLOCK // 2, _BLOCK // 2), strict=True):
        word, repeated = (np.dtype("u8"), 0x0101010101010101) if side == 8 else (np.dtype("u4"), 0x01010101)
        inside = plane[: rows * side, : columns * side]
        samples = np.take_along_axis(inside[::side, ::side], first, axis=1).astype(word)
        filled = samples * repeated
        rows_of_blocks = inside.view(word).reshape(rows, side, columns)
        np.copyto(rows_of_blocks, filled[:, None], where=hidden[:, None])


def _check(sent: Picture, still: Still) -> None:
    """Alpha must be kept exactly, and all of a lossless picture."""
    if not sent.format.is_rgb:
        opaque = np.full((sent.height, sent.width), 255, np.uint8)
        _check_lossy(planes_of(sent)[3] if sent.format.name == "yuva420p" else opaque, still)
        return
    decoded = _decoded(still, sent.width, sent.height)
    before, after = planes_of(sent)[0], planes_of(decoded)[0][..., ::-1]
    # Colours under full transparency may be changed.
    same = (before == after).all(axis=2) | ((before[..., 3] == 0) & (after[..., 3] == 0))
    if not same.all():
        raise _broken("is lossless and was decoded otherwise")


def _check_lossy(alpha: Pixels, still: Still) -> None:
    rows, columns = alpha.shape
    decoded = _decoded(still, columns, rows)
    kept = planes_of(decoded)[3] if still.has_alpha else np.uint8(255)
    if not (alpha == kept).all():
        raise _broken("has another alpha when it is decoded")


def _decoded(still: Still, width: int, height: int) -> Picture:
    decoded = decode_still(join_still(still, width, height), "webp")
    if (decoded.width, decoded.height) != (width, height):
        raise _broken("was decoded at another size")
    return decoded


def _broken(what: str) -> OutputError:
    return OutputError(FailureCode.VERIFICATION_FAILED, f"a frame {what}", is_retryable=True)
