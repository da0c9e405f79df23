"""A real encoder service to measure: its own process tree, its CPU seconds and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from telecine.clients.embedded import EmbeddedServer

from benchmarks.sampler import sampling

_SAMPLE_INTERVAL_SECONDS = 0.05


@dataclass(slots=True)
class Memory:
    """The largest memory seen, in bytes, of the process that serves and of all its workers together.

    Anonymous memory is what a process holds itself; the rest of RSS is mapped files: pages of the spool
    that the kernel keeps anyway and takes back when it needs them.
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

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU seconds so far of (the process that serves, all of its workers, those that have ended too)."""
        workers = 0.0
        for zygote in self.process.children():
            ended = zygote.cpu_times()
            workers += _cpu_seconds(zygote) + float(ended.children_user + ended.children_system)
            for worker in zygote.children():
                try:
                    workers += _cpu_seconds(worker)
                except psutil.NoSuchProcess:
                    continue
        return _cpu_seconds(self.process), workers

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

        def look() -> None:
            now = self.memory()
            for name in Memory.__slots__:
                setattr(peak, name, max(getattr(peak, name), getattr(now, name)))

        with sampling(look, _SAMPLE_INTERVAL_SECONDS):
            yield peak


@contextmanager
def running_server(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """Serves on a free loopback port, with a data directory of its own, until the block is left."""
    with EmbeddedServer(settings=settings) as embedded:
        yield Server(embedded.address, psutil.Process(embedded.pid))


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> tuple[int, int]:
    """(RSS, the part of it that is no file) in bytes; zero for a process that has just ended."""
    try:
        info = process.memory_info()
    except psutil.NoSuchProcess:
        return 0, 0
    return info.rss, info.rss - info.shared
