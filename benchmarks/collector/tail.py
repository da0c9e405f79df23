"""From the call that logs a record until `Tail` shows it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import datetime

import grpc
from telecine.logs.v1 import log_collector_service_pb2 as pb

from benchmarks.collector.service import ROOT, Collector, running_collector
from benchmarks.context import Context, temporary_directory
from benchmarks.measure import Finding

_RATE = 20_000
_SECONDS = 8.0
_WARM_SHARE = 0.2
_STAMP = slice(len('{"timestamp":"'), len('{"timestamp":"2026-11-21T12:00:00.000000'))
_MOST_SECONDS = 0.100


def measure(context: Context) -> list[Finding]:
    """A process logs 20,000 records a second through the SDK; its records' own times are compared."""
    seconds = max(1.5, _SECONDS * context.seconds_scale)
    with running_collector() as collector, temporary_directory() as directory:
        delays: list[float] = []
        following = threading.Thread(target=_follow, args=(collector, delays), daemon=True)
        following.start()
        command = [sys.executable, "-m", "benchmarks.collector.calls", "telecine", str(directory)]
        command += [collector.address, "--rate", str(_RATE), "--seconds", str(seconds)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    following.join()
    steady = sorted(delays[int(len(delays) * _WARM_SHARE) :])
    median, high = steady[len(steady) // 2], steady[int(len(steady) * 0.99)]
    return [
        Finding(
            "tail",
            f"record written → seen by Tail at {_RATE:,} records/s, p99",
            ours=f"{high * 1e3:.0f} ms",
            against="",
            ratio="",
            target=f"< {_MOST_SECONDS * 1e3:.0f} ms",
            is_reached=high < _MOST_SECONDS,
            note=f"median {median * 1e3:.0f} ms; spool, shipping, fsync and files included; "
            f"{len(delays):,} records seen",
        )
    ]


def _follow(collector: Collector, delays: list[float]) -> None:
    """Until the collector ends."""
    try:
        for answer in collector.stub.Tail(pb.TailRequest()):
            now = time.time()
            for line in answer.records:
                written = datetime.fromisoformat(line[_STAMP].decode() + "+00:00")
                delays.append(now - written.timestamp())
    except grpc.RpcError:
        return
