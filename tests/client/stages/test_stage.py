"""A stage says in its manifest what it read and made, and how it ended, whatever happens in its block."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from pathlib import Path

import pytest
from telecine.exceptions import TelecineError
from telecine.stages import (
    Stage,
    StageBusyError,
    StageError,
    StageFileMissingError,
    StageIncompleteError,
    StageNotFoundError,
    StageSettings,
    StageStatus,
    StageUsageError,
    read_manifest,
)


def manifest_of(job_dir: Path, directory: str) -> dict:
    return json.loads((job_dir / directory / "manifest.json").read_text())


def make(stage: Stage, name: str, content: str = "content") -> Path:
    path = stage.output_path(name)
    path.write_text(content)
    return path


def demuxed(job_dir: Path, content: str = "sound") -> None:
    with Stage("demux", job_dir) as stage:
        stage.track_output(make(stage, "audio.wav", content), "audio", format="wav", sample_rate=16000)


def test_a_block_that_ends_is_a_success_with_everything_it_tracked(job_dir: Path) -> None:
    demuxed(job_dir)
    with Stage("asr", job_dir, config={"model": "large-v3"}) as stage:
        audio = stage.track_input(stage.input_path("audio.wav", from_stage="demux"), "audio")
        assert audio.read_text() == "sound"
        stage.add_config("language", "hi")
        stage.track_output(make(stage, "segments.json", "[]"), "transcript", segments=0)
    manifest = manifest_of(job_dir, "02_asr")
    assert (manifest["stage"], manifest["stage_number"], manifest["status"]) == ("asr", 2, "success")
    assert manifest["config"] == {"model": "large-v3", "language": "hi"}
    (read,) = manifest["inputs"]
    assert (read["path"], read["from_stage"], read["type"]) == ("01_demux/audio.wav", "demux", "audio")
    assert read["sha256"] == hashlib.sha256(b"sound").hexdigest()
    (made,) = manifest["outputs"]
    assert (made["path"], made["segments"], made["size_bytes"]) == ("02_asr/segments.json", 0, 2)
    assert manifest["completed_at"] >= manifest["timestamp"]
    assert manifest["duration_seconds"] > 0
    assert manifest["job_id"] == "job-7"


def test_an_exception_fails_the_stage_and_goes_on(job_dir: Path) -> None:
    def run() -> None:
        with Stage("asr", job_dir) as stage:
            stage.track_output(make(stage, "half.json"))
            _ = 1 // 0

    with pytest.raises(ZeroDivisionError):
        run()
    manifest = manifest_of(job_dir, "01_asr")
    assert manifest["status"] == "failed"
    (error,) = manifest["errors"]
    assert error["exception_type"] == "ZeroDivisionError"
    assert "division" in error["exception_detail"]
    assert manifest["outputs"][0]["path"] == "01_asr/half.json"
    assert "ZeroDivisionError" in (job_dir / "01_asr" / "stage.log").read_text()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interruption_fails_the_stage_too(job_dir: Path, interruption: type[BaseException]) -> None:
    with pytest.raises(interruption), Stage("asr", job_dir):
        raise interruption
    assert manifest_of(job_dir, "01_asr")["errors"][0]["exception_type"] == interruption.__name__


def test_a_stage_is_ended_by_hand_as_success_failed_or_skipped(job_dir: Path) -> None:
    for status in ("success", "failed", "skipped"):
        stage = Stage(status, job_dir)
        assert manifest_of(job_dir, stage.directory.name)["status"] == "running"
        stage.finalize(status, segments_count=3, error_message="no model", reason="off")
        manifest = manifest_of(job_dir, stage.directory.name)
        assert manifest["status"] == status
        assert manifest["metadata"]["segments_count"] == 3
        assert [error["message"] for error in manifest["errors"]] == ["no model"] * (status == "failed")


def test_what_is_said_by_hand_in_a_block_stands(job_dir: Path) -> None:
    with Stage("tmdb", job_dir) as stage:
        stage.finalize("skipped", reason="disabled")
    assert manifest_of(job_dir, "01_tmdb")["status"] == "skipped"


def test_a_block_that_raises_after_its_success_has_failed(job_dir: Path) -> None:
    def run() -> None:
        with Stage("mux", job_dir) as stage:
            stage.finalize("success")
            raise RuntimeError("cleanup went wrong")

    with pytest.raises(RuntimeError):
        run()
    manifest = manifest_of(job_dir, "01_mux")
    assert manifest["status"] == "failed"
    assert manifest["errors"][0]["message"] == "cleanup went wrong"
    assert "FAILED_AFTER_END" in {warning["code"] for warning in manifest["warnings"]}


def test_an_ended_stage_takes_nothing_more(job_dir: Path) -> None:
    stage = Stage("asr", job_dir)
    path = make(stage, "a")
    stage.track_output(path)
    stage.finalize()
    before = stage.manifest_path.read_bytes()
    for use in (
        stage.finalize,
        lambda: stage.track_output(path),
        lambda: stage.add_warning("late"),
        lambda: stage.set_config({}),
    ):
        with pytest.raises(StageUsageError, match="has ended"):
            use()
    assert stage.manifest_path.read_bytes() == before


def test_the_manifest_is_written_as_things_are_tracked(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        for number in range(3):
            stage.track_output(make(stage, f"{number}.txt"), "text")
            manifest = manifest_of(job_dir, "01_asr")
            assert manifest["status"] == "running"
            assert len(manifest["outputs"]) == number + 1
            assert manifest["completed_at"] is None
            assert manifest["process"]["pid"] == os.getpid()


def test_success_is_not_written_for_outputs_that_are_gone(job_dir: Path) -> None:
    def run() -> None:
        with Stage("asr", job_dir) as stage:
            stage.track_output(make(stage, "gone.txt"))
            stage.output_path("gone.txt").unlink()

    with pytest.raises(StageIncompleteError, match=r"01_asr/gone\.txt"):
        run()
    manifest = manifest_of(job_dir, "01_asr")
    assert manifest["status"] == "failed"
    assert manifest["errors"][-1]["code"] == "MISSING_OUTPUT"


def test_an_output_that_changes_after_it_was_tracked_is_hashed_anew(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        path = stage.track_output(make(stage, "a.txt", "one"), "text", format="txt")
        path.write_text("three")
    (output,) = manifest_of(job_dir, "01_asr")["outputs"]
    assert output["sha256"] == hashlib.sha256(b"three").hexdigest()
    assert (output["size_bytes"], output["format"]) == (5, "txt")


def test_a_directory_is_one_output_with_one_hash(job_dir: Path) -> None:
    with Stage("frames", job_dir) as stage:
        for name in ("b/2.png", "a.png"):
            make(stage, f"frames/{name}", name)
        stage.track_output(stage.output_path("frames"), "sequence")
    (output,) = manifest_of(job_dir, "01_frames")["outputs"]
    lines = "".join(f"{hashlib.sha256(n.encode()).hexdigest()}  {n}\n" for n in ("a.png", "b/2.png"))
    assert output["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert (output["file_count"], output["size_bytes"]) == (2, 12)


def test_intermediate_files_that_are_not_retained_are_removed_by_success(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        stage.track_intermediate(make(stage, "cache.bin"), retained=True, reason="model cache", model="v3")
        stage.track_intermediate(make(stage, "tmp/x.wav"), retained=False, reason="resampled")
        stage.track_intermediate(stage.output_path("never.wav"), retained=False, reason="was not needed")
    assert (job_dir / "01_asr" / "cache.bin").exists()
    assert not (job_dir / "01_asr" / "tmp" / "x.wav").exists()
    cache, removed, never = manifest_of(job_dir, "01_asr")["intermediate_files"]
    assert (cache["type"], cache["retained"], cache["reason"]) == ("intermediate", True, "model cache")
    assert (removed["retained"], removed["size_bytes"]) == (False, 7)
    assert (never["retained"], never["size_bytes"], cache["model"]) == (False, 0, "v3")


def test_a_failed_stage_keeps_its_intermediate_files_and_says_so(job_dir: Path) -> None:
    def run() -> None:
        with Stage("asr", job_dir) as stage:
            stage.track_intermediate(make(stage, "x.wav"), retained=False, reason="resampled")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    (kept,) = manifest_of(job_dir, "01_asr")["intermediate_files"]
    assert kept["retained"] is True
    assert "the stage failed" in kept["reason"]
    assert (job_dir / "01_asr" / "x.wav").exists()


def test_nothing_outside_of_the_stages_directory_is_ever_removed(job_dir: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "precious.wav"
    foreign.write_text("x")
    with Stage("asr", job_dir) as stage:
        for path in (foreign, stage.directory, stage.manifest_path):
            with pytest.raises(StageUsageError, match="cannot be removed"):
                stage.track_intermediate(path, retained=False, reason="no")
        own = make(stage, "out.txt")
        stage.track_output(own)
        with pytest.raises(StageUsageError, match="cannot be both"):
            stage.track_intermediate(own, retained=False, reason="no")
    assert foreign.exists()


def test_a_stages_files_are_its_own(job_dir: Path) -> None:
    demuxed(job_dir)
    with Stage("asr", job_dir) as stage:
        with pytest.raises(StageUsageError, match="another stage"):
            stage.track_output(job_dir / "01_demux" / "audio.wav")
        for name in ("../01_demux/x", "/etc/passwd", "..", "."):
            with pytest.raises(StageUsageError, match="does not lie below"):
                stage.output_path(name)
        assert stage.output_path("stage.logic.json").name == "stage.logic.json"
        for name in ("manifest.json", "stage.log", "stage.log.1", ".lock", ".manifest.json.tmp"):
            with pytest.raises(StageUsageError, match="Telecine's own"):
                stage.output_path(name)


def test_what_is_not_there_cannot_be_tracked(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        with pytest.raises(StageFileMissingError, match=r"nothing\.txt is not there"):
            stage.track_output(stage.output_path("nothing.txt"))
        with pytest.raises(FileNotFoundError):
            stage.track_input("/nowhere/at/all")
        with pytest.raises(StageNotFoundError, match="there are: asr"):
            stage.input_path("audio.wav", from_stage="demux")


def test_inputs_of_the_job_itself_and_from_elsewhere_are_told_apart(job_dir: Path, tmp_path: Path) -> None:
    outside = tmp_path / "film.mp4"
    outside.write_text("film")
    (job_dir / "in").mkdir(parents=True)
    (job_dir / "in" / "sample.mp4").write_text("sample")
    with Stage("demux", job_dir) as stage:
        stage.track_input(stage.input_path("in/sample.mp4"), "video")
        stage.track_input(stage.input_path(outside), "video", has_checksum=False)
    near, far = manifest_of(job_dir, "01_demux")["inputs"]
    assert (near["path"], near["from_stage"]) == ("in/sample.mp4", None)
    assert (far["path"], far["sha256"]) == (outside.as_posix(), None)


def test_doubtful_reading_is_a_warning(job_dir: Path) -> None:
    unfinished = Stage("demux", job_dir)
    make(unfinished, "audio.wav")
    with Stage("asr", job_dir) as stage:
        stage.input_path("audio.wav", from_stage="demux")
        make(stage, "left-over.bin")
    unfinished.finalize("failed")
    warnings = {w["code"]: w["message"] for w in manifest_of(job_dir, "02_asr")["warnings"]}
    assert "demux is running" in warnings["INPUT_UNFINISHED"]
    assert "01_demux/audio.wav" in warnings["UNTRACKED_INPUT"]
    assert "02_asr/left-over.bin" in warnings["UNLISTED_FILE"]


def test_metadata_cannot_take_the_place_of_a_fact(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        path = make(stage, "a.txt")
        with pytest.raises(StageUsageError, match="sha256"):
            stage.track_output(path, "text", sha256="abc")
        with pytest.raises(StageUsageError, match="cpu_seconds"):
            stage.add_resources(cpu_seconds=1)
        stage.track_output(path, "text", file_name="fine")


def test_secrets_reach_no_manifest_and_no_log(job_dir: Path) -> None:
    secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"

    def run() -> None:
        with Stage("asr", job_dir, config={"api_key": secret, "n": 7}) as stage:
            stage.add_config("header", f"Authorization: Bearer {secret}")
            stage.track_output(make(stage, "a"), "text", note=f"token={secret}")
            stage.add_metadata(password=secret)
            stage.add_warning(f"api_key={secret}")
            stage.add_error("call failed", ValueError(f"401 for Bearer {secret}"))
            stage.logger.info("using api_key=%s", secret, password=secret)
            raise RuntimeError(f"Authorization: Bearer {secret}")

    with pytest.raises(RuntimeError):
        run()
    texts = {path: path.read_text() for path in job_dir.rglob("*") if path.is_file()}
    assert {path.name for path in texts} >= {"manifest.json", "stage.log", ".stages"}
    assert [path for path, text in texts.items() if secret in text] == []
    manifest = manifest_of(job_dir, "01_asr")
    assert manifest["config"]["n"] == 7
    assert "REDACTED" in {warning["code"] for warning in manifest["warnings"]}


def test_whatever_is_handed_over_can_be_written_and_read_again(job_dir: Path) -> None:
    strange = {
        "path": Path("/x"),
        "set": {1},
        "big": 2**70,
        "nan": float("nan"),
        "text": "\ud800",
        3: object(),
    }
    with Stage("asr", job_dir, config=strange) as stage:
        stage.add_metadata(value=stage)
        stage.add_cost("tokens", 0.1 + 0.2, quantity=3, unit="k")
    manifest = read_manifest(stage.manifest_path)
    assert manifest.config["path"] == "/x"
    assert manifest.config["big"] == str(2**70)
    assert manifest.cost.totals == {"USD": 0.3}


def test_another_run_counts_on_and_remembers_the_one_before(job_dir: Path) -> None:
    def run() -> None:
        with Stage("asr", job_dir) as stage:
            stage.add_cost("api", 0.25)
            raise RuntimeError("no model")

    with pytest.raises(RuntimeError):
        run()
    demuxed(job_dir)
    with Stage("asr", job_dir) as stage:
        assert (stage.number, stage.attempt) == (1, 2)
    manifest = read_manifest(stage.manifest_path)
    assert (manifest.status, manifest.attempt, manifest.errors) == (StageStatus.SUCCESS, 2, ())
    (earlier,) = manifest.earlier_attempts
    assert (earlier.number, earlier.status, earlier.cost) == (1, StageStatus.FAILED, {"USD": 0.25})
    assert earlier.problem is not None
    assert (earlier.problem.code, earlier.problem.message) == ("RuntimeError", "no model")


def test_a_stage_that_runs_is_refused_to_others(job_dir: Path) -> None:
    stage = Stage("asr", job_dir)
    with pytest.raises(StageBusyError, match=f"process {os.getpid()}") as refused:
        Stage("asr", job_dir)
    assert refused.value.is_retryable
    stage.finalize()
    Stage("asr", job_dir).finalize()


def test_the_bounds_hold(job_dir: Path) -> None:
    settings = StageSettings(max_files=2, max_messages=2, max_directory_files=1, max_attempts=1)
    for _ in range(3):
        with Stage("asr", job_dir, settings=settings) as stage:
            for name in ("a", "b"):
                stage.track_output(make(stage, name))
            stage.track_output(make(stage, "a", "again"))
            with pytest.raises(StageUsageError, match="max_files"):
                stage.track_output(make(stage, "c"))
            with pytest.raises(StageUsageError, match="more than 1 files"):
                stage.track_input(stage.directory)
            stage.output_path("c").unlink()
            for number in range(5):
                stage.add_warning(f"warning {number}")
    manifest = read_manifest(stage.manifest_path)
    assert (manifest.attempt, len(manifest.earlier_attempts)) == (3, 1)
    assert [w.message for w in manifest.warnings] == [
        "warning 0",
        "warning 1 (and 4 more that are left out)",
    ]


def test_wrong_settings_are_refused_all_at_once() -> None:
    with pytest.raises(StageUsageError, match=r"max_files is 0.*log_max_bytes is 1"):
        StageSettings(max_files=0, log_max_bytes=1)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 65, "-x", "ä"])
def test_a_name_that_is_no_directory_is_refused(job_dir: Path, name: str) -> None:
    with pytest.raises(StageUsageError, match="cannot be called"):
        Stage(name, job_dir)
    assert not job_dir.exists()


def test_a_status_that_there_is_not_is_refused_and_the_stage_goes_on(job_dir: Path) -> None:
    stage = Stage("asr", job_dir)
    for status in ("done", "running"):
        with pytest.raises(StageUsageError, match="success, failed or skipped"):
            stage.finalize(status)
    stage.finalize("skipped")


def test_many_threads_track_into_one_stage(job_dir: Path) -> None:
    with Stage("split", job_dir) as stage:
        threads = [
            threading.Thread(target=lambda n=n: stage.track_output(make(stage, f"{n}.txt", str(n)), "text"))
            for n in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    outputs = manifest_of(job_dir, "01_split")["outputs"]
    assert {output["path"] for output in outputs} == {f"01_split/{n}.txt" for n in range(24)}


async def test_a_stage_serves_coroutines_as_well(job_dir: Path) -> None:
    async with Stage("asr", job_dir) as stage:
        await asyncio.sleep(0)
        stage.track_output(make(stage, "a.txt"))
    assert manifest_of(job_dir, "01_asr")["status"] == "success"


def test_an_encoders_manifest_in_the_stages_place_is_not_overwritten(job_dir: Path) -> None:
    (job_dir / "01_encode").mkdir(parents=True)
    evidence = '{"schema": "urn:telecine:manifest:1", "job_id": "x"}'
    (job_dir / "01_encode" / "manifest.json").write_text(evidence)
    with pytest.raises(StageUsageError, match="another kind"):
        Stage("encode", job_dir)
    assert (job_dir / "01_encode" / "manifest.json").read_text() == evidence


def test_a_manifest_that_cannot_be_read_is_set_aside(job_dir: Path) -> None:
    (job_dir / "01_asr").mkdir(parents=True)
    (job_dir / "01_asr" / "manifest.json").write_text('{"schema": "urn:tele')
    with Stage("asr", job_dir):
        pass
    assert (job_dir / "01_asr" / ".manifest.json.unreadable").read_text() == '{"schema": "urn:tele'
    assert manifest_of(job_dir, "01_asr")["warnings"][0]["code"] == "UNREADABLE_MANIFEST"


def test_every_error_is_the_sdks_and_says_what_to_do() -> None:
    for kind in (StageUsageError, StageNotFoundError, StageFileMissingError, StageIncompleteError):
        assert issubclass(kind, StageError)
        assert issubclass(kind, TelecineError)
    for kind in (StageUsageError, StageBusyError, StageFileMissingError):
        error = kind("what happened")
        assert str(error) == "what happened"
        assert error.recovery.endswith(".")


@pytest.mark.parametrize("arguments", [{"number": "q"}, {"number": 1.5}, {"name": 5}, {"name": None}])
def test_what_no_stage_can_have_is_refused_before_anything_is_made(job_dir: Path, arguments: dict) -> None:
    with pytest.raises(StageUsageError):
        Stage(**{"name": "x", "job_dir": job_dir / "job", **arguments})
    assert not (job_dir / "job").exists()


def test_costs_and_bounds_that_are_no_numbers_are_refused(job_dir: Path) -> None:
    with Stage("x", job_dir) as stage:
        for cost in (
            ("api", "x"),
            ("api", None),
            ("api", True),
            ("api", float("nan")),
            (5, 1),
            ("api", 1, 5),
        ):
            with pytest.raises(StageUsageError, match="cost"):
                stage.add_cost(*cost)  # type: ignore[arg-type]
        with pytest.raises(StageUsageError, match="quantity"):
            stage.add_cost("api", 1, quantity="6")  # type: ignore[arg-type]
    assert manifest_of(job_dir, "01_x")["status"] == "success"
    with pytest.raises(StageUsageError, match="max_files is 'x'"):
        StageSettings(max_files="x")  # type: ignore[arg-type]
