"""What users are used to set comes out as a verified file, of clips with cuts too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoder_service.options.choice import fit
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import (
    Color,
    ColorMatrix,
    ColorOverride,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    OutputSpec,
    PixelFormat,
)
from tests.encoder_service.worker.outputs.drawing import Clip
from tests.encoder_service.worker.outputs.streams import run_stream, spec_of

DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,500)"
PQ = {"primaries": ColorPrimaries.BT2020, "transfer": ColorTransfer.SMPTE2084}


def clip_with_cuts(frames: int = 40) -> Clip:
    """Noise over a gradient, another picture every nine frames: what makes an encoder set I pictures."""
    rng = np.random.default_rng(3)
    ramp = np.add.outer(np.arange(96) * 2, np.arange(128))[..., None] + np.array([0, 20, 40])
    pictures = [
        (ramp * (1 + index // 9) + rng.integers(0, 40, (96, 128, 3))) % 256 for index in range(frames)
    ]
    return np.stack(pictures).astype(np.uint8)


@pytest.mark.parametrize("name", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    "output",
    [
        {"preset": "veryfast", "options": {"tune": "zerolatency"}},
        {"preset": "veryfast", "options": {"profile": "baseline", "g": "12"}},
        {"preset": "superfast", "options": {"bf": "0", "refs": "1", "sc_threshold": "60"}},
        {"preset": "medium", "options": {"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=2"}},
        {"preset": "fast", "options": {"x264-params": "intra-refresh=1:keyint=20:ref=1"}},
        {"options": {"tune": "film", "maxrate": "2M", "bufsize": "4M", "flags": "+cgop", "profile": "high"}},
        {"bit_rate": 400_000, "options": {"x264-params": "nal-hrd=vbr", "maxrate": "1M", "bufsize": "1M"}},
    ],
)  # fmt: skip
def test_h264_of_clips_with_cuts(tmp_path: Path, name: str, output: dict[str, Any]) -> None:
    clip = clip_with_cuts()
    run = run_stream(tmp_path, spec_of(128, 96), clip, format=name, codec="h264", **output)
    assert run.finished.frames_decoded == len(clip)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("hevc", {"x265-params": "open-gop=1:keyint=12:bframes=4:rc-lookahead=10:aq-mode=3:no-sao"}),
        ("hevc", {"tune": "zerolatency", "g": "10"}),
        ("av1", {"svtav1-params": "tune=0:film-grain=8:keyint=24:scd=1:lookahead=20"}),
        ("vp9", {"row-mt": "1", "tile-columns": "1", "lag-in-frames": "16", "aq-mode": "2", "g": "20"}),
    ],
)
def test_other_codecs_of_clips_with_cuts(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    clip = clip_with_cuts()
    run = run_stream(
        tmp_path, spec_of(128, 96), clip, format="mkv", codec=codec, options=options, quality="draft"
    )
    assert run.finished.frames_decoded == len(clip)


def test_hdr10_whose_parameters_say_what_the_output_says(tmp_path: Path) -> None:
    rgb = Color(matrix=ColorMatrix.RGB, range=ColorRange.FULL, **PQ)
    frames = clip_with_cuts(8).astype(np.uint16) << 8
    params = (
        f"hdr10=1:hdr10-opt=1:repeat-headers=1:master-display={DISPLAY}:max-cll=1000,400:colorprim=bt2020"
    )
    run = run_stream(
        tmp_path,
        spec_of(128, 96, PixelFormat.RGB48LE, color=rgb),
        frames,
        format="mp4",
        codec="hevc",
        color=ColorOverride(matrix=ColorMatrix.BT2020NC, range=ColorRange.LIMITED, **PQ),
        options={"x265-params": params + ":transfer=smpte2084:colormatrix=bt2020nc"},
    )
    assert run.finished.readback.pixel_format == "yuv420p10le"


def test_the_form_that_is_handed_on_is_judged_alike_a_second_time() -> None:
    row = FORMATS["mp4"].candidates("h264")[0]
    output = OutputSpec(
        "a", "mp4", options={"x264-params": "no-mbtree:aq_mode=2", "g": "+012"}, preset="fast"
    )
    once = fit(output, row, {})
    again = fit(OutputSpec("a", "mp4", options=once.options, preset=once.preset), row, {})
    assert (
        (once.options, once.misfits)
        == (again.options, again.misfits)
        == (
            {"x264-params": "mbtree=0:aq-mode=2", "g": "12"},
            (),
        )
    )
