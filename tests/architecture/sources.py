"""The repository's own files, as the architecture tests look at them."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

PACKAGES = ("client/telecine", "service_host", "encoder_service", "log_collector")
OTHERS = ("demo", "benchmarks", "examples", "protos", "tests")


@functools.cache
def modules(*roots: str) -> tuple[Path, ...]:
    """Every hand-written Python file below the roots."""
    found = (path for root in roots for path in (ROOT / root).rglob("*.py"))
    return tuple(sorted(path for path in found if "_pb2" not in path.name))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """The path from the repository's root, for messages and test ids."""
    return path.relative_to(ROOT).as_posix()


def documents() -> tuple[Path, ...]:
    """Every Markdown file of the repository, those of installed packages left out."""
    patterns = ("*.md", "docs/**/*.md", "docker/**/*.md", "demo/**/*.md", "benchmarks/**/*.md")
    places = [*(ROOT.glob(pattern) for pattern in patterns)]
    places += [(ROOT / package).rglob("*.md") for package in PACKAGES]
    return tuple(sorted({path for place in places for path in place}))


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """What git knows; empty where the sources lie outside of a checkout."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(ROOT / name for name in listed.stdout.decode().split("\0") if name)
