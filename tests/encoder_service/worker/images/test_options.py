"""Named quality becomes numbers, and the caller's own numbers win."""

from __future__ import annotations

import pytest

from encoder_service.spec.encoders import EncoderRow, PixelFormats, QualitySettings
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import OutputSpec, Quality
from encoder_service.worker.images.options import OptionRange, resolve_options

ROW = EncoderRow(
    encoder="enc",
    codec="c",
    pixel_formats=PixelFormats(default="rgb24"),
    qualities={Quality.HIGH: QualitySettings(preset="4", options={"quality": "90"})},
    crf_option="quality",
    preset_option="effort",
)
KNOWN = {"quality": OptionRange(0, 100, 75), "effort": OptionRange(0, 6, 3), "rare": OptionRange(0, 1)}


def resolve(**output: object) -> dict[str, int]:
    return resolve_options(OutputSpec(name="a", format="x", **output), ROW, KNOWN, {"speed": "effort"})


def test_the_order_is_default_named_quality_crf_and_preset_options() -> None:
    assert resolve(quality=Quality.DRAFT) == {"quality": 75, "effort": 3}
    assert resolve() == {"quality": 90, "effort": 4}
    assert resolve(crf=50.0, preset="1") == {"quality": 50, "effort": 1}
    assert resolve(crf=50.0, preset="1", options={"quality": "7", "speed": "0", "rare": "1"}) == {
        "quality": 7,
        "effort": 0,
        "rare": 1,
    }


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ({"options": {"colour": "1"}}, "no option 'colour'; expected: effort, quality, rare"),
        ({"options": {"quality": "high"}}, "'high': expected a whole number, 0 to 100"),
        ({"crf": 33.5}, "'33.5'"),
        ({"crf": 101}, "'101'"),
        ({"preset": "slow"}, "0 to 6"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(output: dict[str, object], reason: str) -> None:
    with pytest.raises(OutputError, match=reason) as caught:
        resolve(**output)
    assert caught.value.code == "INVALID_OPTION"
