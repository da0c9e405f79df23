"""A real collector to measure, and the load that is put on it; each a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
from telecine.clients.embedded import EmbeddedServer
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.logs.v1 import logs_pb2

from benchmarks.collector.load import Report
from benchmarks.sampler import sampling

ROOT = Path(__file__).parent.parent.parent
"""Where `-m benchmarks` can be found."""
_LOOK_SECONDS = 0.01
_SAMPLE_SECONDS = 0.2


@dataclass(slots=True)
class Collector:
    """A running collector."""

    address: str
    data_dir: Path
    process: psutil.Process
    stub: pb_grpc.LogCollectorServiceStub
    rss_bytes: list[int] = field(default_factory=list)

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def file_sink(self) -> logs_pb2.SinkStats:
        """The books of the file sink."""
        return next(s for s in self.stub.GetStats(pb.GetStatsRequest()).sinks if s.kind == "file")

    def wait_for_files(self, records: int) -> None:
        """Returns when the files have so many records."""
        while self.file_sink().delivered < records:
            time.sleep(_LOOK_SECONDS)

    @contextmanager
    def watching_rss(self) -> Iterator[list[tuple[float, int]]]:
        """Yields a growing list of (seconds since the beginning, resident bytes)."""
        seen: list[tuple[float, int]] = []
        begin = time.perf_counter()

        def look() -> None:
            seen.append((time.perf_counter() - begin, self.process.memory_info().rss))

        with sampling(look, _SAMPLE_SECONDS):
            yield seen


@contextmanager
def running_collector(settings: dict[str, str] | None = None) -> Iterator[Collector]:
    """A collector with its default settings but these, in a directory that is removed afterwards."""
    with (
        EmbeddedServer(service="collector", settings=settings) as embedded,
        grpc.insecure_channel(embedded.address) as channel,
    ):
        stub = pb_grpc.LogCollectorServiceStub(channel)
        yield Collector(embedded.address, embedded.data_dir, psutil.Process(embedded.pid), stub)


class Load:
    """A prepared load process; `go` sets it off and returns its report."""

    def __init__(self, address: str, way: str, records: int, size: int, **options: str | float) -> None:
        command = [sys.executable, "-m", "benchmarks.collector.load", address, "--way", way]
        command += ["--records", str(records), "--size", str(size)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", *([str(value)] if value != "" else [])]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        if self._process.stdout is None or self._process.stdout.readline().strip() != "ready":
            raise RuntimeError("the load generator did not start")

    def go(self) -> Report:
        """Sends all, and waits for the last acknowledgement."""
        out, _ = self._process.communicate("\n")
        if self._process.returncode:
            raise RuntimeError("the load generator failed")
        return Report(**json.loads(out))
