"""The generation service's logging: each row's example runs."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from telecine import LogClient
from telecine.cli.app import run
from telecine.logging import (
    LogContext,
    bind_artifact_context,
    bind_job_context,
    configure_logging,
    flush_logging,
    get_logger,
    operation,
)
from telecine.logging.asgi import RequestIdMiddleware
from telecine.logging.catalogue import FIELDS_BY_NAME, STAGES_BY_NAME
from telecine.retry import retry

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.pages.seeds.conftest import Records, records_of
from tests.pages.seeds.rows import shows

FIELDS = (
    "request_id", "job_id", "submission_id", "artifact_id", "provider_job_id", "provider_id", "user_id",
    "operation_type", "attempt", "duration_ms", "error", "error_type", "reproducible_hash", "account_id",
    "retry_policy",
)  # fmt: skip


@shows(
    '`configure_logging("api")`, `get_logger()`',
    '`logger.info("pipeline:start", msg=…)`',
    "`bind_job_context`, `bind_artifact_context`",
    "Stage taxonomy",
    "timestamp, level, msg, service, env",
    "JSON and human format",
)
def test_usage_in_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_LOG_FORMAT", "json")
    logger = configure_logging("api", directory=tmp_path, console="off")
    logger.info("pipeline:start", job_id=123, operation_type="text_to_video")
    job_logger = bind_job_context(get_logger(), job_id=123, operation_type="text_to_video")
    job_logger.info("pipeline:start", msg="processing_started")
    bind_artifact_context(job_logger, artifact_id=456, submission_id=321).info(
        "pipeline:artifact", msg="created"
    )
    first, started, artifact = records_of(tmp_path / "api.log")
    assert (first["stage"], first["job_id"], first["service"], first["env"]) == (
        "pipeline:start", 123, "api", "dev",
    )  # fmt: skip
    assert (started["stage"], started["msg"], started["level"]) == (
        "pipeline:start", "processing_started", "INFO",
    )  # fmt: skip
    assert (artifact["artifact_id"], artifact["submission_id"], artifact["operation_type"]) == (
        456, 321, "text_to_video",
    )  # fmt: skip
    monkeypatch.setenv("TELECINE_LOG_FORMAT", "human")
    configure_logging("api", directory=tmp_path / "human", console="off").info("Processing job #123")
    assert "INFO" in (tmp_path / "human" / "api.log").read_text()


@shows(
    "Field catalogue",
    "request_id, job_id, submission_id, artifact_id, provider_job_id, provider_id, user_id",
    "operation_type, stage, attempt, duration_ms, error, error_type",
    "Optional: reproducible_hash, account_id, retry_policy",
    "Optional: content_flags",
)
def test_the_fields(records: Records) -> None:
    values: dict[str, Any] = {
        name: 0 if name in ("attempt", "duration_ms") else f"{name}-1" for name in FIELDS
    }
    get_logger().error("provider:error", msg="provider_submission_failed", content_flags=["safe"], **values)
    (record,) = records()
    assert {name: record[name] for name in FIELDS} == values
    assert (record["stage"], record["content_flags"]) == ("provider:error", ["safe"])
    assert set(FIELDS) <= FIELDS_BY_NAME.keys()


@shows("`LogContext(user_id, job_id)`", "`structlog.contextvars.bind_contextvars`", "module, function, line")
def test_contexts(records: Records) -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1")
    try:
        with LogContext(user_id=1, job_id=2):
            get_logger("a").info("Processing job")
        structlog.get_logger("b").info("after")
        logging.getLogger("old").error("failed", extra={"job_id": 3})
    finally:
        structlog.contextvars.unbind_contextvars("request_id")
    within, after, old = records()
    assert (within["user_id"], within["job_id"], within["request_id"]) == (1, 2, "r-1")
    assert ("user_id" in after, after["request_id"]) == (False, "r-1")
    assert (old["job_id"], old["function"], old["line"] > 0) == (3, "test_contexts", True)
    assert "test_generation_service" in old["module"]


@shows("Redaction of api_key, jwt_token, authorization, password, secret", "Credit cards, personal data")
def test_secrets(tmp_path: Path) -> None:
    configure_logging("w", directory=tmp_path, console="off", redacts_email=True, redacts_ip=True)
    secrets = dict.fromkeys(("api_key", "jwt_token", "authorization", "password", "secret"), "hunter2-a9b8c7")
    get_logger().info("call", **secrets, nested={"headers": {"Authorization": "Bearer hunter2-a9b8c7"}})
    get_logger().info("paid with 4111 1111 1111 1111 by ada@example.org from 203.0.113.9")
    text = (tmp_path / "w.log").read_text()
    assert text.count("***redacted***") >= 9
    assert not [secret for secret in ("hunter2", "4111", "ada@", "203.0.113") if secret in text]


@shows("Sampling 1 in N of high-volume stages", "Variables for format, level, sampling")
@pytest.mark.parametrize(("unit", "kept"), [("record", 2), ("job", 10)])
def test_sampling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str, kept: int) -> None:
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "5")
    monkeypatch.setenv("TELECINE_LOG_SAMPLE_BY", unit)
    configure_logging("w", directory=tmp_path, console="off")
    for job in range(10):
        get_logger().info("provider:status", job_id=job)
    get_logger().warning("provider:status", job_id=99)
    records = records_of(tmp_path / "w.log")
    assert len(records) == kept + 1
    assert records[-1]["level"] == "WARNING"


@shows("Large payloads as references")
def test_the_limits_of_a_record(records: Records) -> None:
    log = get_logger()
    log.info("fits", text="x" * 200_000)
    log.info("is cut", text="x" * 300_000, other="y" * 20_000, n=7)
    log.info("deep", value=[object] * 20_001, raw=bytes(5000))
    fits, cut, deep = records()
    assert ("is_cut" in fits, len(fits["text"])) == (False, 200_000)
    assert (cut["is_cut"], cut["n"]) == (True, 7)
    assert cut["text"] == "x" * 16_384 + "… (300000 characters)"
    assert cut["other"] == "y" * 16_384 + "… (20000 characters)"
    assert (len(deep["value"]), deep["value"][-1]) == (10_001, "… (20001 items)")
    assert deep["raw"].endswith("… (5000 bytes)")


@shows("Logging of retries: attempt, reason", "*Future:* `duration_ms`", "*Future:* `provider:map_params`")
def test_retries_and_durations(records: Records) -> None:
    @retry(max_attempts=2, delay=0)
    def submit(tries: list[int]) -> None:
        tries.append(1)
        if len(tries) < 2:
            raise TimeoutError("timeout")

    with operation("provider:map_params", job_id=1):
        submit([])
    decision, mapped = (record for record in records() if record["level"] != "DEBUG")
    assert (decision["stage"], decision["attempt"], decision["reason"]) == ("retry:decision", 0, "again")
    assert (mapped["stage"], mapped["duration_ms"] >= 0) == ("provider:map_params", True)
    assert {"provider:map_params", "retry:decision"} <= STAGES_BY_NAME.keys()


@shows("Request-id middleware")
def test_the_middleware(records: Records) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        get_logger("app").info("in the request")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[dict] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [(b"x-request-id", b"r-42")]}
    asyncio.run(RequestIdMiddleware(app)(scope, None, send))  # type: ignore[arg-type]
    assert [r["request_id"] for r in records() if r["logger"] in ("app", "http.access")] == ["r-42", "r-42"]
    assert (b"x-request-id", b"r-42") in sent[0]["headers"]


@shows(
    "`LOG_FILE`, `WORKER_LOG_FILE`, `ERROR_LOG_FILE`, `LOG_LEVEL`, `JSON_LOGS`",
    "*Future:* old file handlers retired",
)
def test_variables_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_LOG_DIR", str(tmp_path / "data" / "logs"))
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "WARNING")
    configure_logging("backend", console="off").error("failed")
    assert {path.name for path in (tmp_path / "data" / "logs").glob("*.log")} == {"backend.log", "errors.log"}
    monkeypatch.setenv("TELECINE_LOG_DIR", "off")
    configure_logging("worker", console="off").error("failed")
    assert not list(tmp_path.rglob("worker.log"))


@shows("Transition from files of old")
def test_old_files_are_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "backend.log"
    old.write_text("2025-11-11 22:30:45 - job_processor - INFO - Processing job #123\n")
    assert run(["logs", "import", str(old), "--service", "api", "--dry-run"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["logger"], record["msg"], record["service"]) == (
        "job_processor", "Processing job #123", "api",
    )  # fmt: skip


@shows(
    "backend.log, worker.log: a file per component",
    "errors.log of all components",
    "tail, grep by user, job, level",
    "All errors of a job; a worker's activity",
    "Requests per minute",
    "Slow operations",
    "A job's life from end to end",
    "*Future:* ingestion endpoint, central collection",
    "*Future:* shipping to external services",
    "*Future:* performance summary",
    "Retention: development 7 days, staging 14, production 30 to 90, errors 90 and more",
)
def test_the_story_of_a_job_from_all_components(
    collector: CollectorProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for service in ("backend", "worker"):
        configure_logging(service, directory=tmp_path, console="off", collector=collector.address)
        with LogContext(job_id="job-456", user_id=123):
            get_logger().info("pipeline:start", msg=f"{service} began", duration_ms=200)
            get_logger().error("provider:error", msg="failed", error_type="TimeoutError")
        get_logger().info("request", event="http:request", duration_ms=5)
        assert flush_logging(20)
    logs = collector.data_dir / "logs"
    eventually(lambda: len(records_of(logs / "worker.log")) == 3 if (logs / "worker.log").exists() else False)
    assert len(records_of(logs / "backend.log")) == 3
    errors = [r for r in records_of(logs / "errors.log") if r.get("job_id") == "job-456"]
    assert {record["service"] for record in errors} == {"backend", "worker"}

    def lines(*arguments: str) -> list[dict]:
        assert run(["logs", "query", "--server", collector.address, "--json", *arguments]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert len(lines("--id", "user_id=123", "--job", "job-456")) == 4
    assert {r["error_type"] for r in lines("--job", "job-456", "--level", "error")} == {"TimeoutError"}
    assert len(lines("--service", "worker", "--text", "began")) == 1
    assert len(lines("--where", "duration_ms >= 100", "--job", "job-456")) == 2
    sql = (
        "SELECT date_trunc('minute', timestamp) AS minute, count(*) AS requests FROM records "
        "WHERE event = 'http:request' AND service IN ('backend', 'worker') GROUP BY minute"
    )
    assert run(["logs", "query", "--dir", str(collector.data_dir), "--json", "--sql", sql]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(row["requests"] for row in found) == 2
    with LogClient(collector.address) as client:
        story = client.job_story("job-456")
    assert {stage.stage for stage in story.stages} == {"pipeline:start", "provider:error"}
    assert run(["logs", "job", "job-456", "--server", collector.address]) == 0
    assert "4 of 4 records arrived" in capsys.readouterr().out
    assert run(["logs", "report", "--server", collector.address, "--job", "job-456", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["operations"][0]["count"] == 2
