"""Runs the real `telecine` command as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


def telecine(
    *arguments: str | Path, stdin: bytes = b"", server: str | None = None, cwd: Path | None = None
) -> Ran:
    """Runs `telecine ARGUMENTS` to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELECINE_")}
    if server is not None:
        environment["TELECINE_SERVER"] = server
    ran = subprocess.run(
        [sys.executable, "-m", "telecine.cli", *map(str, arguments)],
        input=stdin, capture_output=True, timeout=100, check=False, env=environment, cwd=cwd,
    )  # fmt: skip
    assert b"Traceback" not in ran.stderr, ran.stderr.decode()
    return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
