"""The examples of docs/stages.md run as they stand: the Python ones as one program, then the commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

from telecine.stages import FindingCode

from tests.pages.pages import ROOT, page_text, run_commands, run_programs

PAGE = "docs/stages.md"
TEXT = page_text(PAGE)
SOURCES = ROOT / "client" / "telecine" / "stages"


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    run_programs(PAGE, tmp_path)
    job = tmp_path / "out" / "job-7"
    statuses = {
        path.parent.name: json.loads(path.read_text())["status"] for path in job.glob("*/manifest.json")
    }
    assert statuses == {
        "01_demux": "success", "02_asr": "success", "03_tmdb": "skipped", "04_translate": "success",
    }  # fmt: skip
    for log in (job / "04_translate" / "stage.log", *job.glob("logs/99_pipeline_*.log")):
        assert "✓ Translated 1 segment" in log.read_text(encoding="utf-8")
    assert not (job / "02_asr" / "resampled.wav").exists()
    printed = run_commands(PAGE, tmp_path)
    assert 's1 -- "audio.wav" --> s2' in printed
    assert "complete: 6 files of 4 stages hashed and compared" in printed
    assert "0.006 USD" in printed
    assert (tmp_path / "stages.dot").read_text().startswith("digraph ")


def test_every_finding_and_every_warning_stands_on_the_page() -> None:
    assert not [code for code in FindingCode if f"`{code}`" not in TEXT]
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.py"))
    codes = set(re.findall(r'_warn\("([A-Z_]+)"|code="([A-Z_]+)"', text))
    warnings = {code for pair in codes for code in pair if code}
    assert "INPUT_UNFINISHED" in warnings
    assert not [code for code in warnings if f"`{code}`" not in TEXT]
