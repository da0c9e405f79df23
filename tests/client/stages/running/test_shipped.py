"""A pipeline of several processes is told as one story by a real collector, with its stages' durations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine import LogClient
from telecine.exceptions import JobNotFoundError
from telecine.stages import read_manifest

from tests.client.stages.conftest import StartProgram
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess

PROGRAM = """
from telecine.logging import configure_logging, flush_logging, get_logger
name, fails, collector = sys.argv[2:]
configure_logging(f"{name}-worker", collector=collector, console="off", directory=Path(job).parent / "log")
try:
    with Stage(name, job) as stage:
        stage.logger.info("working", password="hunter2hunter2")
        get_logger("library").warning("odd")
        if fails == "yes":
            raise RuntimeError("out of memory")
except RuntimeError:
    pass
flush_logging(20)
"""


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path / "data", {}).start()
    yield running
    running.stop()


def test_stages_of_several_processes_make_one_story(
    job_dir: Path, start_program: StartProgram, collector: CollectorProcess
) -> None:
    for name, fails in (("demux", "no"), ("asr", "yes"), ("asr", "no")):
        _, errors = start_program(PROGRAM, name, fails, collector.address).communicate(timeout=60)
        assert errors == ""
    with LogClient(collector.address) as client:

        def story():
            try:
                found = client.job_story("job-7")
            except JobNotFoundError:
                return None
            return found if found.record_count == 13 else None

        told = eventually(story)
    stages = {(stage.stage, stage.attempt): stage for stage in told.stages}
    assert set(stages) == {("stage:demux", 0), ("stage:asr", 0), ("stage:asr", 1)}
    assert stages["stage:asr", 0].errors == 2
    manifest = read_manifest(job_dir / "02_asr" / "manifest.json")
    assert stages["stage:asr", 1].duration_seconds == pytest.approx(manifest.duration_seconds, abs=0.001)
    assert told.record_count == told.expected_record_count
    assert b"hunter2" not in b"".join(told.records)
