"""`stage.log`: one dated line for each entry, bounded, and never in the way of its job."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoder_service.jobs import story
from encoder_service.jobs.story import StageLog


def test_the_stage_log_has_one_dated_line_for_each_entry(tmp_path: Path) -> None:
    log = StageLog(tmp_path / "stage.log")
    log.line(1_500_000_000, "info", "first\nsecond")
    log.line(2_000_000_000, "warning", "x" * 5000)
    first, second = (tmp_path / "stage.log").read_text().splitlines()
    assert first == "1970-01-01T00:00:01.500Z INFO    first second"
    assert len(second) < 2100


def test_a_stage_log_that_cannot_be_written_never_stops_the_job(tmp_path: Path) -> None:
    log = StageLog(tmp_path / "missing" / "stage.log")
    log.line(0, "info", "lost")
    assert log.lost_lines == 1


def test_a_stage_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "MAX_LINES", 3)
    log = StageLog(tmp_path / "stage.log")
    for number in range(9):
        log.line(0, "info", str(number))
    lines = (tmp_path / "stage.log").read_text().splitlines()
    assert len(lines) == 3
    assert "left out" in lines[-1]
    assert log.lost_lines == 6
