"""A stage's logger in other processes writes to the stage's files, and can be copied."""

from __future__ import annotations

import copy
import multiprocessing  # noqa: TID251 - as applications use it
import pickle
from pathlib import Path

import pytest
from telecine.stages import PipelineRun, Stage, StageLogger


class Worker:
    """An object as programs have them."""

    def __init__(self, log: StageLogger) -> None:
        self.log = log.bind(lane="left")

    def run(self, number: int) -> int:
        self.log.info("frame %d at work", number)
        return number


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_in_a_stage_writes_to_its_log(tmp_path: Path, method: str) -> None:
    with (
        PipelineRun(tmp_path) as run,
        run.stage("asr") as stage,
        multiprocessing.get_context(method).Pool(1) as pool,
    ):
        assert pool.map(Worker(stage.logger).run, range(3)) == [0, 1, 2]
        copy.deepcopy(Worker(stage.logger)).run(3)
        copy.deepcopy(run.logger).info("from the pipeline")
    lines = [path.read_text() for path in tmp_path.rglob("*.log*") if path.is_file()]
    for text in (*(f"frame {number} at work lane=left" for number in range(4)), "from the pipeline"):
        assert any(text in content for content in lines), text


def test_a_logger_outlives_its_stage_and_its_pickle(tmp_path: Path) -> None:
    with Stage("asr", tmp_path) as stage:
        pickled = pickle.dumps(stage.logger)
    pickle.loads(pickled).info("late")
    assert any("late" in path.read_text() for path in tmp_path.rglob("stage.log"))
