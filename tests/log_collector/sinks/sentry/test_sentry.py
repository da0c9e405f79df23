"""The Sentry sink: each error once, with what came before it, and no faster than Sentry wants."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from sentry_sdk.transport import _parse_rate_limits
from sentry_sdk.utils import Dsn

from log_collector.sinks.sentry.breadcrumbs import Breadcrumbs
from log_collector.sinks.sentry.config import parse_dsn
from log_collector.sinks.sentry.event import read_frames
from log_collector.sinks.sentry.wire import read_rate_limits
from log_collector.sinks.sink import SinkError
from tests.eventually import eventually, eventually_async
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, collector, record, ship
from tests.log_collector.sinks.driving import collector_config, dead_letters, deliver, opened, stored
from tests.log_collector.sinks.listener import Listener, Reply
from tests.log_collector.sinks.services import FakeSentry


def dsn_of(listener: Listener) -> str:
    return listener.url.replace("://", "://public@") + "/42"


def event_of(tmp_path: Path, *records: object, **settings: Any) -> dict[str, Any]:
    """The event of the last of some records."""
    service = FakeSentry()
    with Listener(service) as listener, opened(tmp_path, "sentry", dsn=dsn_of(listener), **settings) as sink:
        deliver(sink, stored(records))
    return list(service.events.values())[-1]


@pytest.mark.parametrize(
    "dsn",
    [
        "https://key@o1.ingest.sentry.io/5",
        "http://key@127.0.0.1:9000/42",
        "https://key@sentry.example/sub/path/7",
    ],
)
def test_a_dsn_leads_where_the_sdk_sends(dsn: str) -> None:
    assert parse_dsn(dsn).url == Dsn(dsn).to_auth().get_api_url()
    assert parse_dsn(dsn).public_key == "key"


def test_an_error_becomes_an_event_that_says_what_where_and_for_whom(tmp_path: Path) -> None:
    failed = record(
        7, level="CRITICAL", env="prod", logger="worker.encode", job_id=42, stage="encode:error",
        msg="gave up", error="no space", error_type="OSError", user_id=5, service_version="1.2",
        host="node-3", trace_id="a" * 32, span_id="b" * 16, prompt_length=77, retry_policy="none",
    )  # fmt: skip
    event = event_of(tmp_path, failed)
    plain = {
        "level": "fatal", "logger": "worker.encode", "server_name": "node-3", "release": "1.2",
        "environment": "prod", "user": {"id": "5"},
    }  # fmt: skip
    assert {name: event[name] for name in plain} == plain
    assert event["timestamp"] == "2026-11-21T03:51:14.000007Z"
    assert event["logentry"] == {"formatted": "gave up"}
    assert event["fingerprint"] == ["OSError", "worker", "worker.encode"]
    assert event["tags"] == {
        "service": "worker", "logger": "worker.encode", "job_id": "42", "stage": "encode:error",
        "host": "node-3", "error_type": "OSError",
    }  # fmt: skip
    assert event["exception"]["values"][0] | {"mechanism": None} == {
        "type": "OSError", "value": "no space", "mechanism": None,
    }  # fmt: skip
    assert event["contexts"] == {
        "fields": {"n": 7, "prompt_length": 77},
        "trace": {"trace_id": "a" * 32, "span_id": "b" * 16},
    }
    assert event["extra"] == {"retry_policy": "none"}
    assert len(event["event_id"]) == 32


def test_release_and_environment_may_be_set_for_all(tmp_path: Path) -> None:
    event = event_of(tmp_path, record(1, level="ERROR", env="dev"), release="r1", environment="blue")
    assert (event["release"], event["environment"]) == ("r1", "blue")
    assert event["fingerprint"] == ["{{ default }}"]


def test_the_steps_of_the_same_job_come_with_it_as_breadcrumbs(tmp_path: Path) -> None:
    steps = [record(i, level="DEBUG", job_id="a" if i % 2 else "b", msg=f"step {i}") for i in range(8)]
    event = event_of(
        tmp_path, *steps, record(8, msg="no job"), record(9, level="ERROR", job_id="a"), breadcrumbs=3
    )
    crumbs = event["breadcrumbs"]["values"]
    assert [crumb["message"] for crumb in crumbs] == ["step 3", "step 5", "step 7"]
    assert crumbs[0]["level"] == "debug"
    assert crumbs[0]["category"] == "worker"


def test_what_is_remembered_of_jobs_is_bounded() -> None:
    few = Breadcrumbs(per_job=5, jobs=3, size_bytes=1 << 20)
    small = Breadcrumbs(per_job=50, jobs=1000, size_bytes=20_000)

    def add(crumbs: Breadcrumbs, **fields: object) -> None:
        crumbs.add(fields, json.dumps(fields).encode())

    for number in range(2000):
        add(few, job_id=f"j{number % 400}", msg="x" * 100)
        add(small, job_id=f"j{number % 400}", msg="x" * 100)
        assert small.size_bytes <= 20_000
    assert len(few._rings) == 3
    add(small, job_id="alone", msg="x" * 30_000)
    assert small.size_bytes <= 20_000
    add(few, request_id="r", msg="y")
    assert [crumb.message for crumb in few.of({"request_id": "r"})] == ["y"]


def test_a_python_traceback_becomes_frames(tmp_path: Path) -> None:
    def inner() -> None:
        raise KeyError("x")

    try:
        try:
            inner()
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        stack = "".join(traceback.format_exception(error))
        expected = traceback.extract_tb(error.__traceback__)
    event = event_of(
        tmp_path, record(1, level="ERROR", error_type="RuntimeError", error="outer", stack=stack)
    )
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert [(f["filename"], f["lineno"], f["function"]) for f in frames] == [
        (f.filename, f.lineno, f.name) for f in expected
    ]
    assert frames[-1]["context_line"] == 'raise RuntimeError("outer") from error'
    assert read_frames("no traceback\n  at com.example.Main(Main.java:3)") == []
    java = event_of(tmp_path, record(1, level="ERROR", error="e", stack="at Main.java:3"))
    assert java["exception"]["values"][0]["value"] == "e\nat Main.java:3"


def test_an_event_is_never_larger_than_allowed(tmp_path: Path) -> None:
    steps = [record(i, job_id="a", msg="y" * 400) for i in range(50)]
    settings = {"event_bytes": 4096}
    event = event_of(tmp_path, *steps, record(9, level="ERROR", job_id="a", blob="x" * 9000), **settings)
    assert len(json.dumps(event)) <= 4096
    assert event["tags"]["telecine.left_out"] == "breadcrumbs,contexts"


def test_a_repeat_has_the_same_event_id(tmp_path: Path) -> None:
    service = FakeSentry()
    records = [record(i, level="ERROR") for i in range(4)]
    with Listener(service) as listener:
        for _ in range(2):
            with opened(tmp_path, "sentry", dsn=dsn_of(listener)) as sink:
                assert deliver(sink, stored(records)).delivered == 4
    assert (service.received, len(service.events)) == (8, 4)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60:error:organization", 60),
        ("10::key", 10),
        ("5:transaction;session:org", None),
        ("5:transaction:org, 30:default;error:project:quota", 30),
        ("7:error,9:error", 9),
        ("x:error", None),
        ("", None),
    ],
)
def test_rate_limits_are_read_as_the_sdk_reads_them(header: str, seconds: float | None) -> None:
    assert read_rate_limits(header) == seconds
    now = datetime.datetime.now(datetime.UTC)
    ours = [
        until - now for category, until in _parse_rate_limits(header, now) if category in (None, "", "error")
    ]
    assert max((one.total_seconds() for one in ours), default=None) == seconds


def test_a_rate_limit_is_kept_also_where_the_event_was_taken(tmp_path: Path) -> None:
    now = 0.0
    service = FakeSentry()
    batches = stored([record(i, level="ERROR") for i in range(3)])
    with Listener(service) as listener, opened(tmp_path, "sentry", dsn=dsn_of(listener)) as sink:
        sink._clock = lambda: now

        def take_and_limit(heard: Any) -> Reply:
            taken = service(heard)
            return Reply(200, taken.body, {"X-Sentry-Rate-Limits": "30:error:key"})

        listener.script = [take_and_limit]
        with pytest.raises(SinkError) as told:
            deliver(sink, batches)
        assert told.value.retry_delay_seconds == 30
        assert len(listener.heard) == 1
        now = 30.5
        listener.script = [Reply(429), Reply(429, headers={"X-Sentry-Rate-Limits": "5:transaction:key"})]
        with pytest.raises(SinkError, match="429") as told:
            deliver(sink, batches)
        assert told.value.retry_delay_seconds == 60, "where a 429 names no time, Sentry means a minute"
        now = 91
        with pytest.raises(SinkError, match="429"):
            deliver(sink, batches)
        assert deliver(sink, batches).delivered == 3
    assert (service.received, len(service.events)) == (3, 3)


def test_an_event_that_sentry_refuses_costs_no_other(tmp_path: Path) -> None:
    service = FakeSentry()
    with Listener(service) as listener, opened(tmp_path, "sentry", dsn=dsn_of(listener)) as sink:
        listener.script = [Reply(400, b'{"detail":"invalid event"}'), Reply(413)]
        written = deliver(sink, stored([record(i, level="ERROR") for i in range(4)]))
    assert (written.delivered, written.dropped) == (2, {"rejected": 1, "too_large": 1})
    assert [letter["reason"] for letter in dead_letters(tmp_path)] == ["rejected", "too_large"]


async def test_what_the_flight_recorder_releases_comes_as_breadcrumbs(tmp_path: Path) -> None:
    service = FakeSentry()
    with Listener(service) as listener:
        path = collector_config(tmp_path / "c.json", "sentry", dsn=dsn_of(listener))
        recorder = {"flight_recorder": {"records_per_job": 10}}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"selection": recorder}))
        async with collector(tmp_path / "data", path) as running:
            listener.script = [Reply(503), Reply(200, b"", is_cut=True)]
            debug = [record(i, level="DEBUG", job_id="j", msg=f"detail {i}") for i in range(1, 4)]
            await ship(running.address, batch(1, debug))
            await ship(running.address, batch(4, [record(4, level="ERROR", job_id="j", msg="failed")]))
            runner = running.service._fanout.runners["sentry.t"]
            await eventually_async(lambda: runner.accepted == 4 and not runner.buffered)
            books = runner.books
            assert (books.delivered, books.dropped, books.failures) == (1, {"filtered": 3}, 2)
        assert listener.heard[0].path == "/api/42/envelope/"
        assert "sentry_key=public" in listener.heard[0].headers["x-sentry-auth"]
    (event,) = service.events.values()
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == [
        "detail 1",
        "detail 2",
        "detail 3",
    ]


_WORKER = """
import sys
from telecine.logging import configure_logging, flush_logging

log = configure_logging("worker", directory=sys.argv[1], collector=sys.argv[2], console="off", level="DEBUG")
job = log.bind(job_id="j1", request_id="r1")
job.debug("frames read", count=81)

def encode(frames):
    raise ValueError("81 frames, expected 80")

try:
    encode(81)
except ValueError:
    job.exception("encode failed", stage="encode:error")
assert flush_logging(20)
"""


def test_an_exception_that_a_worker_logs_becomes_an_issue_with_its_frames(tmp_path: Path) -> None:
    service = FakeSentry()
    with Listener(service) as listener:
        running = CollectorProcess(tmp_path / "data")
        running.start(collector_config(tmp_path / "c.json", "sentry", dsn=dsn_of(listener)))
        try:
            program = tmp_path / "worker_program.py"
            program.write_text(_WORKER)
            command = [sys.executable, str(program), str(tmp_path / "spool"), running.address]
            subprocess.run(command, check=True, timeout=60)
            eventually(lambda: service.events)
        finally:
            assert running.stop() == 0
    (event,) = service.events.values()
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "81 frames, expected 80")
    frames = exception["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames] == ["<module>", "encode"]
    assert frames[-1]["context_line"] == 'raise ValueError("81 frames, expected 80")'
    assert frames[-1]["filename"].endswith("worker_program.py")
    assert event["fingerprint"][0] == "ValueError"
    assert event["tags"]["job_id"] == "j1"
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == ["frames read"]
