"""Processes that are configured with one data directory all encode, and find their jobs again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from telecine.clients.embedded import EmbeddedServer
from telecine.embedding import data_directory
from telecine.embedding.data_directory import is_locked, is_taken, places
from telecine.testing import SMALL

PROGRAM = """
import sys
import numpy as np, telecine
from telecine.clients.embedded import embedded_server
result = telecine.Client().encode(np.zeros((2, 16, 16, 3), np.uint8), fps=1, outputs="mkv")
print(result.job.state, flush=True)
print(embedded_server().data_dir, flush=True)
sys.stdin.read()
"""


def rank(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TELECINE_DATA_DIR": str(data_dir)},
    )


def answer(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    return process.stdout.readline().strip(), process.stdout.readline().strip()


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.communicate()


def test_three_processes_share_one_directory_and_the_next_program_has_the_first_place(tmp_path: Path) -> None:
    ranks = [rank(tmp_path) for _ in range(3)]
    said = [answer(process) for process in ranks]
    assert [state for state, _ in said] == ["succeeded"] * 3
    used = {Path(place) for _, place in said}
    assert used == {tmp_path, tmp_path / "processes" / "2", tmp_path / "processes" / "3"}
    first = next(process for process, (_, place) in zip(ranks, said, strict=True) if Path(place) == tmp_path)
    first.send_signal(signal.SIGKILL)
    successor = rank(tmp_path)
    assert answer(successor) == ("succeeded", str(tmp_path)), "what a killed program has left is waited for"
    end(*ranks, successor)


def test_a_directory_that_a_service_has_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_taken(tmp_path / "none")
    assert not is_taken(tmp_path)
    assert not is_locked(tmp_path / "none")
    with EmbeddedServer(tmp_path, settings=SMALL):
        assert is_taken(tmp_path)
        assert is_locked(tmp_path)
        monkeypatch.setattr(data_directory, "_LOCKS", tmp_path / "no-such-list")
        assert not is_taken(tmp_path), "a system without such a list shows it when a service is started"
    assert not is_locked(tmp_path)


def test_places_are_bounded(tmp_path: Path) -> None:
    assert len(set(places(tmp_path))) == data_directory.MAX_PROCESSES
