"""Colour decisions: which colour an output gets, and the numbers and names that stand for it.

The rules
---------
What the caller declares of the source is taken as true. An output that says nothing gets

* matrix: BT.709, or BT.2020 NCL where the primaries are BT.2020; the samples are really converted;
* range: limited; RGB outputs are full range with the identity matrix; gray outputs of gray frames
  keep the range of the frames;
* primaries: the source's. Values are never converted from one set of primaries to another;
* transfer: BT.709 for the three display-referred curves (BT.709, sRGB, SMPTE 170M), else the source's.

On the transfer tag: image models and PNG files mean sRGB, and players treat BT.709 video as
display-referred. Tagging it "iec61966-2-1" is formally truer, but several players and editors then
shift the picture. So values stay as they are and the tag says bt709; `OutputSpec.color.transfer`
chooses otherwise. HDR (PQ, HLG) and linear values keep their tag. Whatever would need a real gamut
or tone conversion is refused, never faked.

The arithmetic
--------------
Conversion is swscale's with SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT when the size stays, which is
exact integer arithmetic and the same on every machine. For 8-bit RGB to 4:2:0 BT.709 limited, with
even width and height, at least 4 rows (`tests/encoder_service/worker/test_color.py` holds it bit for bit):

    Y = ((((5983 R + 20127 G + 2032 B + 524544) >> 9) * 2) + 64) >> 7
    for each row, for two neighbours with the sums R2 = R0 + R1, G2, B2:
        u = (-3298 R2 - 11094 G2 + 14392 B2 + 8389120) >> 10
        v = (14392 R2 - 13073 G2 -  1320 B2 + 8389120) >> 10
    U = (u[upper row] + u[lower row] + 64) >> 7
    V = (v[upper row] + v[lower row] + 64) >> 7

The factors are round(2^15 * k) for the BT.709 matrix scaled by 219/255 (luma) and 224/255 (chroma).
Chroma is the mean of the 2x2 block (sited in its centre). `>>` is the arithmetic shift.
In a picture of 2 rows swscale takes the chroma of the upper row alone.
Odd sizes are padded (last column or row repeated) or cropped before the conversion.
When the size changes the filter is SWS_BICUBIC with the same two flags.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import (
    Color,
    ColorMatrix,
    ColorOverride,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
)

UNSPECIFIED: Final = 2
"""H.273's code point for "not stated", for primaries, transfer and matrix."""

_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
_MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
_RANGES = {1: "tv", 2: "pc"}

_DISPLAY_REFERRED = {ColorTransfer.BT709, ColorTransfer.IEC61966_2_1, ColorTransfer.SMPTE170M}


class Codes(StrEnum):
    """Which table of code points."""

    PRIMARIES = "primaries"
    TRANSFER = "transfer"
    MATRIX = "matrix"
    RANGE = "range"


_TABLES = {
    Codes.PRIMARIES: _PRIMARIES,
    Codes.TRANSFER: _TRANSFERS,
    Codes.MATRIX: _MATRICES,
    Codes.RANGE: _RANGES,
}
_CODES = {kind: {name: code for code, name in table.items()} for kind, table in _TABLES.items()}


def code_of(kind: Codes, name: str) -> int:
    """Returns the ITU-T H.273 code point (for the range: FFmpeg's number) of a name."""
    return _CODES[kind][name]


def tags_from_codes(primaries: int, transfer: int, matrix: int, range_: int) -> ColorTags:
    """Names code points as FFmpeg does; "unknown" for those not stated."""
    return ColorTags(
        primaries=_PRIMARIES.get(primaries, "unknown"),
        transfer=_TRANSFERS.get(transfer, "unknown"),
        matrix=_MATRICES.get(matrix, "unknown"),
        range=_RANGES.get(range_, "unknown"),
    )


def tags_of(color: Color) -> ColorTags:
    """The tags that say `color`."""
    return ColorTags(color.primaries, color.transfer, color.matrix, color.range)


def output_color(
    source: Color, override: ColorOverride, *, is_rgb: bool, only_range: ColorRange | None = None
) -> Color:
    """Decides the colour of an output; `is_rgb`: its coded pixel format is RGB.

    `only_range`: the one range that the coded pixel format can have here; None: either.

    Raises OutputError with code COLOR_CONVERSION_UNSUPPORTED for what would need a gamut or tone
    conversion, and INVALID_COLOR for an impossible combination.
    """
    primaries = override.primaries or source.primaries
    if primaries != source.primaries:
        raise OutputError(
            FailureCode.COLOR_CONVERSION_UNSUPPORTED,
            f"the frames have {source.primaries} primaries and the output asks for {primaries}; primaries "
            f"are not converted: leave color.primaries unset to keep them",
        )
    matrix, range_ = _coding(primaries, override, is_rgb=is_rgb, only_range=only_range)
    return Color(primaries, _transfer(source, override, is_rgb=is_rgb), matrix, range_)


def _transfer(source: Color, override: ColorOverride, *, is_rgb: bool) -> ColorTransfer:
    is_free = source.transfer in _DISPLAY_REFERRED
    if override.transfer is None:
        return ColorTransfer.BT709 if is_free and not is_rgb else source.transfer
    if override.transfer != source.transfer and not (is_free and override.transfer in _DISPLAY_REFERRED):
        raise OutputError(
            FailureCode.COLOR_CONVERSION_UNSUPPORTED,
            f"the frames have transfer {source.transfer} and the output asks for {override.transfer}; tones "
            f"are not converted: leave color.transfer unset to keep them",
        )
    return override.transfer


def _coding(
    primaries: ColorPrimaries, override: ColorOverride, *, is_rgb: bool, only_range: ColorRange | None
) -> tuple[ColorMatrix, ColorRange]:
    if is_rgb:
        if override.matrix not in {None, ColorMatrix.RGB} or override.range == ColorRange.LIMITED:
            raise OutputError(
                FailureCode.INVALID_COLOR, "an RGB output has matrix gbr and full range; leave both unset"
            )
        return ColorMatrix.RGB, ColorRange.FULL
    usual = ColorMatrix.BT2020NC if primaries == ColorPrimaries.BT2020 else ColorMatrix.BT709
    matrix = override.matrix or usual
    if matrix == ColorMatrix.RGB:
        raise OutputError(
            FailureCode.INVALID_COLOR, "matrix gbr needs an RGB pixel format; name one in pixel_format"
        )
    if only_range is not None and override.range not in {None, only_range}:
        raise OutputError(FailureCode.INVALID_COLOR, f"a gray output of these frames has range {only_range}")
    return matrix, override.range or only_range or ColorRange.LIMITED


_DISPLAY_REFERRED = {ColorTransfer.BT709, ColorTransfer.IEC61966_2_1, ColorTransfer.SMPTE170M}


def is_srgb_like(color: Color) -> bool:
    """Whether a reader that knows of no tags shows the right colours."""
    return color.primaries == ColorPrimaries.BT709 and color.transfer in _DISPLAY_REFERRED
