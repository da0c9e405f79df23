"""Prints the findings as a table and writes them into docs/benchmarks.md."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Finding

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_BEGIN = "<!-- figures: begin ({section}) -->"
_END = "<!-- figures: end ({section}) -->"
_COLUMNS = ("what", "case", "Telecine", "against", "ratio", "target", "reached", "note")


def print_table(findings: Sequence[Finding]) -> None:
    """Shows the findings on the terminal."""
    table = Table(*_COLUMNS, box=None, header_style="bold", pad_edge=False)
    for finding in findings:
        style = {True: "green", False: "red", None: "dim"}[finding.is_reached]
        cells = _cells(finding)
        table.add_row(*cells[:6], f"[{style}]{cells[6]}[/]", cells[7])
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)


def write_page(findings: Sequence[Finding], section: str, command: str, page: Path = PAGE) -> None:
    """Replaces the section's figures in docs/benchmarks.md; the text around them stays, and so do the
    figures of rows that were not measured.
    """
    begin, end = _BEGIN.format(section=section), _END.format(section=section)
    text = page.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise SystemExit(f"{page} has no section {section!r}: add the lines {begin!r} and {end!r}")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    lines = _markdown(findings, kept=rest.split(end, 1)[0].splitlines())
    body = "\n".join([_circumstances(command), "", *lines])
    page.write_text(f"{before}{begin}\n{body}\n{end}{after}", encoding="utf-8")


def _circumstances(command: str) -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    return (
        f"Measured {today} with `{command}` on {cores} cores of {platform.system()} on {platform.machine()}, "
        f"Python {platform.python_version()}. Medians of interleaved runs."
    )


def _markdown(findings: Sequence[Finding], kept: Sequence[str]) -> list[str]:
    head = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    measured = {finding.row for finding in findings}
    is_ours = head[0] in kept
    lines = [line for line in kept if is_ours and line.startswith("| ") and line != head[0]]
    lines = [line for line in lines if line.split(" | ")[0][2:] not in measured]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(finding)) + " |" for finding in findings
    ]
    return [*head, *lines]


def _cells(finding: Finding) -> tuple[str, ...]:
    reached = {True: "yes", False: "NO", None: ""}[finding.is_reached]
    shown = (finding.row, finding.case, finding.ours, finding.against, finding.ratio, finding.target)
    return (*shown, reached, finding.note)
