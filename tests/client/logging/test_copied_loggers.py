"""A logger travels with the object that holds it: into copies, and into other processes."""

from __future__ import annotations

import copy
import json
import multiprocessing  # noqa: TID251 - as applications use it
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import configure_logging, get_logger
from telecine.logging.logger import Logger

LOGGERS: dict[str, Callable[[], Any]] = {
    "of a name": lambda: get_logger("a.b"),
    "bound": lambda: get_logger("a.b").bind(job_id="j", depth={"x": [1, None]}),
    "bound to a foreign object": lambda: get_logger("a.b", lock=threading.Lock(), path=Path("x")),
    "its method": lambda: get_logger("a.b", n=1).info,
    "within an object": lambda: {"log": get_logger("a.b"), "list": [get_logger().bind(a=1)]},
}


class Worker:
    """An object as programs have them."""

    def __init__(self) -> None:
        self.log = get_logger("worker.of.a.pool").bind(job_id="job-7")

    def run(self, number: int) -> tuple[str, dict[str, Any]]:
        self.log.warning("at work", number=number)
        return self.log.name, self.log.bound


@pytest.mark.parametrize("kind", LOGGERS)
@pytest.mark.parametrize("is_configured", [False, True])
def test_every_logger_can_be_copied_and_pickled(kind: str, tmp_path: Path, *, is_configured: bool) -> None:
    if is_configured:
        configure_logging("copied", console="off", directory=tmp_path)
    logger = LOGGERS[kind]()
    for copied in (
        copy.copy(logger),
        copy.deepcopy(logger),
        *(pickle.loads(pickle.dumps(logger, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
    ):
        assert type(copied) is type(logger)
        if isinstance(logger, Logger):
            assert (copied.name, copied.bound.keys()) == (logger.name, logger.bound.keys())
            assert copied.source is logger.source


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_maps_over_objects_that_hold_a_logger(method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        found = pool.map(Worker().run, [1, 2])
    assert found == [("worker.of.a.pool", {"job_id": "job-7"})] * 2


def test_a_copy_writes_where_its_logger_does(tmp_path: Path) -> None:
    configure_logging("copied", console="off", directory=tmp_path)
    pickle.loads(pickle.dumps(get_logger("a", job_id="j"))).info("copied")
    (path,) = (each for each in tmp_path.rglob("*.log*") if b"copied" in each.read_bytes())
    record = json.loads(path.read_bytes().splitlines()[-1])
    assert (record["msg"], record["logger"], record["job_id"]) == ("copied", "a", "j")


def test_a_process_that_has_not_configured_logging_shows_its_warnings(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(pickle.dumps(get_logger("a", job_id="j")))
    program = "import pickle; log = pickle.load(open('p', 'rb')); log.warning('seen'); log.info('not seen')"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True)
    assert b" seen" in done.stderr
    assert b"not seen" not in done.stderr
