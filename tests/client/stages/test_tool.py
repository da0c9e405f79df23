"""A program that a stage runs leaves all that it says in the stage's log, and its failure in the manifest."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from telecine.stages import Stage, StageUsageError, ToolFailedError, read_manifest, run_tool

from tests.client.stages.conftest import StartProgram
from tests.eventually import eventually

TALKS = "import sys; print('first', flush=True); print('second', file=sys.stderr, flush=True); sys.exit({})"


def test_what_a_tool_says_stands_in_the_stages_log_alone(job_dir: Path) -> None:
    with Stage("demux", job_dir) as stage:
        run_tool(stage.logger, [sys.executable, "-c", TALKS.format(0)])
    text = (stage.directory / "stage.log").read_text()
    lines = [line.partition("[DEBUG] ")[2] for line in text.splitlines()]
    assert lines.index("first") < lines.index("second")
    assert "ended with code 0" in text
    (course,) = (job_dir / "logs").iterdir()
    assert "first" not in course.read_text()


def test_a_tool_that_fails_fails_the_stage_with_its_last_words(job_dir: Path) -> None:
    with pytest.raises(ToolFailedError, match="ended with code 3"), Stage("demux", job_dir) as stage:
        run_tool(stage.logger, [sys.executable, "-c", TALKS.format(3)])
    (error,) = read_manifest(stage.manifest_path).errors
    assert error.code == "ToolFailedError"
    assert error.message.endswith("first\nsecond")


def test_secrets_on_a_command_line_are_not_logged(job_dir: Path) -> None:
    secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"
    with Stage("demux", job_dir) as stage:
        run_tool(stage.logger, [sys.executable, "-c", "pass", f"--api-key={secret}"])
    assert secret not in (stage.directory / "stage.log").read_text()


def test_a_tool_ends_with_the_stage_that_is_interrupted(job_dir: Path, start_program: StartProgram) -> None:
    process: subprocess.Popen[str] = start_program(
        """
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with Stage("demux", job) as stage:
        wait = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
        run_tool(stage.logger, [sys.executable, "-c", wait])
except KeyboardInterrupt:
    say("interrupted")
"""
    )
    log = job_dir / "01_demux" / "stage.log"

    def tool_pid() -> int | None:
        text = log.read_text() if log.exists() else ""
        ends = [line.rpartition("] ")[2] for line in text.splitlines()]
        return next((int(end) for end in ends if end.isdecimal()), None)

    pid = eventually(tool_pid)
    assert Path(f"/proc/{pid}").exists()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert out == "interrupted\n", errors
    assert not Path(f"/proc/{pid}").exists()
    manifest = read_manifest(job_dir / "01_demux" / "manifest.json")
    assert manifest.errors[0].exception_type == "KeyboardInterrupt"


@pytest.mark.parametrize(
    "command", ["echo hi", b"echo", Path("/bin/echo"), [], ["echo", 5], None, {"echo": "hi"}]
)
def test_what_is_no_list_of_arguments_is_refused(job_dir: Path, command: Any) -> None:
    with (
        Stage("demux", job_dir) as stage,
        pytest.raises(StageUsageError, match="expected a list of arguments"),
    ):
        run_tool(stage.logger, command)
