"""Logging is configured per test and taken down behind it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from telecine import logging as telecine_logging

PRELUDE = """
import os, sys, signal, threading, time
from telecine.logging import *
def start(**options):
    options.setdefault("console", "off")
    options.setdefault("directory", sys.argv[1])
    if len(sys.argv) > 2 and sys.argv[2]:
        options.setdefault("collector", sys.argv[2])
    return configure_logging("worker", **options)
"""


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LEVEL", "FORMAT", "DIR", "COLLECTOR", "CONSOLE", "ENV", "SAMPLING_PROVIDER_STATUS"):
        monkeypatch.delenv(f"TELECINE_LOG_{name}", raising=False)
    yield
    telecine_logging.shutdown_logging()
    telecine_logging.set_log_level("WARNING")


RunProgram = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run_program(tmp_path: Path) -> Iterator[RunProgram]:
    """Starts a Python program that logs into `tmp_path`; `start()` in it configures logging."""
    running: list[subprocess.Popen[str]] = []

    def run(source: str, collector: str = "", **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # Since 3.12 Python itself warns of a fork beside threads, which is what these programs do.
            [
                sys.executable,
                "-W",
                "ignore::DeprecationWarning",
                "-c",
                PRELUDE + source,
                str(tmp_path),
                collector,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()
