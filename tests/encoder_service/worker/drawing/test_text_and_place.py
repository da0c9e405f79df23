"""Fields, fonts and places of overlays, as far as they are decided without drawing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.spec.overlay_layout import place, shown_frames
from encoder_service.spec.overlays.fonts import BUNDLED, find_font, list_fonts
from encoder_service.spec.overlays.overlay import ImageOverlay, Length, Overlay, Position, field_names, fill
from encoder_service.spec.spec import Rational

LOGO = ImageOverlay("0" * 64, 1)


def test_fields_are_filled_in_and_double_braces_are_braces() -> None:
    text = "{frame} of {prompt}, {{not}} {frame}"
    assert field_names(text) == ("frame", "prompt", "frame")
    assert fill(text, {"frame": "7", "prompt": "a {fox}"}) == "7 of a {fox}, {not} 7"


@pytest.mark.parametrize("text", ["a { b", "a } b", "{a{b}", "}{"])
def test_a_brace_that_stands_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        field_names(text)


@given(st.text())
def test_doubled_braces_come_out_as_they_went_in(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert field_names(doubled) == ()
    assert fill(doubled, {}) == text


def test_the_bundled_fonts_are_there_with_their_licence() -> None:
    found = [find_font(name, ()) for name in BUNDLED]
    assert all(path is not None and path.is_file() for path in found)
    assert found[0] is not None
    assert "Bitstream" in (found[0].parent / "LICENSE-DejaVu.txt").read_text()


def test_no_name_leads_out_of_the_allowed_directories(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "fonts", tmp_path / "secret"
    (allowed / "below").mkdir(parents=True)
    secret.mkdir()
    (allowed / "below" / "nice.ttf").write_bytes(b"x")
    (secret / "other.ttf").write_bytes(b"x")
    (allowed / "link.ttf").symlink_to(secret / "other.ttf")
    assert find_font("below/nice.ttf", [allowed]) == (allowed / "below" / "nice.ttf").resolve()
    assert find_font(str(allowed / "below" / "nice.ttf"), [allowed]) is not None
    for name in (
        "../secret/other.ttf",
        str(secret / "other.ttf"),
        "link.ttf",
        "below",
        "nice.ttf",
        "/etc/passwd",
    ):
        assert find_font(name, [allowed]) is None
    assert find_font("below/nice.ttf", []) is None
    assert list_fonts([allowed])[:3] == ("sans", "sans-bold", "below/nice.ttf")


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (Position.TOP_LEFT, (10, 10)),
        (Position.TOP, (150, 10)),
        (Position.CENTER, (150, 90)),
        (Position.BOTTOM_RIGHT, (290, 170)),
        (Position.RIGHT, (290, 90)),
    ],
)
def test_a_position_keeps_its_margin(position: Position, expected: tuple[int, int]) -> None:
    overlay = Overlay(LOGO, position, margin=Length(10))
    assert place(overlay, (100, 20), (400, 200)) == expected


def test_with_x_and_y_the_position_names_the_point_of_the_overlay() -> None:
    middle = Overlay(LOGO, Position.CENTER, Length(0.5, is_fraction=True), Length(0.25, is_fraction=True))
    assert place(middle, (100, 20), (400, 200)) == (150, 40)
    corner = Overlay(LOGO, Position.TOP_LEFT, Length(12), Length(-5))
    assert place(corner, (100, 20), (400, 200)) == (12, -5)


def test_times_are_exact_at_rates_that_are_no_whole_numbers() -> None:
    """Frame 24 of 24000/1001 begins at 1.001 s."""
    rate = Rational(24000, 1001)
    assert shown_frames(Overlay(LOGO, Position.TOP, start_seconds=1.001), rate) == (24, None)
    assert shown_frames(Overlay(LOGO, Position.TOP, start_seconds=1.0), rate) == (24, None)
    assert shown_frames(Overlay(LOGO, Position.TOP, start_seconds=0.1, end_seconds=0.3), Rational(10)) == (
        1,
        3,
    )
