"""Doctor survives what it diagnoses: a fault of settings, of an address or of a check hides no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from telecine.cli import app as cli
from telecine.cli import connection
from telecine.cli.doctor import machine


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connection, "_FIRST_ANSWER_SECONDS", 0.3)
    for name in ("TELECINE_SERVER", "TELECINE_LOG_COLLECTOR", "TELECINE_COLLECTOR", "TELECINE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def checks(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    cli.run(["doctor", "--json", *arguments])
    found = json.loads(capsys.readouterr().out)["checks"]
    return {check["name"]: check for check in found}


ALWAYS = {"python", "telecine", "processors", "memory", "open files", "data directory"}


def test_a_wrong_file_is_a_problem_of_its_section_and_hides_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("telecine.toml").write_text('[sdk]\nservr = "x"\n[logging]\ncollector = "http://logs"\n')
    found = checks(capsys, "--server", "127.0.0.1:1")
    assert found.keys() >= ALWAYS
    assert "did you mean" in found["settings of sdk"]["message"]
    assert "http://" in found["settings of logging"]["message"]
    assert found["log collector"]["status"] == "problem"
    assert found["server 127.0.0.1:1"]["status"] == "problem"


@pytest.mark.parametrize("server", ["127.0.0.1:1", "http://x", "gpu:99999"])
def test_both_services_are_asked_and_each_is_a_check(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = checks(capsys, "--server", server, "--collector", server)
    assert found.keys() >= ALWAYS
    assert found[f"server {server}"]["status"] == found[f"collector {server}"]["status"] == "problem"
    assert found[f"collector {server}"]["advice"]


def test_a_check_that_fails_itself_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(machine, "usable_memory_bytes", fail)
    found = checks(capsys, "--server", "127.0.0.1:1")
    assert found["memory"]["status"] == "problem"
    assert "Input/output error" in found["memory"]["message"]
    assert found.keys() >= ALWAYS


def test_without_a_collector_none_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks(capsys, "--server", "127.0.0.1:1")["log collector"]["status"] == "ok"
