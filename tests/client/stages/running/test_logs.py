"""What a stage logs stands in its own log, the course in the pipeline's, and all of it is shipped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from telecine.cli.logs.importing import read_records
from telecine.logging import Level, configure_logging, get_logger
from telecine.stages import PipelineRun, Stage, StageSettings

LINE = re.compile(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] \[([\w.-]+)\] \[([A-Z]+)\] (.*)")


def lines(path: Path) -> list[tuple[str, str, str]]:
    return [match.groups() for match in map(LINE.fullmatch, path.read_text().splitlines()) if match]


def pipeline_log(job_dir: Path) -> Path:
    (path,) = (job_dir / "logs").glob("99_pipeline_*.log")
    assert re.fullmatch(r"99_pipeline_\d{8}_\d{6}\.log", path.name)
    return path


def shipped(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "worker.log").read_text().splitlines()]


def test_details_stand_in_the_stages_log_and_progress_in_the_pipelines_too(job_dir: Path) -> None:
    with Stage("demux", job_dir) as stage:
        stage.logger.debug("ffmpeg %s %s", "-i", "in.mp4")
        stage.logger.info("extracted", megabytes=45.3)
        stage.logger.warning("no chapters")
    own, course = lines(stage.directory / "stage.log"), lines(pipeline_log(job_dir))
    assert ("demux", "DEBUG", "ffmpeg -i in.mp4") in own
    assert not [line for line in course if line[1] == "DEBUG"]
    for line in (("demux", "INFO", "extracted megabytes=45.3"), ("demux", "WARNING", "no chapters")):
        assert line in own
        assert line in course
    assert [text.split(" (")[0] for name, _, text in course if name == "pipeline"] == [
        "Stage demux: STARTING",
        "Stage demux: COMPLETED",
    ]


def test_a_stage_may_be_set_to_log_less(job_dir: Path) -> None:
    with Stage("asr", job_dir, settings=StageSettings(log_level=Level.WARNING)) as stage:
        stage.logger.info("progress")
        stage.logger.warning("odd")
    assert [text for _, _, text in lines(stage.directory / "stage.log")] == ["odd"]
    assert "progress" in pipeline_log(job_dir).read_text()


def test_a_failure_is_found_in_the_pipelines_log(job_dir: Path) -> None:
    with pytest.raises(RuntimeError, match="no sound"), Stage("demux", job_dir):
        raise RuntimeError("no sound")
    text = pipeline_log(job_dir).read_text()
    assert "[pipeline] [ERROR] Stage demux: FAILED" in text
    assert "RuntimeError: no sound" in text


def test_all_stages_of_a_run_write_one_pipeline_log_and_a_new_run_begins_another(job_dir: Path) -> None:
    for name in ("demux", "asr"):
        Stage(name, job_dir).finalize("skipped")
    first = pipeline_log(job_dir)
    first.rename(first.with_name("99_pipeline_20260101_000000.log"))
    with PipelineRun(job_dir) as run:
        with run.stage("demux") as stage:
            stage.add_cost("api", 0.5)
        with pytest.raises(OSError, match="full"), run.stage("asr"):
            raise OSError("the disk is full")
    text = run.log_path.read_text()
    assert "Pipeline job-7: STARTING" in text
    assert re.search(r"01 demux: success, [\d.]+ s, .*0\.5 USD", text)
    assert re.search(r"\[ERROR\] Pipeline job-7: FAILED \([\d.]+ s\), stages: 1 success, 1 failed", text)
    assert len(list((job_dir / "logs").iterdir())) == 2


def test_records_are_shipped_with_job_stage_attempt_and_duration(job_dir: Path, tmp_path: Path) -> None:
    configure_logging("worker", directory=tmp_path / "logs", console="off")
    Stage("asr", job_dir).finalize("failed")
    with PipelineRun(job_dir, job_id="film-9") as run, run.stage("asr") as stage:
        stage.logger.debug("only in the stage's log")
        stage.logger.info("transcribing")
        get_logger("some.library").info("loaded")
    records = shipped(tmp_path / "logs")
    by_msg = {record["msg"]: record for record in records if record["job_id"] == "film-9"}
    for message in ("transcribing", "loaded"):
        record = by_msg[message]
        assert (record["stage"], record["attempt"]) == ("stage:asr", 1)
    assert "only in the stage's log" not in by_msg
    (end,) = (record for message, record in by_msg.items() if message.startswith("Stage asr: COMPLETED"))
    assert end["duration_ms"] == pytest.approx(stage.manifest.duration_seconds * 1000, abs=0.01)
    assert {"pipeline:start", "pipeline:complete"} <= {record.get("stage") for record in records}


def test_a_stage_takes_the_job_of_the_context_it_runs_in(job_dir: Path, tmp_path: Path) -> None:
    from telecine.logging import LogContext

    with LogContext(job_id="job-of-context"), Stage("asr", job_dir) as stage:
        assert stage.manifest.job_id == "job-of-context"
    with Stage("mux", job_dir, job_id="told") as stage:
        assert stage.job_id == "told"


def test_a_message_of_several_lines_cannot_pass_for_several_records(job_dir: Path) -> None:
    forged = "ok\n[2026-01-01T00:00:00.000Z] [pipeline] [INFO] Stage asr: COMPLETED (0.01 s)"
    with Stage("asr", job_dir) as stage:
        stage.logger.info(forged)
        stage.logger.info("fields too", text=forged)
    told = [text for _, _, text in lines(stage.directory / "stage.log")]
    assert len([text for text in told if "COMPLETED" in text]) == 2
    assert "ok" in told


def test_the_logs_can_be_imported(job_dir: Path) -> None:
    from datetime import UTC, datetime

    with pytest.raises(RuntimeError), Stage("asr", job_dir) as stage:
        raise RuntimeError
    with (stage.directory / "stage.log").open("rb") as file:
        records = [json.loads(line) for line in read_records(iter(file), "worker", lambda: datetime.now(UTC))]
    assert {record["logger"] for record in records} == {"asr", "pipeline"}
    (failed,) = (record for record in records if "Traceback" in record.get("stack", ""))
    assert failed["level"] == "ERROR"


def test_logs_are_bounded(job_dir: Path) -> None:
    settings = StageSettings(log_max_bytes=4096, log_backups=1)
    with Stage("asr", job_dir, settings=settings) as stage:
        for number in range(200):
            stage.logger.info("line %d %s", number, "x" * 50)
    logs = sorted(path.name for path in stage.directory.glob("stage.log*"))
    assert logs == ["stage.log", "stage.log.1", "stage.log.lock"]
    assert all((stage.directory / name).stat().st_size <= 4096 for name in logs)
    assert stage.manifest.warnings == ()


def test_another_run_goes_on_in_the_same_log(job_dir: Path) -> None:
    for _ in range(2):
        with Stage("asr", job_dir) as stage:
            stage.logger.info("here")
    told = [text for _, _, text in lines(stage.directory / "stage.log")]
    assert told.count("here") == 2
    assert "Stage asr: STARTING (attempt 2)" in told
