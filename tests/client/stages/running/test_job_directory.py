"""Numbers of stages: given once, in order, never twice, whatever is removed or cut off meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.stages import JobDirectoryBusyError, Stage, StageSettings, StageUsageError
from telecine.stages.running.job_directory import (
    StageDirectory,
    choose_number,
    job_lock,
    stage_of_path,
    written_path,
)

NAMES = st.sampled_from(["demux", "asr", "tmdb", "mux", "tts"])


def number_of(job_dir: Path, name: str, **arguments: int) -> int:
    stage = Stage(name, job_dir, **arguments)
    stage.finalize("skipped")
    assert stage.directory == job_dir / f"{stage.number:02d}_{name}"
    return stage.number


def test_stages_are_numbered_as_they_come_and_keep_their_numbers(job_dir: Path) -> None:
    assert [number_of(job_dir, name) for name in ("demux", "asr", "demux", "mux", "asr")] == [1, 2, 1, 3, 2]


def test_a_removed_stage_gets_its_number_back(job_dir: Path) -> None:
    for name in ("demux", "asr", "mux"):
        number_of(job_dir, name)
    shutil.rmtree(job_dir / "02_asr")
    shutil.rmtree(job_dir / "03_mux")
    assert number_of(job_dir, "tts") == 4
    assert number_of(job_dir, "asr") == 2


def test_a_pipeline_may_give_the_numbers_itself(job_dir: Path) -> None:
    assert number_of(job_dir, "mux", number=12) == 12
    assert number_of(job_dir, "tts") == 13
    assert number_of(job_dir, "asr", number=4) == 4
    for name, number, reason in (("x", 12, "mux has it"), ("asr", 5, "has number 4"), ("y", 0, "possible")):
        with pytest.raises(StageUsageError, match=reason):
            Stage(name, job_dir, number=number)


def test_directories_that_were_there_before_keep_their_numbers(job_dir: Path) -> None:
    (job_dir / "04_asr").mkdir(parents=True)
    (job_dir / "logs").mkdir()
    (job_dir / "2024_notes.txt").write_text("no stage")
    assert number_of(job_dir, "asr") == 4
    assert number_of(job_dir, "mux") == 5


def test_a_line_that_a_kill_cut_off_costs_nothing(job_dir: Path) -> None:
    number_of(job_dir, "demux")
    with (job_dir / ".stages").open("a") as registry:
        registry.write("2 as")
    assert number_of(job_dir, "mux") == 2
    shutil.rmtree(job_dir / "02_mux")
    assert number_of(job_dir, "mux") == 2
    assert number_of(job_dir, "tts") in (3, 4)


@given(st.lists(NAMES, max_size=20), st.data())
def test_no_number_is_ever_given_to_two_stages(starts: list[str], data: st.DataObject) -> None:
    given_numbers: dict[str, int] = {}
    there: tuple[StageDirectory, ...] = ()
    for name in starts:
        number = choose_number(name, None, there, given_numbers)
        assert given_numbers.setdefault(name, number) == number
        there = (*(s for s in there if s.name != name), StageDirectory(number, name, Path(name)))
        if there and data.draw(st.booleans()):
            there = tuple(stage for stage in there if stage is not data.draw(st.sampled_from(there)))
    assert len(set(given_numbers.values())) == len(given_numbers)


def test_a_job_directory_that_stays_locked_is_reported(job_dir: Path) -> None:
    settings = StageSettings(lock_seconds=0)
    with (
        job_lock(job_dir, 5),
        pytest.raises(JobDirectoryBusyError, match="not free for 0 seconds"),
    ):
        Stage("asr", job_dir, settings=settings)


def test_paths_are_written_below_the_job_directory_or_whole(tmp_path: Path) -> None:
    assert written_path(tmp_path / "01_demux" / "a" / ".." / "b.wav", tmp_path) == "01_demux/b.wav"
    assert written_path(Path("/in/film.mp4"), tmp_path) == "/in/film.mp4"
    with pytest.raises(StageUsageError, match="not UTF-8"):
        written_path(tmp_path / "\udcff", tmp_path)
    assert stage_of_path("01_demux/b.wav") == "demux"
    assert [stage_of_path(p) for p in ("01_demux", "in/b.wav", "/01_demux/b.wav", "1_x/b")] == [None] * 4
