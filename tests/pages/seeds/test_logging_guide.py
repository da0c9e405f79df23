"""The guide to logging: each row's example runs."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from telecine.cli.app import run
from telecine.logging import LogContext, configure_logging, get_logger, log_execution_time, operation
from telecine.retry import retry

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.pages.seeds.conftest import Records, records_of
from tests.pages.seeds.rows import shows


@shows("Levels DEBUG to CRITICAL", "Time, level, component, message, exception in each record")
def test_records_of_all_levels(records: Records) -> None:
    log = get_logger("component")
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(log, name)("a message")
    try:
        raise OSError("disk")
    except OSError:
        log.exception("failed")
    *levels, failed = records()
    assert [record["level"] for record in levels] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    assert all(record["timestamp"] and record["logger"] == "component" for record in levels)
    assert "OSError: disk" in failed["stack"]


@shows(
    "Console, file with rotation",
    "`setup_logging`, `get_logger`, clearing what was set up",
    "A file of errors of its own, 5 MB and 3 backups",
    "Process and thread in each record",
)
def test_setup_logging(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("old", directory=tmp_path / "old")
    configure_logging("chaptrix", directory=tmp_path / "logs", tells_origin=True, errors_backups=3)
    logging.getLogger("unified_workflow").warning("Logging initialized")
    get_logger("unified_workflow").error("failed")
    assert (tmp_path / "old" / "old.log").read_text() == ""
    warned, failed = records_of(tmp_path / "logs" / "chaptrix.log")
    assert capsys.readouterr().out.count("\n") == 2
    assert (warned["logger"], failed["pid"] > 0) == ("unified_workflow", True)
    assert records_of(tmp_path / "logs" / "errors.log") == [failed]


@shows("Logger per component with context (adapter, site)")
def test_adapters_with_context(records: Records) -> None:
    logger = get_logger("adapter.mangasite", site="mangasite")
    logger.bind(chapter=7).info("Fetching chapters")
    with LogContext(job_id="j1"):
        logger.info("Downloading images")
    first, second = records()
    assert (first["site"], first["chapter"], second["site"], second["job_id"]) == (
        "mangasite", 7, "mangasite", "j1",
    )  # fmt: skip


@shows("`@log_execution_time`")
def test_execution_time(records: Records) -> None:
    @log_execution_time
    def stitch_images_multi_page(paths: list[str]) -> int:
        """Stitch multiple images into a single image"""
        return len(paths)

    assert stitch_images_multi_page(["a", "b"]) == 2
    assert stitch_images_multi_page.__doc__ == "Stitch multiple images into a single image"
    (record,) = records()
    assert record["msg"] == "stitch_images_multi_page executed"
    assert record["duration_ms"] >= 0


@shows("`@retry(max_attempts, delay)`")
def test_retry(records: Records) -> None:
    class SomeAdapter:
        tries = 0

        @retry(max_attempts=3, delay=0.01)
        def download_chapter_images(self, url: str) -> str:
            """Download images for a chapter with retry"""
            self.tries += 1
            if self.tries < 3:
                raise ValueError("no images")
            return url

        @retry(max_attempts=2, delay=0)
        def fails(self) -> None:
            raise ValueError("never")

    adapter = SomeAdapter()
    assert adapter.download_chapter_images("https://x") == "https://x"
    assert adapter.tries == 3
    with pytest.raises(ValueError, match="never"):
        adapter.fails()
    again = [record["reason"] for record in records() if record.get("stage") == "retry:decision"]
    assert again == ["again", "again", "again", "attempts_used_up"]


@shows("`StructuredLogRecord`: start, events, end, status, duration, one record")
def test_structured_records(records: Records) -> None:
    log_record = operation("process_comic", {"comic": "Berserk", "site": "mangasite"}).start()
    log_record.add_event("chapters_checked", {"count": 2})
    log_record.add_event("download_started", {"chapter": 1})
    log_record.end("success")
    operation("process_comic", {"comic": "Akira"}).start().end("failure", str(OSError("no route")))
    done, failed = [record for record in records() if record["level"] != "DEBUG"]
    assert [event["event"] for event in done["events"]] == ["chapters_checked", "download_started"]
    assert (done["comic"], done["status"], done["duration_ms"] >= 0) == ("Berserk", "succeeded", True)
    assert (failed["status"], failed["error"], failed["level"]) == ("failed", "no route", "ERROR")


@shows(
    "Aggregation: a handler that posts records to a server",
    "… with application, host, level, module, exception",
    "… only warnings and above",
    "Historical analysis, patterns",
    "Details for supporting users",
    "Dashboard: explorer by level, logger, text",
    "Dashboard: overview, levels, records over time, recent errors",
    "A new file at each start, named by its time",
)
def test_aggregation(
    collector: CollectorProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TELECINE_LOG_COLLECTOR", collector.address)
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "WARNING")
    configure_logging("chaptrix", console="off", directory=tmp_path, tells_origin=True)
    logging.getLogger("unified_workflow").info("not sent")
    try:
        raise OSError("no route")
    except OSError:
        logging.getLogger("unified_workflow").exception("Error processing comic", extra={"user_id": "u7"})
    from telecine.logging import flush_logging

    assert flush_logging(20)

    def query(*arguments: str) -> list[dict]:
        assert run(["logs", "query", "--server", collector.address, "--json", *arguments]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    eventually(lambda: query("--service", "chaptrix"))
    (record,) = query("--service", "chaptrix", "--id", "user_id=u7", "--level", "error", "--text", "comic")
    assert [bool(record[name]) for name in ("host", "module", "stack")] == [True, True, True]
    assert (record["service"], record["error_type"]) == ("chaptrix", "OSError")
    assert query("--logger", "unified_workflow", "--since", "1h") == [record]
    logs = collector.data_dir / "logs"
    eventually(lambda: (logs / "chaptrix.log").exists())
    sql = "SELECT count(*) AS n FROM records WHERE error_type = 'OSError' AND service = 'chaptrix'"
    assert run(["logs", "query", "--dir", str(collector.data_dir), "--json", "--sql", sql]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 1
    assert run(["logs", "report", "--server", collector.address, "--service", "chaptrix", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["records"], report["levels"][0]["name"], len(report["over_time"]) > 0) == (
        1,
        "ERROR",
        True,
    )


@shows("Analysis script: levels, loggers, durations (count, mean, min, max), top errors")
def test_the_analysis_of_old_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "chaptrix_20251111.log"
    old.write_text(
        "2025-11-11 22:30:45,001 - utils.performance - DEBUG - stitch executed in 1.50 seconds\n"
        "2025-11-11 22:30:46,001 - utils.performance - DEBUG - stitch executed in 2.50 seconds\n"
        "2025-11-11 22:30:48,001 - unified_workflow - ERROR - Error processing comic: no route\n"
    )
    assert run(["logs", "import", str(old), "--dry-run", "--timezone", "UTC"]) == 0
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "imported.log").write_text(capsys.readouterr().out)
    assert run(["logs", "report", "--dir", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (stitch,) = report["operations"]
    assert [stitch[name] for name in ("name", "count", "mean_ms", "min_ms", "max_ms")] == [
        "operation:stitch", 2, 2000, 1500, 2500,
    ]  # fmt: skip
    assert [(level["name"], level["count"]) for level in report["levels"]] == [("DEBUG", 2), ("ERROR", 1)]
    assert report["errors"][0]["count"] == 1
