"""What may be set on the remaining encoders: OpenH264, ProRes, FFV1, and those of pictures."""

from __future__ import annotations

from encoder_service.options.rules import Choice, EncoderRules, Flag, Shape, Whole
from encoder_service.options.shared import BITS, KEYFRAME_DISTANCE

OPENH264 = EncoderRules(
    {
        "b": BITS,
        "coder": Choice(("default", "cavlc", "cabac", "vlc", "ac")),
        "g": KEYFRAME_DISTANCE,
        "loopfilter": Flag(),
        "maxrate": BITS,
        "profile": Choice(("constrained_baseline", "main", "high")),
        "qmax": Whole(1, 51),
        "qmin": Whole(1, 51),
        "rc_mode": Choice(("quality", "bitrate", "buffer", "timestamp")),
    },
    None,
    ("yuv420p",),
)

_PRORES_PROFILES = Choice(("proxy", "lt", "standard", "hq", "4444", "4444xq"))
PRORES = EncoderRules(
    {
        "alpha_bits": Choice(("0", "8", "16")),
        "bits_per_mb": Whole(0, 8192),
        "mbs_per_slice": Choice(("1", "2", "4", "8")),
        "profile": _PRORES_PROFILES,
        "quant_mat": Choice(("auto", "proxy", "lt", "standard", "hq", "default")),
        "vendor": Shape(r"[a-z0-9]{4}", 'four small letters or digits, such as "apl0"', ("apl0",)),
    },
    _PRORES_PROFILES,
    ("yuv422p10le", "yuv444p10le", "yuva444p10le"),
)

FFV1 = EncoderRules(
    {
        "coder": Choice(("rice", "range_def", "range_tab", "ac")),
        "context": Whole(0, 1),
        "g": Whole(1, 1000),
        "level": Choice(("0", "1", "3")),
        "slicecrc": Whole(0, 1),
    },
    None,
    (
        "gray",
        "gray10le",
        "gray12le",
        "gray16le",
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p10le",
        "yuv420p12le",
        "yuv422p12le",
        "yuv444p12le",
        "yuv420p16le",
        "yuv422p16le",
        "yuv444p16le",
        "yuva420p",
        "yuva422p",
        "yuva444p",
        "yuva444p10le",
        "bgr0",
        "bgra",
        "gbrp10le",
        "gbrp12le",
        "gbrp16le",
        "rgb48le",
        "rgba64le",
    ),
)

_WEBP_METHODS = Whole(0, 6)
WEBP = EncoderRules(
    {
        "compression_level": _WEBP_METHODS,
        "kmax": Whole(1, 10_000),
        "lossless": Whole(0, 1),
        "method": _WEBP_METHODS,
        "quality": Whole(0, 100),
    },
    _WEBP_METHODS,
    ("rgb24", "rgba"),
)
PNG = EncoderRules(
    {
        "compression_level": Whole(0, 9),
        "pred": Whole(0, 5, ("none", "sub", "up", "avg", "paeth", "mixed")),
    },
    None,
    ("gray", "gray16le", "rgb24", "rgb48le", "rgba", "rgba64le", "gray16be", "rgb48be", "rgba64be"),
)
_DITHERS = (
    "none",
    "bayer",
    "heckbert",
    "floyd_steinberg",
    "sierra2",
    "sierra2_4a",
    "sierra3",
    "burkes",
    "atkinson",
)
GIF = EncoderRules(
    {
        "bayer_scale": Whole(0, 5),
        "dither": Whole(0, len(_DITHERS) - 1, _DITHERS),
        "max_colors": Whole(2, 256),
    },
    None,
    ("rgb24", "rgba"),
)
JPEG = EncoderRules({"quality": Whole(0, 100)}, None, ("gray", "rgb24"))

SOUND = EncoderRules({}, None, ())
"""Files of sound have no options of an encoder; `OutputSpec.sound` says what may be asked for."""
