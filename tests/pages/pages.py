"""The examples of README.md and of the pages in docs/: found by their language, and run as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PROGRAMS = Path(sys.executable).parent


def page_text(name: str) -> str:
    """`name`: from the project's root, such as "docs/logs.md"."""
    return (ROOT / name).read_text(encoding="utf-8")


def examples(name: str, language: str) -> list[str]:
    """The fenced blocks of that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page_text(name), re.MULTILINE | re.DOTALL)


def run_programs(name: str, directory: Path, timeout_seconds: float = 60) -> str:
    """All Python programs of a page as one, with warnings as errors; returns what they print."""
    programs = examples(name, "python")
    assert programs
    return run_program("\n".join(programs), directory, timeout_seconds)


def run_program(program: str, directory: Path, timeout_seconds: float = 60) -> str:
    """A program of a page, as its test has completed it; returns what it prints."""
    (directory / "page.py").write_text(program)
    return _output([sys.executable, "-W", "error", "page.py"], directory, timeout_seconds)


def run_commands(name: str, directory: Path, timeout_seconds: float = 60) -> str:
    """The one block of shell commands of a page; returns what they print."""
    (commands,) = examples(name, "sh")
    return run_shell(commands, directory, timeout_seconds)


def run_shell(commands: str, directory: Path, timeout_seconds: float = 60) -> str:
    """Shell commands of a page, as its test has completed them; returns what they print."""
    return _output(["sh", "-e", "-c", commands], directory, timeout_seconds)


def run_telecine(commands: str, directory: Path, timeout_seconds: float = 60) -> str:
    """Lines that each call `telecine`, in one process: its start costs more than most of them."""
    lines = [words[1:] for line in commands.splitlines() if (words := shlex.split(line, comments=True))]
    program = f"from telecine.cli.app import run\nassert not any(run(line) for line in {lines!r})\n"
    return _output([sys.executable, "-c", program], directory, timeout_seconds)


def _output(command: list[str], directory: Path, timeout_seconds: float) -> str:
    environ = os.environ | {"PATH": f"{_PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True,
        timeout=timeout_seconds, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
