"""Colours of overlays, which are sRGB, as the frames' own values.

The frames' transfer says what their values mean:

* BT.709, sRGB and SMPTE 170M are display-referred and taken for one another, as everywhere here: with
  BT.709 primaries a colour's values are taken over as they are;
* other primaries: the light is converted (CIE 1931 chromaticities of ITU-T H.273, white D65);
* PQ (SMPTE ST 2084): white is 203 cd/m2, as ITU-R BT.2408 says of graphics;
* HLG (ARIB STD-B67): white is 203 cd/m2 on a display of 1000 cd/m2, which is a signal of 75 %;
* linear: white is 1.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from encoder_service.spec.spec import Color, ColorMatrix, ColorPrimaries, ColorTransfer

Values = npt.NDArray[np.float32]
"""Shape (..., 3): red, green, blue from 0 to 1."""

_WHITE_NITS: Final = 203.0
_HLG_PEAK_NITS: Final = 1000.0
_HLG_GAMMA: Final = 1.2
_DISPLAY_REFERRED = {ColorTransfer.BT709, ColorTransfer.IEC61966_2_1, ColorTransfer.SMPTE170M}
_WHITE = (0.3127, 0.3290)
_CHROMATICITIES = {
    ColorPrimaries.BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    ColorPrimaries.BT470BG: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    ColorPrimaries.SMPTE170M: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    ColorPrimaries.BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    ColorPrimaries.SMPTE432: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_RED_AND_BLUE_OF_LUMA = {
    ColorMatrix.RGB: (0.2126, 0.0722),
    ColorMatrix.BT709: (0.2126, 0.0722),
    ColorMatrix.BT470BG: (0.299, 0.114),
    ColorMatrix.SMPTE170M: (0.299, 0.114),
    ColorMatrix.BT2020NC: (0.2627, 0.0593),
}


def parse_color(text: str) -> tuple[Values, float]:
    """Reads "#rrggbb" or "#rrggbbaa" as a colour and its alpha, from 0 to 1. Raises ValueError."""
    if len(text) not in {7, 9} or text[0] != "#":
        raise ValueError(text)
    parts = bytes.fromhex(text[1:])
    if len(parts) * 2 != len(text) - 1:
        raise ValueError(text)
    alpha = parts[3] / 255 if len(parts) == 4 else 1.0
    return np.array([part / 255 for part in parts[:3]], np.float32), alpha


def to_frames(colors: Values, color: Color) -> Values:
    """Colours in sRGB as R'G'B' values of frames that mean `color`."""
    if color.transfer in _DISPLAY_REFERRED and color.primaries == ColorPrimaries.BT709:
        return colors
    light = _srgb_to_light(colors.astype(np.float64))
    if color.primaries != ColorPrimaries.BT709:
        light = np.clip(light @ _conversion(color.primaries).T, 0, None)
    values: Values = np.clip(_coded(light, color), 0, 1).astype(np.float32)
    return values


def luma_weights(matrix: ColorMatrix) -> tuple[float, float, float]:
    """What red, green and blue weigh in luma (ITU-T H.273, MatrixCoefficients)."""
    red, blue = _RED_AND_BLUE_OF_LUMA[matrix]
    return red, 1 - red - blue, blue


def _srgb_to_light(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    light: npt.NDArray[Any] = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return light


def _coded(light: npt.NDArray[Any], color: Color) -> npt.NDArray[Any]:
    if color.transfer == ColorTransfer.LINEAR:
        return light
    if color.transfer == ColorTransfer.SMPTE2084:
        return _pq(light * (_WHITE_NITS / 10_000))
    if color.transfer == ColorTransfer.ARIB_STD_B67:
        return _hlg(light * (_WHITE_NITS / _HLG_PEAK_NITS))
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _pq(light: npt.NDArray[Any]) -> npt.NDArray[Any]:
    power = light ** (2610 / 16384)
    over = 3424 / 4096 + 2413 / 128 * power
    coded: npt.NDArray[Any] = (over / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return coded


def _hlg(display: npt.NDArray[Any]) -> npt.NDArray[Any]:
    weights = np.array(luma_weights(ColorMatrix.BT2020NC))
    luminance = np.maximum(display @ weights, 1e-9)[..., None]
    scene = np.maximum(display / luminance ** ((_HLG_GAMMA - 1) / _HLG_GAMMA), 0)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    coded: npt.NDArray[Any] = np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)
    return coded


def _conversion(primaries: ColorPrimaries) -> npt.NDArray[Any]:
    """From light in BT.709 primaries to light in others."""
    converted: npt.NDArray[Any] = np.linalg.inv(_to_xyz(primaries)) @ _to_xyz(ColorPrimaries.BT709)
    return converted


def _to_xyz(primaries: ColorPrimaries) -> npt.NDArray[Any]:
    columns = np.array([_xyz(*point) for point in _CHROMATICITIES[primaries]]).T
    shares = np.linalg.solve(columns, _xyz(*_WHITE))
    scaled: npt.NDArray[Any] = columns * shares
    return scaled


def _xyz(x: float, y: float) -> npt.NDArray[Any]:
    return np.array([x / y, 1.0, (1 - x - y) / y])
