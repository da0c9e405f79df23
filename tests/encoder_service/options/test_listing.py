"""The page and the capabilities show the list that is in force."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from encoder_service.config import EncoderConfig
from encoder_service.options.listing import listed, page
from encoder_service.options.rules import Whole
from encoder_service.options.table import RULES
from encoder_service.rpc.replies import capabilities
from encoder_service.worker.images import png_frame
from encoder_service.worker.outputs import gif, webp
from encoder_service.worker_protocol import Probed

PAGE = Path(__file__).parents[3] / "docs" / "encoder-options.md"


def test_the_page_is_what_the_data_says() -> None:
    """Make it anew with `python -m encoder_service.options.listing > docs/encoder-options.md`."""
    assert PAGE.read_text() == page()


@pytest.mark.parametrize(
    ("encoder", "known"), [("libwebp", webp.OPTIONS), ("gif", gif.OPTIONS), ("png", png_frame.OPTIONS)]
)
def test_the_writers_of_images_know_the_same_options(encoder: str, known: dict[str, object]) -> None:
    rules = RULES[encoder].options
    for name, option in known.items():
        rule = rules[name]
        assert isinstance(rule, Whole)
        assert (rule.low, rule.high, rule.words) == (
            getattr(option, "low"),  # noqa: B009 - an OptionRange
            getattr(option, "high"),  # noqa: B009
            getattr(option, "words"),  # noqa: B009
        )
    assert set(rules) - set(known) <= {"method"}


def test_capabilities_show_every_list_and_what_the_operator_adds() -> None:
    config = EncoderConfig(allowed_encoder_options={"libx264": ("x264-params.zones",)})
    answer = capabilities(Probed(formats=(), library_versions={}), config, "1")
    found = {entry.encoder: entry for entry in answer.encoder_options}
    assert set(found) == set(RULES)
    for encoder, rules in RULES.items():
        names = {option.name: option.values for option in found[encoder].options}
        assert names == {entry.name: entry.values for entry in listed(rules)} | (
            {"x264-params.zones": ""} if encoder == "libx264" else {}
        )
    assert "veryfast" in found["libx264"].presets


def test_what_an_operator_allows_must_name_something() -> None:
    def faults(allowed: dict[str, tuple[str, ...]]) -> list[str]:
        config = msgspec.structs.replace(EncoderConfig(), allowed_encoder_options=allowed)
        return [field for field, _ in config.find_faults()]

    assert faults({"libx264": ("psnr", "x264-params.zones")}) == []
    assert faults({"x264": ("psnr",)}) == ["allowed_encoder_options"]
    assert faults({"libx264": ("x265-params.csv",)}) == ["allowed_encoder_options.libx264"]
