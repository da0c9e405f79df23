"""The examples of docs/configuration.md run as they stand, and its table of what needs a restart is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

from encoder_service.config import FIXED_FIELDS
from log_collector.config import FIXED_SECTIONS
from tests.pages.pages import examples, page_text, run_commands, run_programs

PAGE = "docs/configuration.md"


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    (tmp_path / "telecine.toml").write_text("".join(examples(PAGE, "toml")))
    printed = run_commands(PAGE, tmp_path)
    assert "env TELECINE_ENCODER_WORKERS" in printed
    assert json.loads((tmp_path / "telecine.schema.json").read_text())["properties"].keys() == {
        "encoder", "collector", "sdk", "logging", "tls",
    }  # fmt: skip
    run_programs(PAGE, tmp_path)


def test_the_table_of_what_needs_a_restart_is_true() -> None:
    rows = dict(re.findall(r"^\| (encoder|collector) \| (`host`.*) \|$", page_text(PAGE), re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows["encoder"])) == set(FIXED_FIELDS)
    assert set(re.findall(r"`(\w+)`", rows["collector"])) == set(FIXED_SECTIONS)
