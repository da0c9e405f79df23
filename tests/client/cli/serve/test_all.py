"""`telecine serve all`: both services answer, and end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from telecine import Client, LogClient

from tests.eventually import eventually

COMMAND = [sys.executable, "-m", "telecine.cli", "serve", "all"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_services_answer_and_end_together(tmp_path: Path, number: signal.Signals) -> None:
    listen = ["--listen", "127.0.0.1:0", "--collector-listen", "127.0.0.1:0", "--data-dir", str(tmp_path)]
    listen += ["--http-listen", "127.0.0.1:0"] if number is signal.SIGTERM else []
    with (tmp_path / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [*COMMAND, *listen], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline() or "{}")
    assert ready, (tmp_path / "stderr").read_text()
    with Client(ready["encoder"]) as client, LogClient(ready["collector"]) as logs:
        assert list(client.jobs()) == []
        assert logs.stats()["sinks"][0]["name"] == "file"
        assert ("http" in ready) is (number is signal.SIGTERM)
        if "http" in ready:
            port = ready["http"].rpartition(":")[2].rstrip("/")
            line = b'{"msg": "by curl", "service": "page"}\n'
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/records", line, timeout=30) as answer:
                assert answer.status == 200
            assert any(b"by curl" in record for record in logs.query())
    os.kill(process.pid, number)
    assert process.wait(60) == 0, (tmp_path / "stderr").read_text()
    process.stdout.close()


def test_when_one_dies_the_other_ends_too(tmp_path: Path) -> None:
    listen = ["--listen", "127.0.0.1:0", "--collector-listen", "127.0.0.1:0", "--data-dir", str(tmp_path)]
    with (tmp_path / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [*COMMAND, *listen], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    assert process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert process.wait(60) != 0
    process.stdout.close()
    eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
