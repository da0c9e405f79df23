"""The examples of docs/configuration.md run as they stand, and its table of what needs a restart is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from encoder_service.config import FIXED_FIELDS
from log_collector.config import FIXED_SECTIONS

PAGE = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    (tmp_path / "telecine.toml").write_text("".join(examples("toml")))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (commands,) = examples("sh")
    ran = subprocess.run(
        ["sh", "-e", "-c", commands], cwd=tmp_path, env=os.environ | {"PATH": path},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "env TELECINE_ENCODER_WORKERS" in ran.stdout
    assert json.loads((tmp_path / "telecine.schema.json").read_text())["properties"].keys() == {
        "encoder", "collector", "sdk", "logging",
    }  # fmt: skip
    program = "\n".join(examples("python"))
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, timeout=60, check=True)


def test_the_table_of_what_needs_a_restart_is_true() -> None:
    rows = dict(re.findall(r"^\| (encoder|collector) \| (`host`.*) \|$", PAGE, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows["encoder"])) == set(FIXED_FIELDS)
    assert set(re.findall(r"`(\w+)`", rows["collector"])) == set(FIXED_SECTIONS)
