"""The examples of README.md run as they stand, in order, with an embedded service."""

from __future__ import annotations

from pathlib import Path

from tests.pages.pages import examples, run_programs


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    """One program of all examples, so that they share the frames, as a reader would type them."""
    assert len(examples("README.md", "python")) == 3
    printed = run_programs("README.md", tmp_path, 100)
    assert "clip/mp4.mp4" in printed
    assert "a red fox" in printed
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"clip/mp4.mp4", "clip/webm.webm", "clip/webp.webp", "clip/manifest.json"} <= made
    assert {"fox/mp4.mp4", "fox/webp.webp", "first/mp4.mp4", "second/gif.gif", "second/poster.jpg"} <= made
    assert not [name for name in made if name.endswith(".part")]
