"""The page on sound: its program runs and prints what it shows."""

from __future__ import annotations

from pathlib import Path

from tests.pages.pages import examples, run_programs


def test_the_page_on_sound_makes_what_it_says(tmp_path: Path) -> None:
    printed = run_programs("docs/sound.md", tmp_path, 100)
    assert printed == examples("docs/sound.md", "text")[0]
    assert (tmp_path / "out" / "voice.wav").stat().st_size > 2 * 24_000
