"""A variable that begins like Telecine's and is none is reported once, with the one that was meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from telecine.logging.configuration import log_variables
from telecine.logging.unknown_variables import unknown_variables

MEANT = [
    ("TELECINE_LOG_LEVL", "TELECINE_LOG_LEVEL"),
    ("TELECINE_LOG_COLECTOR", "TELECINE_LOG_COLLECTOR"),
    ("TELECINE_SERVR", "TELECINE_SERVER"),
    ("TELECINE_DATADIR", "TELECINE_DATA_DIR"),
    ("TELECINE_ENCODR_WORKERS", "TELECINE_ENCODER_WORKERS"),
    ("TELECINE_COLECTOR_HOST__LISTEN", "TELECINE_COLLECTOR_HOST__LISTEN"),
    ("TELECINE_TASTE", ""),
]


@pytest.mark.parametrize(("name", "meant"), MEANT)
def test_a_typo_is_found_with_what_was_meant(name: str, meant: str) -> None:
    assert list(unknown_variables({name: "x"})) == [(name, meant)]


def test_what_is_known_or_somebody_elses_is_left_alone() -> None:
    known = {
        *log_variables(), "TELECINE_CONFIG", "TELECINE_SERVER", "TELECINE_COLLECTOR", "TELECINE_TRACEBACK",
        "TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "TELECINE_ENCODER_ANYTHING", "TELECINE_SDK_ANYTHING",
        "TELECINE_SERVICE_HOST", "TELECINE_LOG_SERVICE_PORT_GRPC", "TELECINE_PORT_50051_TCP_ADDR",
        "TELECINE_PORT", "HOME", "NOT_TELECINE_X",
    }  # fmt: skip
    assert list(unknown_variables(dict.fromkeys(known, "x"))) == []


PROGRAMS = {
    "logging": ["-c", "from telecine.logging import configure_logging as c; c('w', has_files=False); c('w')"],
    "client": [
        "-c",
        "from telecine import Client; Client('127.0.0.1:1').close(); Client('127.0.0.1:1').close()",
    ],
    "command": ["-m", "telecine.cli", "errors", "--json"],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_reported_once_without_its_value(program: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, *PROGRAMS[program]],
        capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path,
        env=os.environ | {"TELECINE_LOG_LEVL": "hunter2"},
    )  # fmt: skip
    said = ran.stdout + ran.stderr
    assert said.count("TELECINE_LOG_LEVL is no setting of Telecine") == 1
    assert "did you mean TELECINE_LOG_LEVEL?" in said
    assert "hunter2" not in said
    if program == "command":
        assert json.loads(ran.stdout)
