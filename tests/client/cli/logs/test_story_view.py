"""People see attempts counted from 1, in a job's story as in `jobs show` and in manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from telecine.cli.app import run
from telecine.logging import configure_logging, shutdown_logging
from telecine.stages import Stage, read_manifest

from tests.client.cli.terminal_command import telecine


def test_the_story_and_the_manifest_of_a_stage_name_the_same_attempts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("worker", directory=tmp_path / "logs", console="off")
    stages = []
    for status in ("failed", "success"):
        stages.append(Stage("asr", tmp_path / "job-7"))
        stages[-1].finalize(status)
    shutdown_logging()
    assert [stage.attempt for stage in stages] == [1, 2]
    assert read_manifest(stages[-1].manifest_path).attempt == 2
    assert run(["logs", "job", "job-7", "--dir", str(tmp_path)]) == 0
    rows = [
        line.split() for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith("stage:asr")
    ]
    assert [row[2] for row in rows] == ["1", "2"]
    document = telecine("logs", "job", "job-7", "--dir", tmp_path, "--json").document
    assert [stage["attempt"] for stage in document["stages"]] == [0, 1]
