"""What a log call costs the application, beside the libraries that are usual."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

from benchmarks.collector.calls import CONTENDERS
from benchmarks.collector.service import ROOT, Collector, running_collector
from benchmarks.context import Context, temporary_directory
from benchmarks.measure import Figures, Finding, Measured, interleaved

_ROW = "log-call"
_MEDIAN_SECONDS, _P99_SECONDS = 6e-6, 30e-6
_TIMES_FASTER = 3.0
_PEERS = {
    "stdlib-queue": "stdlib logging, QueueHandler to a JSON file",
    "opentelemetry": "OpenTelemetry's handler and batch processor",
    "loguru": "loguru, JSON file",
}


def measure(context: Context) -> list[Finding]:
    """`logger.info` with 5 fields, in bursts of 200; every contender in a process of its own."""
    count = context.records(60_000)
    with running_collector() as collector:
        contenders = {name: functools.partial(_run, name, count, collector) for name in CONTENDERS}
        measured = interleaved(contenders, min(context.rounds, 3))
    ours = measured["telecine"]
    return [
        _own("median", ours, _MEDIAN_SECONDS),
        _own("p99", ours, _P99_SECONDS),
        *[_against(name, ours, measured[name]) for name in _PEERS],
    ]


def _run(name: str, count: int, collector: Collector) -> Figures:
    with temporary_directory() as directory:
        command = [sys.executable, "-m", "benchmarks.collector.calls", name, str(directory)]
        command += [collector.address, "--count", str(count)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures: Figures = json.loads(ran.stdout.splitlines()[0])
    return figures


def _own(figure: str, ours: Measured, most: float) -> Finding:
    seconds = ours.median(figure)
    return Finding(
        _ROW,
        f"logger.info with 5 fields, crash-safe, {figure}",
        ours=f"{seconds * 1e6:.2f} µs",
        against="",
        ratio="",
        target=f"< {most * 1e6:g} µs",
        is_reached=seconds < most,
        note=f"CPU per record, shipping included: {ours.median('cpu') * 1e6:.1f} µs",
    )


def _against(name: str, ours: Measured, peer: Measured) -> Finding:
    ratio = peer.median("median") / ours.median("median")
    has_target = name != "loguru"
    return Finding(
        _ROW,
        f"median, against {_PEERS[name]}",
        ours=f"{ours.median('median') * 1e6:.2f} µs",
        against=f"{peer.median('median') * 1e6:.2f} µs",
        ratio=f"{ratio:.2f} x",
        target=f">= {_TIMES_FASTER:g} x" if has_target else "",
        is_reached=ratio >= _TIMES_FASTER if has_target else None,
        note=f"its p99 {peer.median('p99') * 1e6:.0f} µs, CPU per record {peer.median('cpu') * 1e6:.1f} µs",
    )
