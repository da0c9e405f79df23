"""Fault plans, the stage log and strictness: small parts with one duty each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from encoder_service.faults import FaultPlan
from encoder_service.jobs import stage_log
from encoder_service.jobs.stage_log import StageLog
from encoder_service.pool.strictness import refusal
from encoder_service.worker_protocol import EncoderProbe, FormatProbe, Probed
from tests.encoder_service.records import record


def test_a_plan_strikes_at_its_point_at_the_nth_visit() -> None:
    plan = FaultPlan("kill_at:here:2")
    assert [plan.is_due(point) for point in ("there", "here", "here", "here")] == [False, False, True, False]


def test_without_a_plan_nothing_ever_strikes() -> None:
    assert not any(FaultPlan("").is_due(point) for point in ("", "here"))


def test_a_plan_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="kill_at"):
        FaultPlan("explode_at:here")


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
    monkeypatch.setattr(stage_log, "MAX_LINES", 3)
    log = StageLog(tmp_path / "stage.log")
    for number in range(9):
        log.line(0, "info", str(number))
    lines = (tmp_path / "stage.log").read_text().splitlines()
    assert len(lines) == 3
    assert "left out" in lines[-1]
    assert log.lost_lines == 6


def probed(*, is_available: bool) -> Probed:
    """A server with one format."""
    encoders = (EncoderProbe("libx264", "h264", is_available, "" if is_available else "no silicon"),)
    return Probed((FormatProbe("mp4", "video/mp4", ".mp4", "h264", False, encoders),), {})


def test_a_strict_output_without_a_working_encoder_is_refused_before_its_frames_come() -> None:
    spec = record().spec
    strict = msgspec.structs.replace(
        spec, outputs=tuple(msgspec.structs.replace(output, strict=True) for output in spec.outputs)
    )
    assert refusal(spec, probed(is_available=False)) is None
    assert refusal(strict, probed(is_available=True)) is None
    error = refusal(strict, probed(is_available=False))
    assert error is not None
    assert error.reason_name == "ENCODER_UNAVAILABLE"
    assert error.metadata == {"output": "mp4", "encoder": "libx264"}
    assert "no silicon" in error.message
