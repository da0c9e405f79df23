"""Tests see what they log: caplog, assertLogs, capture_logs; and stdlib's root is left as it was found."""

from __future__ import annotations

import io
import json
import logging
import unittest
from pathlib import Path
from typing import Any

import pytest
import structlog
from rich.console import Console
from rich.logging import RichHandler
from telecine.logging import configure_logging, get_logger, shutdown_logging


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("is_configured", [True, False])
def test_capture_logs_has_what_is_logged_and_nobody_else_has(tmp_path: Path, is_configured: bool) -> None:
    if is_configured:
        configure_logging("app", console="off", directory=tmp_path)
    log = get_logger("mine").bind(job_id=7)
    with structlog.testing.capture_logs() as captured:
        log.warning("hello %d", 1, number=2)
        try:
            raise ValueError("no")
        except ValueError:
            structlog.get_logger("theirs").exception("failed") if is_configured else log.exception("failed")
    assert captured[0] == {"event": "hello 1", "number": 2, "job_id": 7, "log_level": "warning"}
    assert captured[1]["event"] == "failed"
    assert captured[1]["log_level"] == "error"
    log.warning("behind it")
    assert len(captured) == 2
    if is_configured:
        assert [record["msg"] for record in lines_of(tmp_path / "app.log")] == ["behind it"]


@pytest.mark.parametrize("is_configured", [True, False])
def test_caplog_has_each_record_once_with_its_fields(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_configured: bool
) -> None:
    if is_configured:
        configure_logging("app", console="off", directory=tmp_path)
    log = get_logger("a.b")
    log.warning("ours", job_id=7, name="n", loss=float("nan"))
    logging.getLogger("a.c").warning("stdlib's")
    log.debug("not yet")
    with caplog.at_level(logging.DEBUG, "a.b"):
        log.debug("detail")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    assert [(r.name, r.levelname, r.message) for r in caplog.records] == [
        ("a.b", "WARNING", "ours"),
        ("a.c", "WARNING", "stdlib's"),
        ("a.b", "DEBUG", "detail"),
        ("a.b", "ERROR", "failed"),
    ]
    first = caplog.records[0]
    assert (vars(first)["job_id"], vars(first)["loss"], first.filename) == (7, "NaN", Path(__file__).name)
    assert "ValueError: no" in caplog.text
    if is_configured:
        stored = [record["msg"] for record in lines_of(tmp_path / "app.log")]
        assert stored == ["ours", "stdlib's", "failed"]


class OfUnittest(unittest.TestCase):
    """Holds the assertions; run by the test below."""

    def runTest(self) -> None:  # noqa: N802 - unittest's name
        with self.assertLogs("jobs", level="INFO") as seen:
            get_logger("jobs.sub").info("begun", job_id=1)
        assert seen.output == ["INFO:jobs.sub:begun"]
        with self.assertLogs(level="DEBUG") as seen:
            get_logger("jobs").debug("detail")
            get_logger().error("without a name")
        assert seen.output == ["DEBUG:jobs:detail", "ERROR:root:without a name"]
        with self.assertNoLogs("jobs", level="ERROR"):
            get_logger("jobs").info("fine")
        with pytest.raises(AssertionError), self.assertNoLogs("jobs", level="ERROR"):
            get_logger("jobs").error("not fine")


@pytest.mark.parametrize("is_configured", [True, False])
def test_assert_logs_has_what_is_logged(tmp_path: Path, is_configured: bool) -> None:
    if is_configured:
        configure_logging("app", console="off", directory=tmp_path)
    result = unittest.TestResult()
    OfUnittest().run(result)
    assert (result.failures, result.errors) == ([], [])


def test_roots_handlers_are_put_back_beside_those_that_came_meanwhile(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = root.handlers[:]
    plain, late = logging.StreamHandler(io.StringIO()), logging.FileHandler(tmp_path / "x.log")
    rich = RichHandler(console=Console())
    root.addHandler(plain)
    root.addHandler(rich)
    try:
        configure_logging("app", console="off", directory=tmp_path / "logs")
        assert plain not in root.handlers
        assert rich not in root.handlers, "each line would stand on the console twice"
        root.addHandler(late)
        shutdown_logging()
        assert [handler for handler in root.handlers if handler not in before] == [plain, rich, late]
    finally:
        for handler in (plain, rich, late):
            root.removeHandler(handler)
        late.close()


def test_the_methods_of_structlogs_loggers_are_there(tmp_path: Path) -> None:
    import asyncio

    log = configure_logging("app", console="off", directory=tmp_path, level="TRACE")
    for name in (
        "trace",
        "debug",
        "info",
        "msg",
        "warn",
        "warning",
        "err",
        "error",
        "failure",
        "critical",
        "fatal",
    ):
        getattr(log, name)(name)

    async def coroutines() -> None:
        for name in ("adebug", "ainfo", "amsg", "awarn", "awarning", "aerror", "acritical", "afatal"):
            await getattr(log, name)(name)
        await log.alog("WARNING", "alog")

    asyncio.run(coroutines())
    for level in (None, "LOUD", 7.5, object(), True, float("nan"), 30.0, "30", 25):
        log.log(level, "odd level")
    records = lines_of(tmp_path / "app.log")
    assert [r["msg"] for r in records][:3] == ["trace", "debug", "info"]
    odd = [record["level"] for record in records if record["msg"] == "odd level"]
    assert odd == ["INFO"] * 6 + ["WARNING", "WARNING", "INFO"]
    assert log.get_effective_level() == log.getEffectiveLevel() == 5
