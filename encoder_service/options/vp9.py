"""What may be set on libvpx-vp9."""

from __future__ import annotations

from encoder_service.options.rules import Choice, EncoderRules, Flag, Whole
from encoder_service.options.shared import BITS, KEYFRAME_DISTANCE

_QUANTISER = Whole(0, 63)
_SPEED = Whole(0, 8)

VP9 = EncoderRules(
    {
        "aq-mode": Whole(0, 4, ("none", "variance", "complexity", "cyclic", "equator360")),
        "arnr-maxframes": Whole(0, 15),
        "arnr-strength": Whole(0, 6),
        "arnr-type": Choice(("backward", "forward", "centered")),
        "auto-alt-ref": Whole(0, 6),
        "b": BITS,
        "bufsize": BITS,
        "cpu-used": _SPEED,
        "crf": _QUANTISER,
        # "best" takes ten times as long as "good", and looks the same.
        "deadline": Choice(("good", "realtime")),
        "error-resilient": Choice(("default", "partitions")),
        "frame-parallel": Flag(),
        "g": KEYFRAME_DISTANCE,
        "keyint_min": Whole(0, 1000),
        "lag-in-frames": Whole(0, 25),
        "lossless": Flag(),
        "max-intra-rate": Whole(0, 1000),
        "maxrate": BITS,
        "minrate": BITS,
        "noise-sensitivity": Whole(0, 4),
        "overshoot-pct": Whole(0, 100),
        "qmax": _QUANTISER,
        "qmin": _QUANTISER,
        "quality": Choice(("good", "realtime")),
        "row-mt": Flag(),
        "sharpness": Whole(0, 7),
        "speed": _SPEED,
        "static-thresh": Whole(0, 1000),
        "tile-columns": Whole(0, 6),
        "tile-rows": Whole(0, 2),
        "tune": Choice(("psnr", "ssim")),
        "tune-content": Choice(("default", "screen", "film")),
        "undershoot-pct": Whole(0, 100),
    },
    _SPEED,
    ("yuv420p", "yuva420p", "yuv422p", "yuv440p", "yuv444p", "gbrp"),
)
