"""The pages on video settings and save_generation: their programs run and print what they show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from telecine.cli.encode.output_texts import parse_output

from tests.pages.pages import examples, run_programs


def test_the_page_on_video_settings_draws_what_it_says(tmp_path: Path) -> None:
    printed = run_programs("docs/video-settings.md", tmp_path, 100)
    shown, marked = printed.rsplit("\n", 2)[0], printed.splitlines()[-1]
    assert shown == examples("docs/video-settings.md", "text")[0].strip()
    assert marked.startswith("(480, 270) (")
    red, green, blue = (int(value) for value in marked.split("(")[2].rstrip(")").split(","))
    assert red > 150 > 100 > max(green, blue), "the logo is red, also at 80 %"
    with Image.open(tmp_path / "sized" / "poster.png") as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    assert picture.shape == (270, 480, 3)
    caption = picture[235:265, 150:330]
    assert (caption.min(axis=2) > 220).sum() > 150, "white letters"
    assert abs(int(picture[100, 100, 2]) - 90) <= 1, "nothing elsewhere"


def test_the_page_on_save_generation_leaves_what_it_says(tmp_path: Path) -> None:
    printed = run_programs("docs/save-generation.md", tmp_path, 100)
    assert printed == examples("docs/save-generation.md", "text")[0]
    (directory,) = (tmp_path / "outputs").iterdir()
    assert re.fullmatch(r"\d{8}_\d{6}", directory.name)
    assert {path.name for path in directory.iterdir()} == {
        "frames", "fox_video.mp4", "fox_video.webm", "fox_animation.webp", "manifest.json",
    }  # fmt: skip


@pytest.mark.parametrize("line", examples("docs/video-settings.md", "sh")[0].splitlines())
def test_the_commands_are_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line)
    output = parse_output(words[words.index("-o") + 1], {})
    assert output.format in {"mp4", "gif"}
    assert output.scale or output.overlays
