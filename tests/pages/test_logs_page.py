"""Every command and every program of docs/logs.md runs, and finds what it says it finds."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from telecine import LogClient

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, ship
from tests.pages.pages import examples, run_program

PAGE = "docs/logs.md"
ENDLESS = ("telecine logs tail", "telecine logs watch", "telecine serve")


def commands() -> list[str]:
    """One for each line; a quotation that goes over several lines is one of them."""
    found = []
    for line in "\n".join(examples(PAGE, "sh")).splitlines():
        if found and found[-1].count('"') % 2:
            found[-1] += "\n" + line
        elif line and not line.startswith("#"):
            found.append(line)
    return [re.sub(r"\s+# .*", "", command) for command in found]


ENDING = [command for command in commands() if not command.startswith(ENDLESS)]
TAILS = [command for command in commands() if command.startswith("telecine logs tail")]


def records() -> list[dict[str, object]]:
    first = datetime.now(UTC) - timedelta(hours=1)
    made: list[dict[str, object]] = [
        {"service": "api", "msg": "request", "event": "http:request", "user_id": 123, "request_id": "7f3a",
         "duration_ms": 12.5},
        {"msg": "process_job begins", "job_id": 456, "stage": "pipeline:start"},
        {"msg": "poll_job_statuses", "stage": "provider:status"},
        {"msg": "no answer", "job_id": 456, "stage": "provider:error", "level": "ERROR",
         "error_type": "TimeoutError", "duration_ms": 30_000},
        {"msg": "again", "job_id": 456, "stage": "retry:decision", "level": "WARNING", "attempt": 1},
        {"service": "api", "msg": "database is gone", "level": "CRITICAL"},
    ]  # fmt: skip
    leading = {"level": "INFO", "service": "worker"}
    return [
        {"timestamp": (first + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), **leading, **fields}
        for n, fields in enumerate(made)
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A directory as the page has it, and the environment in which its commands run."""
    directory = tmp_path_factory.mktemp("page")
    running = CollectorProcess(directory / "telecine-logs").start()
    asyncio.run(ship(running.address, batch(1, records())))
    with LogClient(running.address) as client:
        eventually(lambda: client.stats()["sinks"][0]["delivered"] == 6)
    (directory / "old").mkdir()
    (directory / "old" / "backend.log").write_text("2025-11-11 22:30:45 - app - INFO - Processing job\n")
    environment = dict(os.environ) | {
        "TELECINE_COLLECTOR": running.address,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    yield directory, environment
    running.stop()


def test_the_page_has_its_examples() -> None:
    assert len(ENDING) >= 15
    assert len(TAILS) == 3
    assert len(examples(PAGE, "python")) == 2


@pytest.mark.parametrize("command", ENDING)
def test_a_command_of_the_page_finds_something(place: tuple[Path, dict[str, str]], command: str) -> None:
    directory, environment = place
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() not in ("", "0", "no records")


@pytest.mark.parametrize("command", TAILS)
def test_what_the_page_follows_begins_with_what_is_there(
    place: tuple[Path, dict[str, str]], command: str
) -> None:
    directory, environment = place
    process = subprocess.Popen(
        command.split(), cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert b" worker " in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("program", examples(PAGE, "python"))
def test_a_program_of_the_page_runs(place: tuple[Path, dict[str, str]], tmp_path: Path, program: str) -> None:
    _, environment = place
    address = environment["TELECINE_COLLECTOR"]
    printed = run_program(program.replace("127.0.0.1:50052", address), tmp_path)
    if "job_story" in program:
        assert "TimeoutError no answer" in printed
        assert "('provider:error', 30.0)" in printed


def test_every_option_of_an_endless_command_exists() -> None:
    """They are started by tests of their own; here their options are looked up."""
    for command in commands():
        if not command.startswith(ENDLESS):
            continue
        words = command.split()
        shown = subprocess.run(
            [sys.executable, "-m", "telecine.cli", *words[1:3], "--help"], capture_output=True, text=True,
            timeout=60, check=True, env=dict(os.environ) | {"COLUMNS": "200", "NO_COLOR": "1"},
        ).stdout  # fmt: skip
        assert all(word in shown for word in words if word.startswith("--")), command
