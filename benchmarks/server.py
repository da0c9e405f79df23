"""A real encoder service to measure: its own process tree, its CPU seconds and its memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_START_TIMEOUT_SECONDS = 60.0
_SAMPLE_INTERVAL_SECONDS = 0.05


@dataclass(slots=True)
class Memory:
    """The largest memory seen, in bytes, of the process that serves and of all its workers together.

    `anonymous` is what the process itself holds; the rest of RSS is mapped files: pages of the spool that
    the kernel keeps anyway and takes back when it needs them.
    """

    service_rss: int = 0
    service_anonymous: int = 0
    workers_rss: int = 0
    workers_anonymous: int = 0


@dataclass(slots=True)
class Server:
    """A running service."""

    address: str
    process: psutil.Process
    data_dir: Path
    _ended_children: dict[int, float] = field(default_factory=dict)

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU seconds so far of (the process that serves, all of its workers)."""
        own = _cpu(self.process)
        for child in self.process.children(recursive=True):
            try:
                self._ended_children[child.pid] = _cpu(child)
            except psutil.NoSuchProcess:
                continue
        return own, sum(self._ended_children.values())

    def memory(self) -> Memory:
        """Memory right now."""
        now = Memory()
        now.service_rss, now.service_anonymous = _memory(self.process)
        for child in self.process.children(recursive=True):
            rss, anonymous = _memory(child)
            now.workers_rss += rss
            now.workers_anonymous += anonymous
        return now

    @contextmanager
    def watching_memory(self) -> Iterator[Memory]:
        """Yields the peak of each figure; it grows until the block is left."""
        peak = Memory()
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(_SAMPLE_INTERVAL_SECONDS):
                now = self.memory()
                for name in Memory.__slots__:
                    setattr(peak, name, max(getattr(peak, name), getattr(now, name)))

        watcher = threading.Thread(target=watch, name="memory")
        watcher.start()
        try:
            yield peak
        finally:
            stop.set()
            watcher.join()


@contextmanager
def running_server(*settings: str) -> Iterator[Server]:
    """Serves on a free port with a data directory of its own until the block is left."""
    data_dir = Path(tempfile.mkdtemp(prefix="telecine-bench-"))
    command = [
        sys.executable, "-m", "telecine.cli", "serve", "encoder",
        "--listen", "127.0.0.1:0", "--data-dir", str(data_dir),
    ]  # fmt: skip
    for setting in settings:
        command += ["--set", setting]
    log = (data_dir / "server.log").open("wb")
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield Server(_ready_address(child, data_dir), psutil.Process(child.pid), data_dir)
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        log.close()
        shutil.rmtree(data_dir, ignore_errors=True)


def wait_until(is_true: Callable[[], bool], what: str, timeout_seconds: float = 30.0) -> None:
    """Polls; raises TimeoutError naming what did not happen."""
    deadline = time.monotonic() + timeout_seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def _ready_address(child: subprocess.Popen[bytes], data_dir: Path) -> str:
    timer = threading.Timer(_START_TIMEOUT_SECONDS, child.kill)
    timer.start()
    try:
        line = child.stdout.readline() if child.stdout else b""
    finally:
        timer.cancel()
    if not line:
        raise RuntimeError(f"the service did not start:\n{(data_dir / 'server.log').read_text()[-4000:]}")
    return str(json.loads(line)["address"])


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> tuple[int, int]:
    """(RSS, the part of it that is no file) in bytes; zero for a process that has just ended."""
    try:
        info = process.memory_info()
        return info.rss, info.rss - info.shared
    except psutil.NoSuchProcess:
        return 0, 0
