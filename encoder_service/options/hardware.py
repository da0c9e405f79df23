"""What may be set on the encoders of NVIDIA cards."""

from __future__ import annotations

from encoder_service.options.rules import Choice, EncoderRules, Flag, Number, Rule, Whole
from encoder_service.options.shared import BITS, KEYFRAME_DISTANCE

_PRESETS = Choice(("p1", "p2", "p3", "p4", "p5", "p6", "p7", "slow", "medium", "fast"))


def _rules(most_quantiser: int, profiles: tuple[str, ...], pixel_formats: tuple[str, ...]) -> EncoderRules:
    quantiser = Whole(0, most_quantiser)
    options: dict[str, Rule] = {
        "aq-strength": Whole(1, 15),
        "b": BITS,
        "b_adapt": Flag(),
        "b_ref_mode": Choice(("disabled", "each", "middle")),
        "bf": Whole(0, 5),
        "bufsize": BITS,
        "cq": Number(0, 51),
        "forced-idr": Flag(),
        "g": KEYFRAME_DISTANCE,
        "init_qpB": quantiser,
        "init_qpI": quantiser,
        "init_qpP": quantiser,
        "intra-refresh": Flag(),
        "maxrate": BITS,
        "multipass": Choice(("disabled", "qres", "fullres")),
        "no-scenecut": Flag(),
        "nonref_p": Flag(),
        "preset": _PRESETS,
        "qmax": quantiser,
        "qmin": quantiser,
        "qp": quantiser,
        "rc": Choice(("constqp", "vbr", "cbr")),
        "rc-lookahead": Whole(0, 32),
        "refs": Whole(0, 16),
        "spatial-aq": Flag(),
        "strict_gop": Flag(),
        "temporal-aq": Flag(),
        "tune": Choice(("hq", "ll", "ull", "lossless")),
        "weighted_pred": Flag(),
        "zerolatency": Flag(),
    }
    if profiles:
        options["profile"] = Choice(profiles)
    return EncoderRules(options, _PRESETS, pixel_formats)


H264_NVENC = _rules(51, ("baseline", "main", "high", "high444p"), ("yuv420p", "nv12", "yuv444p"))
HEVC_NVENC = _rules(51, ("main", "main10", "rext"), ("yuv420p", "nv12", "p010le", "yuv444p"))
AV1_NVENC = _rules(255, (), ("yuv420p", "nv12", "p010le"))
