"""`python -m benchmarks [row ...]`: measures, prints the table, and with --write fills docs/benchmarks.md."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence

from benchmarks.context import QUICK, REAL, Context
from benchmarks.measure import Finding
from benchmarks.report import print_table, write_page
from benchmarks.rows import ROWS, SECTIONS


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 when a measured figure misses its target."""
    arguments = _parser().parse_args(argv)
    if arguments.list:
        for row in ROWS.values():
            print(f"{row.name:<12} {row.what}")
        return 0
    context = QUICK if arguments.quick else REAL
    if arguments.rounds:
        context = dataclasses.replace(context, rounds=arguments.rounds)
    names = arguments.rows or list(ROWS)
    sections = [arguments.section] if arguments.section else list(SECTIONS)
    found = {section: _run(section, names, context) for section in sections}
    findings = [finding for rows in found.values() for finding in rows]
    print_table(findings)
    if arguments.write:
        if arguments.quick:
            sys.exit("--write takes real figures: leave --quick out")
        for section, measured in found.items():
            if measured:
                write_page(measured, section, f"make bench ARGS='--write --section {section}'")
    return int(any(finding.is_reached is False for finding in findings))


def _run(section: str, names: Sequence[str], context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for row in SECTIONS[section]:
        if row.name not in names:
            continue
        print(f"{row.name}: {row.what}", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        findings += row.measure(context)
        print(f"  took {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return findings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=[*ROWS, []], help="all when none is named")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--section", choices=[*SECTIONS], help="only the rows of this part")
    parser.add_argument("--quick", action="store_true", help="tiny clips, one round: to see that it runs")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
