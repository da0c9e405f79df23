"""A text with characters that its font lacks is drawn with another font, and that is a coded warning."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import telecine
from PIL import ImageFont
from telecine.testing import draw_clip, encoder_server

from encoder_service.spec.errors import StrictViolationError
from encoder_service.spec.overlays.fonts import BUNDLED, MAX_SEARCHED, fallback_fonts, find_font
from encoder_service.spec.overlays.overlay import Overlay, Position, TextOverlay
from encoder_service.worker.writer import DrawingMaterial
from tests.encoder_service.worker.outputs.drawing import Run, gradient_clip, run_writer

GREEK = "Ωμέγα 7"


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A directory with a font that has no Greek: the one that Pillow brings."""
    directory = tmp_path / "latin"
    directory.mkdir()
    font = ImageFont.load_default(16)
    assert isinstance(font, ImageFont.FreeTypeFont)
    (directory / "plain.ttf").write_bytes(font.font_bytes)
    return directory


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A directory as a system has it: fonts in folders, and files that are none."""
    directory = tmp_path / "system"
    (directory / "truetype").mkdir(parents=True)
    sans, bold = (find_font(name, ()) for name in BUNDLED)
    assert sans is not None
    assert bold is not None
    shutil.copy(sans, directory / "truetype" / "Greek-Regular.ttf")
    shutil.copy(bold, directory / "truetype" / "Greek-Bold.ttf")
    (directory / "broken.ttf").write_bytes(b"no font")
    (directory / "empty.otf").write_bytes(b"")
    (directory / "gone.ttf").symlink_to(tmp_path / "nowhere.ttf")
    return directory


def drawn(path: Path, text: str, latin: Path, *directories: Path, strict: bool = False) -> Run:
    material = DrawingMaterial(font_directories=(latin,), fallback_font_directories=directories)
    overlay = Overlay(TextOverlay(text, font="plain.ttf"), Position.CENTER)
    clip = gradient_clip(1, 160, 96)
    return run_writer(path, clip, material=material, overlays=(overlay,), format="png", strict=strict)


def test_the_text_is_drawn_with_the_plainest_font_that_has_all_of_it(
    tmp_path: Path, latin: Path, system: Path
) -> None:
    run = drawn(tmp_path / "a", GREEK, latin, tmp_path / "missing", system)
    ((code, message),) = run.warnings
    assert code == "FONT_SUBSTITUTED"
    assert "plain.ttf has no glyph for " in message
    assert "Greek-Regular.ttf" in message
    with pytest.raises(StrictViolationError, match="Greek-Regular"):
        drawn(tmp_path / "s", GREEK, latin, system, strict=True)


def test_without_such_a_font_boxes_stand_for_what_is_missing(
    tmp_path: Path, latin: Path, system: Path
) -> None:
    assert [code for code, _ in drawn(tmp_path / "a", GREEK, latin).warnings] == ["GLYPHS_MISSING"]
    partly = drawn(tmp_path / "b", "Ω \U00030000", latin, system)
    assert [code for code, _ in partly.warnings] == ["FONT_SUBSTITUTED", "GLYPHS_MISSING"]
    assert "'\U00030000'" in partly.warnings[1][1]
    assert drawn(tmp_path / "c", "plain", latin, system).warnings == []


def test_the_search_is_bounded_and_in_one_order(tmp_path: Path, system: Path) -> None:
    names = [path.name for path in fallback_fonts([system], is_bold=False)]
    assert (
        names == ["Greek-Regular.ttf", "broken.ttf", "empty.otf", "Greek-Bold.ttf"]
        or names[-1] == "Greek-Bold.ttf"
    )
    assert fallback_fonts([system], is_bold=True)[0].name == "Greek-Bold.ttf"
    outside = tmp_path / "outside.ttf"
    outside.write_bytes(b"x")
    (system / "link.ttf").symlink_to(outside)
    assert "link.ttf" not in [path.name for path in fallback_fonts([system], is_bold=False)]
    for number in range(MAX_SEARCHED + 5):
        (system / f"{number}.ttf").touch()
    assert len(fallback_fonts([system], is_bold=False)) == MAX_SEARCHED


def test_a_service_finds_the_font_from_within_its_sandbox(tmp_path: Path, latin: Path, system: Path) -> None:
    settings = {
        "font_directories": json.dumps([str(latin)]),
        "fallback_font_directories": json.dumps([str(system), str(tmp_path / "missing")]),
    }
    overlay = telecine.TextOverlay(GREEK, font="plain.ttf", position="center")
    with encoder_server(settings=settings) as server, telecine.Client(server.address) as client:
        result = client.encode(
            draw_clip(2, 160, 96), fps=8, outputs=telecine.Output("mp4", overlays=[overlay])
        )
    assert [warning.code for warning in result.warnings] == ["FONT_SUBSTITUTED"]
    (entry,) = result.manifest["outputs"][0]["overlays"]
    font = system / "truetype" / "Greek-Regular.ttf"
    assert (entry["font"], entry["sha256"]) == (font.name, hashlib.sha256(font.read_bytes()).hexdigest())
