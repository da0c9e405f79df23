"""Tables of stages for people: findings of a check, profiles of one job and of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from telecine.cli.show import terminal
from telecine.cli.show.terminal import escape

if TYPE_CHECKING:
    from telecine.stages.reports.check import JobCheck
    from telecine.stages.reports.profile import JobReport, Report

_STATE_MARKS = {
    "success": "ok",
    "running": "warning",
    "unknown": "warning",
    "unreadable": "problem",
    "failed": "problem",
    "died": "problem",
}


def render_check(console: Console, document: JobCheck) -> None:
    """Each finding in a line, and the sum of it."""
    for finding in document.findings:
        where = f" {escape(finding.path)}" if finding.path else ""
        mark = terminal.mark("problem", finding.code)
        console.print(f"{mark} [dim]({escape(finding.stage)})[/]{where}: {escape(finding.message)}")
    stages = ", ".join(f"{escape(name)} {_state_text(state)}" for name, state in document.stages.items())
    console.print(stages)
    looked = "hashed and compared" if document.are_hashes_checked else "compared by size"
    files = f"{document.files_checked} files of {len(document.stages)} stages {looked}"
    if document.is_complete:
        console.print(f"{terminal.mark('ok', 'complete')}: {files}")
    else:
        number = len(document.findings)
        verdict = terminal.mark("problem", f"{number} finding{'' if number == 1 else 's'}")
        console.print(f"{verdict}: {files}")


def render_job(console: Console, job: JobReport) -> None:
    """One row for each stage, then the sums."""
    numbers = ("took", "share", "earlier", "CPU", "peak", "GPU", "in", "out", "cost")
    table = terminal.table("stage", "state", *numbers, "", numbers=numbers)
    for stage in job.stages:
        took = terminal.seconds_text(stage.duration_seconds)
        earlier = f"{stage.attempts - 1} x, {terminal.seconds_text(stage.earlier_seconds)}"
        table.add_row(
            f"{stage.stage_number:02d} {escape(stage.stage)}",
            _state_text(stage.state),
            took,
            f"{stage.share_percent:.0f} %",
            earlier if stage.attempts > 1 else "",
            terminal.seconds_text(stage.cpu_seconds),
            terminal.size_text(stage.peak_rss_bytes),
            terminal.seconds_text(stage.gpu_seconds) if stage.gpu_seconds else "",
            terminal.size_text(stage.input_bytes),
            terminal.size_text(stage.output_bytes),
            escape(_cost_text(stage.cost)),
            "critical" if stage.is_critical else "",
        )
    console.print(table)
    cost = f", cost {escape(_cost_text(job.cost))}" if job.cost else ""
    console.print(
        f"[bold]{escape(job.job_id)}[/]  {terminal.seconds_text(job.span_seconds)} from start to end, "
        f"{terminal.seconds_text(job.stage_seconds)} in stages, "
        f"{terminal.seconds_text(job.critical_seconds)} on the critical chain, "
        f"{terminal.seconds_text(job.cpu_seconds)} CPU{cost}"
    )


def render_comparison(console: Console, report: Report) -> None:
    """One row for each stage over all jobs, the one that took most first."""
    numbers = ("jobs", "mean", "max", "total", "failed", "cost")
    table = terminal.table("stage", *numbers, numbers=numbers)
    for stage in report.stages:
        table.add_row(
            escape(stage.stage),
            str(stage.jobs),
            terminal.seconds_text(stage.mean_seconds),
            terminal.seconds_text(stage.max_seconds),
            terminal.seconds_text(stage.total_seconds),
            terminal.mark("problem", str(stage.failed)) if stage.failed else "",
            escape(_cost_text(stage.cost)),
        )
    console.print(table)
    console.print(f"{len(report.jobs)} jobs")


def _state_text(state: str) -> str:
    kind = _STATE_MARKS.get(state)
    return terminal.mark(kind, state) if kind else state


def _cost_text(cost: Mapping[str, float]) -> str:
    return " + ".join(f"{amount:.4g} {currency}" for currency, amount in cost.items())
