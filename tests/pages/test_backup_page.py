"""docs/operate/backup.md: its scripts take both services back to the copy, and all goes on from there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
from telecine import Client, LogClient, LogFilter

from tests.eventually import eventually
from tests.pages.pages import ROOT, run_program
from tests.pages.running import check_metrics, running

OPERATE = ROOT / "docs/operate"
FRAMES = np.zeros((4, 48, 64, 3), np.uint8)
WORKER = """
import sys
from telecine.logging import configure_logging, flush_logging, get_logger
configure_logging("worker", console="off", directory="logs", collector="{collector}")
get_logger("w").info("{word}", job_id="kept")
assert flush_logging(20)
"""


def _script(name: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [str(OPERATE / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def _messages(logs: LogClient) -> list[str]:
    return [json.loads(line)["msg"] for line in logs.query(LogFilter(services=["worker"]))]


def test_both_services_go_on_from_a_restored_backup(tmp_path: Path) -> None:
    encoder, collector = tmp_path / "encoder", tmp_path / "collector"
    archives = {place: tmp_path / f"{place.name}.tar.gz" for place in (encoder, collector)}
    with running("encoder", encoder) as ready, Client(ready["address"]) as client:
        client.encode(FRAMES, fps=8, outputs="mp4", job_id="kept")
        check_metrics("encoder", ready["admin"])
        refused = _script("backup.sh", encoder, archives[encoder])
        assert refused.returncode == 1
        assert "stop it first" in refused.stderr
    with running("collector", collector) as ready, LogClient(ready["address"]) as logs:
        run_program(WORKER.format(collector=ready["address"], word="before"), tmp_path)
        eventually(lambda: _messages(logs) == ["before"])
        check_metrics("collector", ready["admin"])

    for place, archive in archives.items():
        assert _script("backup.sh", place, archive).returncode == 0
    with running("encoder", encoder) as ready, Client(ready["address"]) as client:
        client.encode(FRAMES, fps=8, outputs="mp4", job_id="later")
    for place, archive in archives.items():
        restored = _script("restore.sh", archive, place)
        assert restored.returncode == 0, restored.stderr
        assert (tmp_path / f"{place.name}.before").is_dir()

    with running("encoder", encoder) as ready, Client(ready["address"]) as client:
        assert [job.job_id for job in client.jobs()] == ["kept"]
        assert client.download("kept", "mp4.mp4", tmp_path / "mp4.mp4").size_bytes
        assert client.encode(FRAMES, fps=8, outputs="mp4", job_id="later")["mp4"].size_bytes
    with running("collector", collector) as ready, LogClient(ready["address"]) as logs:
        run_program(WORKER.format(collector=ready["address"], word="after"), tmp_path)
        eventually(lambda: _messages(logs) == ["after", "before"])


def test_what_is_no_data_directory_is_not_packed(tmp_path: Path) -> None:
    assert _script("backup.sh", tmp_path, tmp_path / "x.tar.gz").returncode == 2
