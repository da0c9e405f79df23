"""Records a second: acknowledged as durable, and standing in all files; both ways in, and peers beside."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.collector import peers
from benchmarks.collector.records import BATCH_RECORDS
from benchmarks.collector.service import Load, running_collector
from benchmarks.context import Context
from benchmarks.measure import Figures, Finding, Measured, interleaved

_OTLP_RECORDS = 1_000
"""In one request: more than a stock SDK sends (512), less than a stock collector (8,192)."""
_MOST_ROUNDS = 3


def measure_ship(context: Context) -> list[Finding]:
    """Ship without any sink, and with the file sink; peers write one file without any promise but fsync."""
    count = context.records(1_800_000)
    contenders: dict[str, Callable[[], Figures]] = {
        "ship": lambda: _run("ship", count, BATCH_RECORDS, has_files=False),
        "ship-files": lambda: _run("ship", count, BATCH_RECORDS, has_files=True),
        **peers.syslog_contenders(context),
    }
    measured = interleaved(contenders, min(context.rounds, _MOST_ROUNDS))
    return [
        _finding("ship", "Ship, acknowledged as durable", measured["ship"], 600_000),
        _finding("ship", "Ship, in the files of service, job and errors", measured["ship-files"], 300_000),
        *[_beside("ship", name, measured[name]) for name in measured if name not in ("ship", "ship-files")],
    ]


def measure_otlp(context: Context) -> list[Finding]:
    """Export without any sink, and with the file sink; Rotel gives its records to nobody."""
    count = context.records(500_000)
    contenders: dict[str, Callable[[], Figures]] = {
        "otlp": lambda: _run("otlp", count, _OTLP_RECORDS, has_files=False),
        "otlp-files": lambda: _run("otlp", count, _OTLP_RECORDS, has_files=True),
        **peers.rotel_contenders(count, _OTLP_RECORDS),
    }
    measured = interleaved(contenders, min(context.rounds, _MOST_ROUNDS))
    return [
        _finding("otlp", "OTLP Export, acknowledged as durable", measured["otlp"], 250_000),
        _finding("otlp", "OTLP Export, in all files", measured["otlp-files"], 100_000),
        *[_beside("otlp", name, measured[name]) for name in measured if name not in ("otlp", "otlp-files")],
    ]


def measure_acknowledgement(context: Context) -> list[Finding]:
    """50,000 records a second of four producers, a batch of each every 20 ms, into all files."""
    count = context.records(500_000)
    with running_collector() as collector:
        load = Load(collector.address, "ship", count, 250, rate=50_000, services="worker,encoder,api,planner")
        report = load.go()
    latencies = sorted(report.latencies)
    median, high = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    return [
        Finding(
            "ack",
            "acknowledgement at 50,000 records/s, p99",
            ours=f"{high * 1e3:.1f} ms",
            against="",
            ratio="",
            target="<= 20 ms",
            is_reached=high <= 0.020,
            note=f"median {median * 1e3:.1f} ms; from when the batch was due; files written beside",
        )
    ]


def _run(way: str, count: int, size: int, *, has_files: bool) -> Figures:
    with running_collector({"files.is_on": str(has_files).lower()}) as collector:
        # What is made at the first request is no part of the figure.
        warm = Load(collector.address, way, 10 * size, size, seed=7).go().records
        load = Load(collector.address, way, count, size)
        cpu, begin = collector.cpu_seconds(), time.perf_counter()
        report = load.go()
        seconds = report.seconds
        if has_files:
            collector.wait_for_files(warm + report.records)
            seconds = time.perf_counter() - begin
        cpu = collector.cpu_seconds() - cpu
    return {
        "rate": report.records / seconds,
        "cpu": cpu / report.records,
        "client_cpu": report.cpu_seconds / report.records,
    }


def _finding(row: str, case: str, measured: Measured, target: int) -> Finding:
    rate = measured.median("rate")
    cpu, client = measured.median("cpu") * 1e6, measured.median("client_cpu") * 1e6
    return Finding(
        row,
        case,
        ours=f"{rate:,.0f}/s",
        against="",
        ratio="",
        target=f">= {target:,}/s",
        is_reached=rate >= target,
        note=f"CPU per record: collector {cpu:.2f} µs, client {client:.2f} µs; "
        f"spread of the runs {measured.spread('rate'):.0%}",
    )


def _beside(row: str, name: str, measured: Measured) -> Finding:
    cpu = f"CPU per record {measured.median('cpu') * 1e6:.2f} µs" if "cpu" in measured.runs[0] else ""
    against = f"{measured.median('rate'):,.0f}/s"
    return Finding(row, name, ours="", against=against, ratio="", target="", is_reached=None, note=cpu)
