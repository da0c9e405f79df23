"""Stages, the logging architecture of a pipeline: each row's example runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from telecine.cli.app import run
from telecine.stages import (
    PipelineRun,
    Rates,
    StageIO,
    StageSettings,
    check_job,
    make_graph,
    make_report,
    mermaid_text,
    read_job,
    read_manifest,
    run_tool,
)

from tests.pages.seeds.rows import shows

JOB = Path("out") / "job-7"


def manifest_of(stage: str) -> dict:
    return json.loads((JOB / stage / "manifest.json").read_text())


def course() -> str:
    return "".join(
        path.read_text(encoding="utf-8") for path in sorted((JOB / "logs").glob("99_pipeline_*.log"))
    )


def demux() -> None:
    with StageIO("demux", JOB) as stage:
        audio = stage.get_output_path("audio.wav")
        audio.write_bytes(b"RIFF" + bytes(1000))
        stage.track_output(audio, "audio", format="wav", sample_rate=16000)


@shows(
    "Main log of the pipeline, logs/99_pipeline_<time>.log",
    "stage.log in each stage's directory, DEBUG included; both logs at once, after `finalize` too",
    "Numbered stage directories, 01_demux …",
    "manifest.json: stage, number, timestamps, status, duration",
    "Inputs, outputs: type, path, size, own metadata",
    "Intermediate files: retained, reason",
    "config, resources, errors, warnings",
    "`get_input_path(from_stage)`, `get_output_path`",
    "`get_stage_logger(level)`",
    "`StageIO(…, enable_manifest=True)`",
    "Migration of existing stages",
)
def test_the_steps_of_the_implementation_guide() -> None:
    demux()
    stage_io = StageIO("my_stage", JOB, enable_manifest=True)
    logger = stage_io.get_stage_logger("DEBUG")
    input_file = stage_io.get_input_path("audio.wav", from_stage="demux")
    stage_io.track_input(input_file, "audio", format="wav")
    output_file = stage_io.get_output_path("result.json")
    output_file.write_text("[]")
    stage_io.track_output(output_file, "transcript", format="json", segments=3)
    cache, temporary = stage_io.get_output_path("model_cache.bin"), stage_io.get_output_path("temp.wav")
    cache.write_bytes(b"x")
    temporary.write_bytes(b"y")
    stage_io.track_intermediate(cache, retained=True, reason="Model cache")
    stage_io.track_intermediate(temporary, retained=False, reason="Temporary processing file")
    stage_io.set_config({"model": "whisper-large-v3", "batch_size": 16})
    stage_io.add_config("language", "hi")
    stage_io.add_warning("Using default configuration")
    stage_io.add_error("One segment failed", ValueError("no speech"))
    logger.debug("FFmpeg command: ffmpeg -y")
    stage_io.finalize(status="success", segments_processed=3, model_version="1.0.0")
    logger.info("Stage completed successfully")

    found = manifest_of("02_my_stage")
    assert [found[name] for name in ("stage", "stage_number", "status")] == ["my_stage", 2, "success"]
    assert found["timestamp"] < found["completed_at"]
    assert found["duration_seconds"] > 0
    assert found["inputs"][0] | {"type": "audio", "format": "wav", "size_bytes": 1004} == found["inputs"][0]
    assert found["outputs"][0] | {"type": "transcript", "segments": 3, "size_bytes": 2} == found["outputs"][0]
    assert [(each["retained"], each["reason"]) for each in found["intermediate_files"]] == [
        (True, "Model cache"), (False, "Temporary processing file"),
    ]  # fmt: skip
    assert cache.exists()
    assert not temporary.exists()
    assert found["config"] == {"model": "whisper-large-v3", "batch_size": 16, "language": "hi"}
    assert found["errors"][0]["exception_type"] == "ValueError"
    assert found["warnings"][0]["message"] == "Using default configuration"
    assert found["resources"]
    own = (JOB / "02_my_stage" / "stage.log").read_text()
    assert ("FFmpeg command" in own, "FFmpeg command" in course()) == (True, False)
    for text in (own, course()):
        assert "Stage completed successfully" in text


@shows(
    "Status running, success, failed, skipped", "`finalize(status, **metadata)`, finalized even on failure"
)
def test_how_stages_end() -> None:
    stage = StageIO("a", JOB)
    assert read_manifest(stage.manifest_path).status == "running"
    stage.finalize(status="skipped", reason="Feature disabled by user")
    StageIO("b", JOB).finalize(status="failed", error_message="Model loading failed")
    with pytest.raises(RuntimeError), StageIO("c", JOB):
        raise RuntimeError("broken")
    program = f"from telecine.stages import StageIO; import os; StageIO('d', {str(JOB)!r}); os._exit(9)"
    subprocess.run(
        [sys.executable, "-c", program],
        check=False, timeout=60,
    )  # fmt: skip
    assert {stage.name: stage.state for stage in read_job(JOB).stages} == {
        "a": "skipped", "b": "failed", "c": "failed", "d": "died",
    }  # fmt: skip


@shows("Output of tools (ffmpeg …) in the stage's log")
def test_what_a_tool_says_stands_in_the_log() -> None:
    with StageIO("demux", JOB) as stage:
        run_tool(stage.logger, [sys.executable, "-c", "print('Stream #0:0: Audio')"])
    assert "Stream #0:0: Audio" in (JOB / "01_demux" / "stage.log").read_text()


@shows("Emoji in messages", 'Which stage failed (grep FAILED, grep "❌ Stage")')
def test_what_failed_is_found_with_grep() -> None:
    with PipelineRun(JOB, settings=StageSettings(has_marks=True)) as pipeline:
        pipeline.logger.info("📋 Stage manifests: Track inputs/outputs")
        pipeline.stage("asr").finalize("failed")
    for pattern in ("❌ Stage", "FAILED", "📋 Stage manifests"):
        found = subprocess.run(
            ["grep", "-r", pattern, JOB / "logs"], capture_output=True, check=True, timeout=60
        )
        assert found.stdout


@shows("What a stage read and made (jq)")
def test_the_recipes_for_jq() -> None:
    demux()
    for query, expected in ((".outputs[] | .path", "01_demux/audio.wav"), (".errors", "[]")):
        if shutil.which("jq"):
            ran = subprocess.run(
                ["jq", "-r", query, JOB / "01_demux" / "manifest.json"], capture_output=True, text=True,
                check=True, timeout=60,
            )  # fmt: skip
            assert ran.stdout.strip() == expected
    assert manifest_of("01_demux")["outputs"][0]["path"] == "01_demux/audio.wav"


@shows(
    "Missing outputs, intermediate files",
    "Audit trail, data lineage, compliance",
    "*Future:* dependency graph",
    "*Future:* checksums",
    "*Future:* validation of completeness",
    "*Future:* profiling per stage",
    "*Future:* costs",
    "*Future:* resource tracking (CPU, memory, GPU)",
)
def test_a_job_is_checked_drawn_and_measured(capsys: pytest.CaptureFixture[str]) -> None:
    demux()
    with StageIO("asr", JOB, settings=StageSettings(rates=Rates(wall_hour=3600.0))) as stage:
        stage.track_input(stage.get_input_path("audio.wav", from_stage="demux"), "audio")
        stage.add_cost("speech API", 0.5, quantity=1, unit="min")
    assert check_job(read_job(JOB)).is_complete
    assert "audio.wav" in mermaid_text(make_graph(read_job(JOB)))
    assert make_report(read_job(JOB)).stages
    found = manifest_of("02_asr")
    assert len(found["inputs"][0]["sha256"]) == 64
    assert found["resources"]["peak_rss_bytes"] > 0
    assert found["cost"]["totals"]["USD"] > 0.5
    (JOB / "01_demux" / "audio.wav").unlink()
    assert run(["stages", "check", str(JOB)]) == 1
    assert "MISSING_OUTPUT" in capsys.readouterr().out
    assert run(["stages", "graph", str(JOB)]) == 0
    assert run(["stages", "report", str(JOB)]) == 0
