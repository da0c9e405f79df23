"""A stage that was written for StageIO runs with another import: its names, its order of calls, its greps."""

# ruff: noqa: G004, TRY300, TRY400 - the example, as it stands in the architecture

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from telecine.stages import PipelineRun, StageIO, StageSettings, StageUsageError, read_manifest


def course(job_dir: Path) -> str:
    (path,) = (job_dir / "logs").glob("99_pipeline_*.log")
    return path.read_text(encoding="utf-8")


def transcribed(job_dir: Path, segments: list[str] | None) -> bool:
    """The complete example of the logging architecture, call by call; None: transcribing fails."""
    stage_io = StageIO("asr", job_dir, enable_manifest=True)
    logger = stage_io.get_stage_logger("DEBUG")
    audio_input = stage_io.get_input_path("audio.wav", from_stage="demux")
    segments_output = stage_io.get_output_path("segments.json")
    stage_io.track_input(audio_input, "audio", format="wav")
    stage_io.set_config({"model": "whisper-large-v3", "batch_size": 16})
    stage_io.add_config("language", "hi")
    logger.info(f"Input: {audio_input}")
    try:
        if segments is None:
            raise RuntimeError("no speech")
        segments_output.write_text(json.dumps(segments))
        stage_io.track_output(segments_output, "transcript", format="json", segments=len(segments))
        stage_io.finalize(status="success", segments_count=len(segments))
        logger.info(f"✓ Transcribed {len(segments)} segments")
        return True
    except Exception as error:
        logger.error(f"Transcription failed: {error}")
        stage_io.add_error("Transcription failed", error)
        stage_io.finalize(status="failed")
        logger.error("late error")
        return False


@pytest.fixture
def demuxed(job_dir: Path) -> Path:
    with StageIO("demux", job_dir) as stage:
        audio = stage.get_output_path("audio.wav")
        audio.write_bytes(b"RIFF")
        stage.track_output(audio, "audio")
    return job_dir


def test_the_complete_example_runs_with_another_import_and_its_last_lines_stand_in_both_logs(
    demuxed: Path,
) -> None:
    assert transcribed(demuxed, ["namaste", "duniya"])
    manifest = read_manifest(demuxed / "02_asr" / "manifest.json")
    assert (manifest.status, manifest.metadata) == ("success", {"segments_count": 2})
    assert manifest.config == {"model": "whisper-large-v3", "batch_size": 16, "language": "hi"}
    for text in ((demuxed / "02_asr" / "stage.log").read_text(encoding="utf-8"), course(demuxed)):
        assert text.count("✓ Transcribed 2 segments") == 1

    assert not transcribed(demuxed, None)
    for text in ((demuxed / "02_asr" / "stage.log").read_text(encoding="utf-8"), course(demuxed)):
        assert "Transcription failed: no speech" in text
        assert text.count("late error") == 1


def test_a_run_that_has_ended_still_logs(job_dir: Path) -> None:
    with PipelineRun(job_dir) as run, run.stage("demux") as stage:
        pass
    run.logger.warning("after the run")
    stage.logger.debug("after the stage")
    assert "after the run" in course(job_dir)
    assert "after the stage" in (stage.directory / "stage.log").read_text()
    assert "after the stage" not in course(job_dir)


def test_records_after_the_end_make_no_directory_again(job_dir: Path) -> None:
    stage = StageIO("demux", job_dir)
    stage.finalize()
    shutil.rmtree(job_dir)
    stage.logger.error("nobody reads this")
    assert not job_dir.exists()


def test_a_stage_logger_of_a_level_keeps_the_rest_out_of_the_stages_log(job_dir: Path) -> None:
    stage = StageIO("demux", job_dir, enable_manifest=False)
    logger = stage.get_stage_logger("warning")
    logger.info("progress")
    logger.warning("odd")
    stage.finalize()
    logger.info("progress after the end")
    text = (stage.directory / "stage.log").read_text()
    assert "enable_manifest=False has no effect" in text
    assert "odd" in text
    assert "progress" not in text
    assert "progress after the end" in course(job_dir)
    with pytest.raises(StageUsageError, match="LOUD"):
        stage.get_stage_logger("LOUD")


def test_with_marks_grep_finds_the_stage_that_failed(job_dir: Path) -> None:
    with PipelineRun(job_dir, settings=StageSettings(has_marks=True)) as run:
        with run.stage("demux"):
            pass
        run.stage("asr").finalize("failed")
    text = course(job_dir)
    assert "▶️  Stage demux: STARTING" in text
    assert "✅ Stage demux: COMPLETED" in text
    assert [line.split("] ")[-1][:12] for line in text.splitlines() if "❌ Stage" in line] == [
        "❌ Stage asr:"
    ]
