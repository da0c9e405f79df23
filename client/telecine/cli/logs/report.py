"""What a set of records comes to: levels, loggers, operations, errors, records over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
from rich.console import Console

from telecine.cli.show import terminal
from telecine.cli.show.terminal import escape
from telecine.logging.outputs.rendering import local_time
from telecine.logging.record.reading import LineReader

_BINS: Final = 60
_BARS: Final = " ▁▂▃▄▅▆▇█"
_TOP: Final = 10
_MAX_DURATIONS: Final = 100_000


class Operation(msgspec.Struct):
    """Durations of one operation, in milliseconds."""

    name: str
    """Its stage, else its event, operation type or message."""
    count: int
    mean_ms: float
    min_ms: float
    max_ms: float
    p95_ms: float


class CountOf(msgspec.Struct):
    """How often something stands there."""

    name: str
    count: int


class ReportDocument(msgspec.Struct):
    """What `telecine logs report --json` prints."""

    records: int
    first: str
    """Time of the oldest record; empty: no record."""
    last: str
    levels: list[CountOf]
    loggers: list[CountOf]
    services: list[CountOf]
    operations: list[Operation]
    errors: list[CountOf]
    over_time: list[int]
    """Records in equal spans from `first` to `last`."""


class _Record(msgspec.Struct, gc=False):
    timestamp: str = ""
    level: str = ""
    service: str = ""
    msg: str = ""
    logger: str | None = None
    stage: str | None = None
    event: str | None = None
    operation_type: str | None = None
    duration_ms: float | None = None
    error: str | None = None
    error_type: str | None = None
    sample_rate: int | None = None


def make_report(lines: Iterable[bytes]) -> ReportDocument:
    """Counts; a record that was sampled 1 in N counts as N. Lines that are no records are left out."""
    reader = LineReader(_Record)
    levels: Counter[str] = Counter()
    loggers: Counter[str] = Counter()
    services: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    durations: dict[str, list[float]] = {}
    for line in lines:
        record = reader.read(line)
        if record is None:
            continue
        weight = max(1, record.sample_rate or 1)
        levels[record.level] += weight
        services[record.service] += weight
        loggers[record.logger or record.service] += weight
        if record.timestamp:
            seconds[record.timestamp[:19]] += weight
        if record.level in ("ERROR", "CRITICAL"):
            errors[
                f"{record.error_type}: {record.error or record.msg}" if record.error_type else record.msg
            ] += 1
        if record.duration_ms is not None:
            name = record.stage or record.event or record.operation_type or record.msg
            found = durations.setdefault(name, [])
            if len(found) < _MAX_DURATIONS:
                found.append(record.duration_ms)
    first, last = min(seconds, default=""), max(seconds, default="")
    operations = sorted((_operation(*item) for item in durations.items()), key=lambda o: -o.mean_ms * o.count)
    return ReportDocument(
        levels.total(),
        first,
        last,
        _top(levels),
        _top(loggers),
        _top(services),
        operations,
        _top(errors),
        _bins(seconds, first, last),
    )


def render_report(console: Console, report: ReportDocument) -> None:
    """Draws it for people."""
    if not report.records:
        console.print("no records")
        return
    first, last = _shown(report.first), _shown(report.last)
    console.print(f"[bold]{report.records}[/] records from {first} to {last}")
    bars = sparkline(report.over_time)
    if bars:
        console.print(escape(bars))
        console.print(f"[dim]{axis(first, last, max(report.over_time), len(bars))}[/]")
    for title, counts in (
        ("level", report.levels),
        ("service", report.services),
        ("logger", report.loggers),
        ("error", report.errors),
    ):
        if counts:
            table = terminal.table(title, "records", numbers=("records",))
            for item in counts:
                table.add_row(escape(item.name), str(item.count))
            console.print(table)
    if report.operations:
        columns = ("count", "mean ms", "min ms", "max ms", "p95 ms")
        table = terminal.table("operation", *columns, numbers=columns)
        for op in report.operations[:_TOP]:
            figures = (op.mean_ms, op.min_ms, op.max_ms, op.p95_ms)
            table.add_row(escape(op.name), str(op.count), *(f"{figure:.2f}" for figure in figures))
        console.print(table)


def _shown(second: str) -> str:
    return escape(local_time(f"{second}Z"))


def sparkline(counts: list[int]) -> str:
    """One bar for each count; the highest is full, and what is not zero is seen."""
    most = max(counts, default=0)
    if not most:
        return ""
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)


def axis(first: str, last: str, most: int, width: int) -> str:
    """The line below the bars: when they begin and end, and how much the highest stands for."""
    is_one_day = first[:10] == last[:10]
    begin, end = (text[11:19] if is_one_day else text[:10] for text in (first, last))
    peak = f"highest: {most} records"
    return f"{begin}{peak:^{max(0, width - len(begin) - len(end))}}{end}"


def _top(counts: Counter[str]) -> list[CountOf]:
    return [CountOf(name, count) for name, count in counts.most_common(_TOP)]


def _operation(name: str, durations: list[float]) -> Operation:
    durations.sort()
    at = max(0, -(-len(durations) * 95 // 100) - 1)
    mean = sum(durations) / len(durations)
    return Operation(name, len(durations), mean, durations[0], durations[-1], durations[at])


def _bins(seconds: Counter[str], first: str, last: str) -> list[int]:
    try:
        begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
        span = max((end - begin).total_seconds(), 1.0)
        bins = [0] * _BINS
        for second, count in seconds.items():
            at = (datetime.fromisoformat(second) - begin).total_seconds() / span
            bins[min(_BINS - 1, int(at * _BINS))] += count
    except (ValueError, TypeError):
        return []
    return bins
