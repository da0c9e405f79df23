"""`telecine logs tail` as a program of its own: it shows what arrives, and ends when it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, record, ship


class Tail:
    """A running tail and the lines that it has shown."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "telecine.cli", "logs", "tail", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def next(self) -> str:
        return self._lines.get(timeout=20)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path / "data").start()
    asyncio.run(ship(running.address, batch(1, [record(1, level="ERROR", msg="the first")])))
    eventually(lambda: (running.data_dir / "logs" / "worker.log").exists())
    yield running
    running.stop()


@pytest.fixture
def tail() -> Iterator[Callable[..., Tail]]:
    made: list[Tail] = []

    def make(*options: str) -> Tail:
        made.append(Tail(*options))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("source", ["server", "directory"])
def test_tail_shows_the_last_ones_and_then_what_arrives(
    collector: CollectorProcess, tail: Callable[..., Tail], source: str
) -> None:
    where = ["--server", collector.address] if source == "server" else ["--dir", str(collector.data_dir)]
    shown = tail(*where, "--json", "-n", "1", "--level", "warning")
    assert json.loads(shown.next())["n"] == 1
    for n in range(2, 6):
        level = "INFO" if n == 3 else "ERROR"
        asyncio.run(ship(collector.address, batch(n, [record(n, level=level)])))
    assert [json.loads(shown.next())["n"] for _ in range(3)] == [2, 4, 5]
    assert shown.end(signal.SIGINT) in (0, 130)


def test_tail_for_people_is_a_line_to_read(collector: CollectorProcess, tail: Callable[..., Tail]) -> None:
    line = tail("--server", collector.address, "-n", "1").next()
    assert "the first" in line
    assert not line.startswith("{")


def test_tail_into_a_pipe_that_is_closed_ends_quietly(collector: CollectorProcess) -> None:
    """As `telecine logs tail | head -1`."""
    tail = f"{sys.executable} -m telecine.cli logs tail --server {collector.address} --json -n 1"
    with subprocess.Popen(
        ["bash", "-c", f"{tail} | head -n 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        assert json.loads(shell.stdout.readline())["n"] == 1
        for n in range(2, 60):
            if shell.poll() is not None:
                break
            asyncio.run(ship(collector.address, batch(n, [record(n)])))
        _, errors = shell.communicate(timeout=20)
    assert "Traceback" not in errors
