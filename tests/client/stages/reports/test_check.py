"""A check finds every kind of incompleteness, and nothing where nothing is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from telecine.stages import Stage, StageNotFoundError, check_job, read_job

from tests.client.stages.job_of_stages import make_film, run_stage


def findings(job_dir: Path, **arguments: bool) -> list[tuple[str, str, str]]:
    check = check_job(read_job(job_dir), **arguments)
    assert check.is_complete == (not check.findings)
    return [(str(f.code), f.stage, f.path) for f in check.findings]


def spoil_manifest(job_dir: Path, directory: str, **fields: object) -> None:
    path = job_dir / directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_job_that_ran_well_is_complete(job_dir: Path) -> None:
    check = check_job(read_job(make_film(job_dir)))
    assert check.findings == ()
    assert check.is_complete
    assert check.stages == dict.fromkeys(("demux", "asr", "music", "translate", "mux"), "success")
    assert check.files_checked == 14


def test_a_job_that_was_moved_is_still_complete(job_dir: Path, tmp_path: Path) -> None:
    moved = tmp_path / "archive" / "elsewhere"
    moved.parent.mkdir()
    make_film(job_dir).rename(moved)
    assert findings(moved) == []


DAMAGE: dict[str, tuple[Callable[[Path], object], tuple[str, str, str]]] = {
    "a missing output": (
        lambda job: (job / "02_asr" / "segments.json").rename(job / "in" / "x"),
        ("MISSING_OUTPUT", "asr", "02_asr/segments.json"),
    ),
    "another size": (
        lambda job: (job / "03_music" / "music.wav").write_text("longer music"),
        ("SIZE_DIFFERS", "music", "03_music/music.wav"),
    ),
    "another content": (
        lambda job: (job / "03_music" / "music.wav").write_text("cisum"),
        ("HASH_DIFFERS", "music", "03_music/music.wav"),
    ),
    "a file nobody knows": (
        lambda job: (job / "05_mux" / "core.1234").write_text("x"),
        ("UNLISTED_FILE", "mux", "05_mux/core.1234"),
    ),
    "an input of the job": (
        lambda job: (job / "in" / "film.mp4").unlink(),
        ("MISSING_INPUT", "demux", "in/film.mp4"),
    ),
    "no manifest": (
        lambda job: (job / "05_mux" / "manifest.json").unlink(),
        ("NO_MANIFEST", "mux", "05_mux"),
    ),
    "a manifest that is cut off": (
        lambda job: (job / "05_mux" / "manifest.json").write_text('{"schema":'),
        ("NO_MANIFEST", "mux", "05_mux"),
    ),
    "another stage's manifest": (
        lambda job: spoil_manifest(job, "05_mux", stage="muxer"),
        ("NUMBER_DIFFERS", "mux", "05_mux"),
    ),
    "a number given twice": (
        lambda job: (job / "05_other").mkdir(),
        ("NUMBER_TWICE", "other", "05_other"),
    ),
    "a stage with two directories": (
        lambda job: shutil.copytree(job / "05_mux", job / "06_mux"),
        ("NUMBER_TWICE", "mux", "06_mux"),
    ),
    "a stage that failed": (
        lambda job: spoil_manifest(job, "05_mux", status="failed"),
        ("STAGE_FAILED", "mux", ""),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(job_dir: Path, damage: str) -> None:
    spoil, expected = DAMAGE[damage]
    spoil(make_film(job_dir))
    assert expected in findings(job_dir)


def test_without_hashes_a_content_of_the_same_size_passes(job_dir: Path) -> None:
    (make_film(job_dir) / "03_music" / "music.wav").write_text("cisum")
    assert findings(job_dir, are_hashes_checked=False) == []
    assert findings(job_dir) == [("HASH_DIFFERS", "music", "03_music/music.wav")]


def test_stages_that_read_what_was_made_anew_since_are_stale(job_dir: Path) -> None:
    make_film(job_dir)
    run_stage(job_dir, "asr", {"audio.wav": "demux"}, {"segments.json": '["new"]'})
    assert findings(job_dir) == [("STALE_INPUT", "translate", "02_asr/segments.json")]
    run_stage(job_dir, "translate", {"segments.json": "asr"}, {"hi.srt": "subtitle"})
    assert findings(job_dir) == []


def test_a_stage_that_runs_is_not_complete(job_dir: Path) -> None:
    make_film(job_dir)
    stage = Stage("tts", job_dir)
    assert findings(job_dir) == [("STAGE_RUNNING", "tts", "")]
    stage.finalize("skipped")
    assert findings(job_dir) == []


def test_intermediate_files_are_there_or_not_as_the_manifest_says(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        for name, retained in (("cache.bin", True), ("tmp.bin", False)):
            path = stage.output_path(name)
            path.write_text(name)
            stage.track_intermediate(path, retained=retained, reason="test", has_checksum=True)
    assert findings(job_dir) == []
    (stage.directory / "tmp.bin").write_text("again")
    (stage.directory / "cache.bin").unlink()
    assert findings(job_dir) == [
        ("MISSING_INTERMEDIATE", "asr", "01_asr/cache.bin"),
        ("NOT_REMOVED", "asr", "01_asr/tmp.bin"),
    ]


def test_a_directory_of_outputs_is_checked_as_one(job_dir: Path) -> None:
    with Stage("frames", job_dir) as stage:
        for number in range(3):
            stage.output_path(f"frames/{number}.png").write_text(str(number))
        stage.track_output(stage.output_path("frames"), "sequence")
    assert findings(job_dir) == []
    (stage.directory / "frames" / "1.png").write_text("x")
    assert findings(job_dir) == [("HASH_DIFFERS", "frames", "01_frames/frames")]
    (stage.directory / "frames" / "1.png").rename(stage.directory / "frames" / "4.png")
    (stage.directory / "frames" / "4.png").write_text("1")
    assert findings(job_dir) == [("HASH_DIFFERS", "frames", "01_frames/frames")]


def test_rotated_logs_and_locks_are_no_findings(job_dir: Path) -> None:
    make_film(job_dir)
    for name in ("stage.log.1", "stage.log.lock", ".manifest.json.tmp"):
        (job_dir / "05_mux" / name).write_text("x")
    assert findings(job_dir) == []


def test_where_there_is_no_stage_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(StageNotFoundError, match="no stage in"):
        read_job(tmp_path)
    with pytest.raises(StageNotFoundError, match="not a directory"):
        read_job(tmp_path / "nowhere")
