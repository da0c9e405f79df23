"""The programs of the pages on operations, retries and errors run as they stand, and show what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.pages.pages import page_text, run_programs


def test_the_page_on_operations_writes_the_records_that_it_shows(tmp_path: Path) -> None:
    run_programs("docs/operations.md", tmp_path)
    records = [json.loads(line) for line in (tmp_path / "logs" / "worker.log").read_bytes().splitlines()]
    by_name = {record["msg"]: record for record in records}
    denoised, save, clip = records[:3]
    assert (denoised["job_id"], denoised["model"], denoised["operation"]) == ("j7", "wan", "process_clip")
    assert save["parent_operation_id"] == clip["operation_id"]
    assert (clip["msg"], clip["stage"]) == ("process_clip succeeded", "operation:process_clip")
    assert (clip["artifacts"], clip["events"][0]["count"]) == (3, 81)
    assert by_name["fetch_weights succeeded"]["events"][0]["event"] == "asked"
    assert by_name["upscale executed"]["factor"] == 2
    assert "stitch executed" not in by_name


def test_the_page_on_retries_shows_tries_and_an_open_circuit(tmp_path: Path) -> None:
    printed = run_programs("docs/retry.md", tmp_path).splitlines()
    assert printed[:5] == ["answered at try 3", "try 0, 5 s left", "0", "downloaded at try 3", "failed"]
    assert re.fullmatch(r"hub failed 3 times in a row and is left alone for \d+\.\d s \(open\)", printed[5])
    assert len(printed) == 7


def test_the_page_on_errors_shows_the_way_out(tmp_path: Path) -> None:
    code, who, todo = run_programs("docs/errors.md", tmp_path).splitlines()
    assert code.startswith("INVALID_FRAMES: ")
    assert who == "who: caller, again: False"
    assert todo.startswith("to do: Pass ")


@pytest.mark.parametrize("policy", ["RetryPolicy", "BreakerPolicy"])
def test_the_page_names_every_field_of_the_policies(policy: str) -> None:
    from telecine import retry

    text = page_text("docs/retry.md")
    assert not [name for name in getattr(retry, policy).__dataclass_fields__ if f"`{name}`" not in text]
