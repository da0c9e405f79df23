"""The exit codes of every command; docs/cli.md and `--help` state them in these words."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. Programs may rely on these numbers."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNAVAILABLE = 3
    REFUSED = 4
    FAULT = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FINDINGS: "done, and the answer is no: findings, or a job that did not fully succeed",
    ExitCode.USAGE: "wrong usage: fix an argument, the source or the spec",
    ExitCode.UNAVAILABLE: "not available now: server, encoder, disk space or an optional package",
    ExitCode.REFUSED: "refused: no such job or artifact, or its state does not allow it",
    ExitCode.FAULT: "a fault of Telecine itself; please report it",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
"""One sentence for each code."""


def epilog() -> str:
    """The exit codes as one paragraph for `--help`."""
    return "Exit codes: " + "; ".join(f"{code.value} {text}" for code, text in MEANINGS.items()) + "."
