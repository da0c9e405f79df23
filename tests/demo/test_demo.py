"""`make demo` works without a terminal, on a clip of one's own, and leaves verified artifacts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from telecine import Client
from telecine.clients.embedded import EmbeddedServer

ROOT = Path(__file__).parent.parent.parent


def test_the_demo_ends_with_verified_artifacts_and_says_where_they_are(tmp_path: Path) -> None:
    with EmbeddedServer() as server, Client(server.address) as client:
        frames = np.zeros((8, 36, 64, 3), np.uint8)
        frames[:, 8:20, 8:30] = (220, 40, 40)
        client.encode(frames, fps=12, outputs=["mkv"], to=tmp_path / "source")
    clip = str(tmp_path / "source/mkv.mkv")
    ran = subprocess.run(
        [sys.executable, "-m", "demo", "--clip", clip, "--out-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + ran.stdout
    made = sorted(path.name for path in (tmp_path / "mkv").iterdir())
    assert made == [
        "manifest.json", "mkv-animated.webp", "mkv-contact-sheet.png", "mkv-h264.mp4", "mkv-vp9.webm",
    ]  # fmt: skip
    for word in ("hand-off", "total", "sound", str(tmp_path / "mkv"), "bt709 tv"):
        assert word in ran.stdout


def test_a_clip_that_is_no_video_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "note.mp4").write_text("no film")
    ran = subprocess.run(
        [sys.executable, "-m", "demo", "--clip", str(tmp_path / "note.mp4")],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "note.mp4" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_bundled_clip_is_attributed_and_small() -> None:
    assert (ROOT / "demo/big_buck_bunny.mp4").stat().st_size < 2_000_000
    assert "www.bigbuckbunny.org" in (ROOT / "demo/ATTRIBUTION.md").read_text()
