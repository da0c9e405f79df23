"""Ten million records through one collector: its memory meanwhile, and how fast it answers afterwards."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from benchmarks.collector.records import BATCH_RECORDS
from benchmarks.collector.service import Collector, Load, running_collector
from benchmarks.context import Context
from benchmarks.measure import Finding

_ROW = "ten-million"
_ALL, _SEARCHED = 9_000_000, 1_000_000
"""The second figure's records are of one service and come first."""
_JOB_SECONDS, _SEARCH_SECONDS = 0.2, 1.0
_FLAT_WITHIN = 0.10
_ASKED = 5
_ABSENT = "no record has this text"


def measure(context: Context) -> list[Finding]:
    """Every job has 1,500 records and its own file; files are rotated and packed as usual."""
    searched, rest = context.records(_SEARCHED), context.records(_ALL)
    with running_collector() as collector, collector.watching_rss() as rss:
        begin = time.perf_counter()
        first = Load(collector.address, "ship", searched, BATCH_RECORDS, services="planner").go()
        load = Load(collector.address, "ship", rest, BATCH_RECORDS, fresh_jobs="")
        second = load.go()
        total = first.records + second.records
        collector.wait_for_files(total)
        seconds = time.perf_counter() - begin
        memory = _memory(list(rss), total)
        job_id, size = _a_job(collector)
        by_job, found = _timed(lambda: _query(collector, logs_pb2.RecordFilter(ids={"job_id": job_id})))
        by_text, none = _timed(
            lambda: _query(collector, logs_pb2.RecordFilter(services=["planner"], text=_ABSENT))
        )
    if found != size or none:
        raise RuntimeError(f"the job has {size} records, {found} were found; {none} had the absent text")
    return [
        _answer(f"all {found:,} records of a job among {total:,}", by_job, _JOB_SECONDS),
        _answer(f"a text that none of {first.records:,} has", by_text, _SEARCH_SECONDS),
        memory,
        Finding(
            _ROW, "writing them, files included", f"{total / seconds:,.0f}/s", "", "", "", None,
            "while the sender packs every batch anew",
        ),
    ]  # fmt: skip


def _timed(ask: Callable[[], int]) -> tuple[float, int]:
    """Median seconds, and what was found; the first question reads the files into the page cache."""
    times, found = [], ask()
    for _ in range(_ASKED):
        begin = time.perf_counter()
        found = ask()
        times.append(time.perf_counter() - begin)
    return statistics.median(times), found


def _query(collector: Collector, selected: logs_pb2.RecordFilter) -> int:
    """All pages; how many records they have."""
    found, token = 0, ""
    while True:
        request = pb.QueryRequest(filter=selected, page_size=10_000, page_token=token)
        answer = collector.stub.Query(request)
        found += len(answer.records)
        token = answer.next_page_token
        if not token:
            return found


def _a_job(collector: Collector) -> tuple[str, int]:
    """A job of the middle, and how many records it has."""
    jobs = sorted((collector.data_dir / "logs" / "jobs").iterdir())
    directory = jobs[len(jobs) // 2]
    lines = (directory / "job.log").read_bytes().splitlines()
    return str(json.loads(lines[0])["job_id"]), len(lines)


def _memory(samples: list[tuple[float, int]], total: int) -> Finding:
    """The highest of the last fifth of the time against that of the second fifth."""
    last = samples[-1][0] if samples else 0.0
    early = max((rss for at, rss in samples if 0.2 * last <= at < 0.4 * last), default=0)
    late = max((rss for at, rss in samples if at >= 0.8 * last), default=0)
    growth = late / early - 1 if early else 0.0
    return Finding(
        _ROW,
        f"RSS of the collector over {total:,} records",
        ours=f"{late / 1e6:.0f} MB",
        against=f"{early / 1e6:.0f} MB",
        ratio=f"{1 + growth:.2f} x",
        target=f"flat within {_FLAT_WITHIN:.0%}",
        is_reached=growth <= _FLAT_WITHIN,
        note="highest of the last fifth of the time against the second fifth",
    )


def _answer(case: str, seconds: float, most: float) -> Finding:
    return Finding(
        _ROW,
        case,
        ours=f"{seconds:.3f} s",
        against="",
        ratio="",
        target=f"<= {most:g} s",
        is_reached=seconds <= most,
        note="files in the page cache",
    )
