"""Local files, sampling, progress bars, uncaught exceptions."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tqdm
from hypothesis import given
from hypothesis import strategies as st
from telecine.logging import FoldedStream, configure_logging, get_logger
from telecine.logging.bridges.progress_bars import ProgressFolder, parse_progress
from telecine.logging.outputs.files import RotatingFile
from telecine.logging.outputs.rendering import Format, renderer
from telecine.logging.record.sampling import SampleUnit, StageSampler, is_whole

from tests.client.logging.conftest import RunProgram

AS_IT_IS = renderer(Format.JSON)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def all_lines(path: Path) -> list[bytes]:
    files = sorted(path.parent.glob(f"{path.name}*"), key=lambda p: p.suffix, reverse=True)
    return [
        line
        for file in files
        if file.suffix != ".lock"
        for line in file.read_bytes().splitlines(keepends=True)
    ]


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(64, 200))
def test_rotation_loses_no_byte_and_cuts_no_line(sizes: list[int], max_bytes: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.log"
        file = RotatingFile(path, AS_IT_IS, 0, max_bytes, backups=1000)
        lines = [b"%03d" % n + b"x" * size + b"\n" for n, size in enumerate(sizes)]
        for line in lines:
            file.write(line)
        file.close()
        assert sorted(all_lines(path)) == lines
        assert all(p.stat().st_size <= max_bytes for p in Path(directory).iterdir())


def test_the_oldest_backup_goes_when_there_are_enough(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", AS_IT_IS, 0, max_bytes=100, backups=2)
    for n in range(100):
        file.write(b"%09d\n" % n)
    file.close()
    assert {p.name for p in tmp_path.iterdir()} == {"a.log", "a.log.1", "a.log.2", "a.log.lock"}
    assert (tmp_path / "a.log").read_bytes().endswith(b"000000099\n")


def test_two_writers_share_a_file_through_rotations(tmp_path: Path) -> None:
    """Delgan/loguru#365, #491"""
    clock = Clock()
    files = [RotatingFile(tmp_path / "a.log", AS_IT_IS, 0, 200, 1000, clock) for _ in range(2)]
    for n in range(200):
        clock.now += 0.6
        files[n % 2].write(b"%09d\n" % n)
    for file in files:
        file.close()
    assert sorted(all_lines(tmp_path / "a.log")) == [b"%09d\n" % n for n in range(200)]


@pytest.mark.parametrize("how", ["rename", "remove", "copytruncate"])
def test_what_logrotate_does_is_noticed(tmp_path: Path, how: str) -> None:
    clock = Clock()
    path = tmp_path / "a.log"
    file = RotatingFile(path, AS_IT_IS, 0, 1000, 2, clock)
    file.write(b"before\n" * 100)
    if how == "rename":
        path.rename(tmp_path / "a.log-old")
    elif how == "remove":
        path.unlink()
    else:
        os.truncate(path, 0)
    clock.now += 2
    file.write(b"after\n")
    file.close()
    assert path.read_bytes() == b"after\n"


# --- sampling ---------------------------------------------------------------------------------------

THIN = next(str(n) for n in range(100) if not is_whole(str(n), 5))
WHOLE = next(str(n) for n in range(100) if is_whole(str(n), 5))


def status(sampler: StageSampler, job: str, count: int, level: int = 20) -> list[dict[str, Any]]:
    kept = []
    for n in range(count):
        released, fields = sampler.admit(level, "poll", "provider:status", job, {"n": n, "job_id": job})
        assert not released
        kept += [fields] if fields is not None else []
    return kept


def test_a_whole_job_keeps_all_and_a_thin_one_its_first_and_last() -> None:
    sampler = StageSampler({"provider:status": 5})
    assert [f["n"] for f in status(sampler, WHOLE, 10)] == list(range(10))
    assert [f["n"] for f in status(sampler, THIN, 10)] == [0]
    released, _ = sampler.admit(20, "done", "provider:complete", THIN, {})
    assert [(held.msg, *map(held.fields.get, ("n", "sample_rate", "sampled_out"))) for held in released] == [
        ("poll", 9, 0, 8)
    ]
    assert sampler.sampled_out == 8


def test_warnings_and_other_stages_always_stay() -> None:
    sampler = StageSampler({"provider:status": 5})
    assert len(status(sampler, THIN, 10, level=30)) == 10
    assert sampler.admit(20, "m", "provider:submit", THIN, {"a": 1}) == ([], {"a": 1})
    assert sampler.admit(20, "m", None, "", {"a": 1}) == ([], {"a": 1})


def test_without_a_job_one_in_n_is_kept_and_the_rate_stands_on_it() -> None:
    sampler = StageSampler({"provider:status": 5})
    kept = status(sampler, "", 11)
    assert [(f["n"], f["sample_rate"]) for f in kept] == [(0, 5), (5, 5), (10, 5)]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=60))
def test_every_record_is_emitted_or_counted(events: list[tuple[str, bool]]) -> None:
    sampler = StageSampler({"provider:status": 3})
    emitted = 0
    for job, is_status in events:
        stage = "provider:status" if is_status else "provider:complete"
        released, kept = sampler.admit(20, "m", stage, job, {})
        emitted += len(released) + (kept is not None)
    assert emitted + sampler.sampled_out == len(events)
    assert emitted + len(sampler.end()) + sampler.sampled_out == len(events)
    assert sampler.end() == []


def test_of_more_jobs_than_are_remembered_the_forgotten_keep_their_last_record_too() -> None:
    sampler = StageSampler({"provider:status": 5})
    jobs = [job for job in map(str, range(2000)) if not is_whole(job, 5)]
    last = []
    for job in jobs:
        for n in range(3):
            released, _ = sampler.admit(20, "poll", "provider:status", job, {"n": n}, job.encode())
            last += [(held.source.decode(), held.fields["n"]) for held in released]
    last += [(held.source.decode(), held.fields["n"]) for held in sampler.end()]
    assert last == [(job, 2) for job in jobs]


def test_by_record_one_in_n_of_the_stage_stays_whatever_the_jobs() -> None:
    sampler = StageSampler({"provider:status": 5}, SampleUnit.RECORD)
    kept = [n for n in range(10) if status(sampler, f"job-{n}", 1)]
    assert kept == [0, 5]
    assert len(status(sampler, "job-1", 2, level=30)) == 2


def test_the_sampling_variable_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "5")
    configure_logging("worker", directory=tmp_path, console="off")
    log = get_logger("a")
    for n in range(10):
        log.info("provider:status", n=n)
    log.warning("provider:status", n=10)
    records = [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]
    assert [r["n"] for r in records] == [0, 5, 10]


# --- progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "denoise:  45%|████▌     | 9/20 [00:01<00:01,  8.91it/s]",
            {
                "progress": "denoise",
                "progress_percent": 45,
                "progress_done": 9,
                "progress_total": 20,
                "progress_rate": 8.91,
            },
        ),
        (
            " 10%|█         | 1/10 [00:02<00:18,  2.00s/it]",
            {
                "progress": "",
                "progress_percent": 10,
                "progress_done": 1,
                "progress_total": 10,
                "progress_rate": 0.5,
            },
        ),
        ("75it [00:03, 25.0it/s]", {"progress": "", "progress_done": 75, "progress_rate": 25}),
        (
            "frame=  100 fps= 25 q=28.0 size=     256kB time=00:00:04.00 bitrate= 524.3kbits/s",
            {"progress": "ffmpeg", "progress_done": 100, "progress_rate": 25},
        ),
        ("Downloading weights: 12.5%", {"progress": "Downloading weights", "progress_percent": 12.5}),
        ("loading model", None),
    ],
)
def test_progress_lines_are_understood(line: str, fields: dict[str, Any] | None) -> None:
    assert parse_progress(line) == fields


def test_a_bar_becomes_its_first_state_one_every_interval_and_its_last() -> None:
    clock, emitted = Clock(), list[dict[str, Any]]()
    folder = ProgressFolder(emitted.append, interval_seconds=50, clock=clock)
    passed = folder.feed("loading\n")
    for n in range(101):
        clock.now += 1
        passed += folder.feed(f"\rstep: {n}%|##| {n}/100 [00:00<00:00, 10.0it/s]")
    passed += folder.feed("\ndone\n")
    assert passed == "loading\ndone\n"
    assert [(e["progress_done"], e["is_last"]) for e in emitted] == [(0, False), (50, False), (100, True)]
    assert emitted[-1]["progress_updates"] == 101


@given(
    st.lists(st.sampled_from(["a\n", "5%|#| 1/20 [0<0, 1it/s]\r", "\r", "\n", "text", " \n"]), max_size=20),
    st.data(),
)
def test_how_the_text_is_split_does_not_matter(parts: list[str], data: st.DataObject) -> None:
    def folded(pieces: list[str]) -> tuple[str, list[dict[str, Any]]]:
        emitted: list[dict[str, Any]] = []
        folder = ProgressFolder(emitted.append, clock=Clock())
        passed = "".join(folder.feed(piece) for piece in pieces)
        return passed + folder.finish(), emitted

    text = "".join(parts).replace("\r\n", "\n")
    cut = data.draw(st.integers(0, len(text)))
    assert folded([text]) == folded([text[:cut], text[cut:]]) == folded(list(text))


def test_a_real_tqdm_bar_is_folded(tmp_path: Path) -> None:
    configure_logging("worker", directory=tmp_path, console="off")
    terminal = io.StringIO()
    with FoldedStream(terminal, get_logger("bar")) as stream:
        for _ in tqdm.tqdm(range(50), desc="frames", file=stream, mininterval=0):
            pass
    assert terminal.getvalue() == ""
    records = [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]
    assert records[-1]["progress_done"] == 50
    assert len(records) <= 3
    assert {r["event"] for r in records} == {"log:progress"}


def test_standard_error_can_be_folded(tmp_path: Path) -> None:
    before = sys.stderr
    configure_logging("worker", directory=tmp_path, console="off", folds_progress=True)
    sys.stderr.write("\rx: 50%|#| 1/2 [00:00<00:00, 1.0it/s]")
    configure_logging("worker", directory=tmp_path, console="off")
    assert sys.stderr is before
    assert b'"progress_percent":50' in (tmp_path / "worker.log").read_bytes()


# --- uncaught exceptions ----------------------------------------------------------------------------


def test_what_nobody_caught_is_recorded(run_program: RunProgram, tmp_path: Path) -> None:
    process = run_program(
        "import asyncio\n"
        "start()\n"
        "def fail(): raise KeyError('in a thread')\n"
        "t = threading.Thread(target=fail, name='t9'); t.start(); t.join()\n"
        "class Bad:\n"
        "    def __del__(self): raise OSError('in del')\n"
        "b = Bad(); del b\n"
        "async def orphan(): raise RuntimeError('in a task')\n"
        "async def main():\n"
        "    task = asyncio.create_task(orphan()); await asyncio.sleep(0); del task\n"
        "asyncio.run(main())\n"
        "import gc; gc.collect()\n"
        "raise ValueError('in main password=hunter2')\n"
    )
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" in err, "Python's own report stays"
    text = (tmp_path / "worker.log").read_text()
    records = [json.loads(line) for line in text.splitlines()]
    assert [r["error_type"] for r in records] == ["KeyError", "OSError", "RuntimeError", "ValueError"]
    assert records[0]["thread"] == "t9"
    assert records[-1]["level"] == "CRITICAL"
    assert "hunter2" not in text


def test_hooks_are_put_back(tmp_path: Path) -> None:
    from telecine.logging import shutdown_logging

    before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    configure_logging("worker", directory=tmp_path, console="off")
    assert sys.excepthook != before[0]
    shutdown_logging()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before
    gc.collect()


def test_a_directory_that_cannot_be_written_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotADirectoryError, match="TELECINE_LOG_DIR") as refused:
        configure_logging("worker", directory=tmp_path / "file" / "logs", console="off")
    assert str(tmp_path / "file") in str(refused.value)
