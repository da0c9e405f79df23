"""docs/logging.md: its program runs; it names every variable and counter, and where the services write."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from telecine.logging.configuration import _VARIABLES, PREFIX

from tests.encoder_service.server_process import ServerProcess
from tests.log_collector.collector_process import CollectorProcess
from tests.pages.pages import examples, page_text

PAGE = page_text("docs/logging.md")


def run(program: str, directory: Path, **environ: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=directory, env=clean | environ, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return ran.stdout


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    program, _in_a_test = examples("docs/logging.md", "python")
    run(program, tmp_path)
    done, retrying = map(json.loads, (tmp_path / "logs" / "worker.log").read_text().splitlines())
    assert (done["msg"], done["job_id"], done["request_id"], done["step"]) == ("step done", "job-7", "r-1", 3)
    assert retrying["password"] == "***redacted***"
    assert (tmp_path / "logs" / "errors.log").read_bytes() == b""


def test_every_variable_stands_on_the_page_and_no_other() -> None:
    named = set(re.findall(rf"`{PREFIX}([A-Z_]+)`", PAGE))
    assert named == {variable for variable, _ in _VARIABLES.values()}


def test_every_counter_stands_on_the_page(tmp_path: Path) -> None:
    program = (
        "import json\nfrom telecine.logging import *\n"
        "configure_logging('x', console='off', collector='127.0.0.1:1', flush_seconds=0.1)\n"
        "print(json.dumps(logging_stats()))\n"
    )
    counters = json.loads(run(program, tmp_path))
    assert not [name for name in counters if f"`{name}`" not in PAGE]


@pytest.mark.parametrize("service", ["encoder", "collector"])
def test_the_services_write_where_the_page_says(tmp_path: Path, service: str) -> None:
    data = tmp_path / "data"
    if service == "encoder":
        process: ServerProcess | CollectorProcess = ServerProcess(data, {"workers": "1"})
    else:
        process = CollectorProcess(data)
    process.start()
    process.stop()
    directory = {"encoder": "logs", "collector": "own-logs"}[service]
    assert f"`{directory}/{service}.log`" in PAGE
    assert '"msg":"listening"' in (data / directory / f"{service}.log").read_text()
    assert (data / directory / "errors.log").exists()
