"""Programs that run stages, and logging that is unconfigured behind each test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from telecine import logging as telecine_logging

PRELUDE = """
import os, signal, sys, threading
from pathlib import Path
from telecine.stages import *
job = sys.argv[1]
def say(text):
    print(text, flush=True)
"""

StartProgram = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def job_dir(tmp_path: Path) -> Path:
    return tmp_path / "job-7"


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    telecine_logging.shutdown_logging()
    telecine_logging.set_log_level("WARNING")


@pytest.fixture
def start_program(job_dir: Path) -> Iterator[StartProgram]:
    """Starts a Python program that works in the job directory; `say` writes a line that tests wait for."""
    running: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PRELUDE + source, str(job_dir), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
