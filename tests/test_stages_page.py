"""The examples of docs/stages.md run as they stand: the Python ones as one program, then the commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from telecine.stages import FindingCode

PAGE = (Path(__file__).parent.parent / "docs" / "stages.md").read_text(encoding="utf-8")
SOURCES = Path(__file__).parent.parent / "client" / "telecine" / "stages"


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    program = "\n".join(examples("python"))
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, timeout=60, check=True)
    job = tmp_path / "out" / "job-7"
    statuses = {
        path.parent.name: json.loads(path.read_text())["status"] for path in job.glob("*/manifest.json")
    }
    assert statuses == {"01_demux": "success", "02_asr": "success", "03_tmdb": "skipped"}
    assert not (job / "02_asr" / "resampled.wav").exists()
    (commands,) = examples("sh")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-e", "-c", commands], cwd=tmp_path, env=os.environ | {"PATH": path},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert 's1 -- "audio.wav" --> s2' in ran.stdout
    assert "complete: 4 files of 3 stages hashed and compared" in ran.stdout
    assert "0.006 USD" in ran.stdout
    assert (tmp_path / "stages.svg").read_text().startswith("<svg")


def test_every_finding_and_every_warning_stands_on_the_page() -> None:
    assert not [code for code in FindingCode if f"`{code}`" not in PAGE]
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.py"))
    codes = set(re.findall(r'_warn\("([A-Z_]+)"|code="([A-Z_]+)"', text))
    warnings = {code for pair in codes for code in pair if code}
    assert "INPUT_UNFINISHED" in warnings
    assert not [code for code in warnings if f"`{code}`" not in PAGE]
