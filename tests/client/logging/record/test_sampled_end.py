"""At a program's end each thin job still has the last record of its stage, under its own logger's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import LogConfigError, configure_logging, get_logger, logging_stats, shutdown_logging
from telecine.logging.record.sampling import is_whole

THIN = [job for job in range(70, 90) if not is_whole(str(job), 5)][:2]
PROGRAM = f"""
log = start(sampling={{"provider:status": 5}})
for job in {THIN}:
    for n in range(10):
        get_logger(f"poller.{{job}}").info("provider:status", job_id=job, n=n)
get_logger("other").info("not in a job")
END
"""


def polls(directory: Path) -> list[tuple[Any, ...]]:
    records = [json.loads(line) for line in (directory / "worker.log").read_bytes().splitlines()]
    names = ("job_id", "n", "sample_rate", "sampled_out", "logger")
    return [tuple(map(r.get, names)) for r in records if r.get("stage") == "provider:status"]


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise RuntimeError", "shutdown_logging()"])
def test_each_thin_job_keeps_its_first_and_last_record(
    tmp_path: Path, run_program: Callable[..., Any], end: str
) -> None:
    run_program(PROGRAM.replace("END", end)).wait(timeout=30)
    assert sorted(polls(tmp_path)) == [
        (job, n, *rest, f"poller.{job}") for job in THIN for n, rest in ((0, (1, None)), (9, (0, 8)))
    ]


def test_a_forked_child_does_not_say_the_parents_last_records_again(
    tmp_path: Path, run_program: Callable[..., Any]
) -> None:
    fork = "pid = os.fork()\nif pid == 0: sys.exit(0)\nos.waitpid(pid, 0)"
    run_program(PROGRAM.replace("END", fork)).wait(timeout=30)
    assert len(polls(tmp_path)) == 4


def test_by_record_ten_jobs_with_one_record_each_are_thinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "5")
    monkeypatch.setenv("TELECINE_LOG_SAMPLE_BY", "record")
    configure_logging("worker", directory=tmp_path, console="off")
    for job in range(10):
        get_logger().info("provider:status", job_id=job, n=job)
    assert [(job, rate) for job, _, rate, *_ in polls(tmp_path)] == [(0, 5), (5, 5)]
    assert logging_stats()["sampled_out"] == 8
    shutdown_logging()
    assert len(polls(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("sample_by", "stage"), ("sampling", {"a": "5"}), ("sampling", 5), ("sampling", {"a": 0})],
)
def test_what_cannot_be_sampled_by_is_an_error(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(LogConfigError, match=name):
        configure_logging("worker", directory=tmp_path, **{name: value})
    assert list(tmp_path.iterdir()) == []
