"""A report says where time and money went, failed attempts included, and what held everything up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from telecine.stages import Stage, make_report, read_job
from telecine.stages.reports.profile import compare_jobs

from tests.client.stages.job_of_stages import make_film, run_stage

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIMES = {
    "01_demux": (0, 10), "02_asr": (10, 60), "03_music": (10, 5), "04_translate": (70, 20), "05_mux": (90, 4),
}  # fmt: skip
"""Directory to when the stage began and how long it took, in seconds."""


def timed(job_dir: Path, cost: float = 0.0) -> Path:
    """The film, with times that are easily added up."""
    for directory, (begin, seconds) in TIMES.items():
        path = job_dir / directory / "manifest.json"
        tree = json.loads(path.read_text())
        start, end = START + timedelta(seconds=begin), START + timedelta(seconds=begin + seconds)
        tree |= {
            "timestamp": start.isoformat(), "completed_at": end.isoformat(), "updated_at": end.isoformat(),
            "duration_seconds": float(seconds), "cost": {"items": [], "totals": {"USD": cost}},
        }  # fmt: skip
        tree["resources"] |= {"cpu_seconds": 2.0 * seconds, "peak_rss_bytes": 1000}
        path.write_text(json.dumps(tree))
    return job_dir


def test_a_report_adds_up_and_finds_the_critical_chain(job_dir: Path) -> None:
    report = make_report(read_job(timed(make_film(job_dir), cost=0.25)))
    assert (report.span_seconds, report.stage_seconds, report.cpu_seconds) == (94.0, 99.0, 198.0)
    assert report.critical_seconds == 94.0
    assert [p.stage for p in report.stages if not p.is_critical] == ["music"]
    assert report.cost == {"USD": 1.25}
    asr = report.stages[1]
    assert (asr.share_percent, asr.input_bytes, asr.output_bytes) == (60.6, 5, 2)
    assert (report.started_at, report.ended_at) == (START, START + timedelta(seconds=94))


def test_attempts_that_failed_are_counted_too(job_dir: Path) -> None:
    def fail() -> None:
        with Stage("asr", job_dir) as stage:
            stage.add_cost("api", 0.5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    first = make_report(read_job(job_dir)).stages[0]
    with Stage("asr", job_dir) as stage:
        stage.add_cost("api", 0.5)
        stage.add_cost("translation", 1, "EUR")
    profile = make_report(read_job(job_dir)).stages[0]
    assert (profile.attempts, profile.cost) == (2, {"USD": 1.0, "EUR": 1.0})
    assert profile.earlier_seconds == first.duration_seconds
    assert profile.cpu_seconds > first.cpu_seconds


def test_several_jobs_are_compared_by_stage(tmp_path: Path) -> None:
    jobs = [timed(make_film(tmp_path / name), cost=0.5) for name in ("one", "two")]
    run_stage(jobs[1], "tts", {}, {})
    report = compare_jobs([make_report(read_job(job)) for job in jobs])
    assert [job.job_id for job in report.jobs] == ["one", "two"]
    asr = report.stages[0]
    assert (asr.stage, asr.jobs, asr.cost) == ("asr", 2, {"USD": 1.0})
    assert (asr.mean_seconds, asr.max_seconds, asr.total_seconds) == (60.0, 60.0, 120.0)
    assert {row.stage: row.jobs for row in report.stages}["tts"] == 1


def test_stages_that_read_from_each_other_make_no_endless_chain(job_dir: Path) -> None:
    run_stage(job_dir, "a", {}, {"a.txt": "1"})
    run_stage(job_dir, "b", {"a.txt": "a"}, {"b.txt": "1"})
    run_stage(job_dir, "a", {"b.txt": "b"}, {"a.txt": "2"})
    report = make_report(read_job(job_dir))
    assert report.critical_seconds <= report.stage_seconds
    assert any(profile.is_critical for profile in report.stages)


def test_a_job_without_one_manifest_that_can_be_read_has_an_empty_report(job_dir: Path) -> None:
    (job_dir / "01_asr").mkdir(parents=True)
    report = make_report(read_job(job_dir))
    assert (report.stages, report.started_at, report.stage_seconds) == ((), None, 0)
