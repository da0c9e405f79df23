"""README.md: its example runs as it stands, with an embedded service, and it stays short."""

from __future__ import annotations

import json
from pathlib import Path

from tests.pages.pages import ROOT, examples, page_text, run_programs


def test_the_example_of_the_readme_ends_in_a_playable_file_and_its_manifest(tmp_path: Path) -> None:
    assert len(examples("README.md", "python")) == 1
    assert "a red fox" in run_programs("README.md", tmp_path, 100)
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"clip/mp4.mp4", "clip/contact_sheet.png", "clip/manifest.json"} <= made
    assert json.loads((tmp_path / "clip/manifest.json").read_bytes())["metadata"]["prompt"] == "a red fox"


def test_the_readme_is_short_and_its_figures_stand_in_the_benchmarks() -> None:
    text = page_text("README.md")
    assert len(text.splitlines()) < 150
    assert (ROOT / "docs/images/contact-sheet.png").is_file()
    benchmarks = page_text("docs/benchmarks.md")
    for figure in ("0.243 s", "2.828 s", "0.437 s", "3.128 s", "5.983 s", "13.398 s", "682,475/s", "5.16 µs"):
        assert figure in benchmarks, f"measured anew: update README.md's table ({figure})"
