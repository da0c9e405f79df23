"""The examples of README.md run as they stand, in order, with an embedded service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    """One program of all examples, so that they share the frames, as a reader would type them."""
    assert len(examples()) == 3
    (tmp_path / "readme.py").write_text("\n".join(examples()))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "readme.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "clip/mp4.mp4" in ran.stdout
    assert "a red fox" in ran.stdout
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"clip/mp4.mp4", "clip/webm.webm", "clip/webp.webp", "clip/manifest.json"} <= made
    assert {"fox/mp4.mp4", "fox/webp.webp", "first/mp4.mp4", "second/gif.gif", "second/poster.jpg"} <= made
    assert not [name for name in made if name.endswith(".part")]
