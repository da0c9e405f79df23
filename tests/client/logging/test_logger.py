"""What applications call, and the record that comes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import socket
import threading
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from telecine.logging import (
    LogConfigError,
    LogContext,
    bind_artifact_context,
    bind_job_context,
    configure_logging,
    current_request_id,
    ensure_request_id,
    get_logger,
    logging_stats,
    set_log_level,
)
from telecine.logging.bridges.stdlib import BridgeHandler
from telecine.logging.catalogue import LEADING_FIELDS

from tests.client.logging.conftest import RunProgram

MASK = "***redacted***"
Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Configures logging into `tmp_path`; gives the records of `worker.log`."""
    configure_logging("worker", directory=tmp_path, console="off", level="DEBUG", env="test")

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]

    return read


def test_a_record_begins_with_the_leading_fields_in_order(records: Records, tmp_path: Path) -> None:
    get_logger("a.b").info("frames received", job_id="j1", frames=81, duration_ms=1.5)
    (record,) = records()
    assert tuple(record)[:4] == LEADING_FIELDS
    assert dt.datetime.fromisoformat(record.pop("timestamp")).utcoffset() == dt.timedelta(0)
    assert record == {
        "level": "INFO",
        "service": "worker",
        "msg": "frames received",
        "env": "test",
        "logger": "a.b",
        "job_id": "j1",
        "frames": 81,
        "duration_ms": 1.5,
    }
    assert (tmp_path / "worker.log").read_bytes().startswith(b'{"timestamp":"2')


def test_the_usage_of_the_stage_taxonomy(records: Records) -> None:
    log = bind_job_context(get_logger(), job_id=123, operation_type="text_to_video")
    log.info("pipeline:start", msg="processing_started")
    log.info("provider:submit", provider_job_id="pv_123")
    bind_artifact_context(log, artifact_id=456, submission_id=321).info(
        "pipeline:artifact", msg="artifact_created"
    )
    log.info("own event", msg="said so")
    start, submit, artifact, own = records()
    assert (start["stage"], start["msg"], start["job_id"]) == ("pipeline:start", "processing_started", 123)
    assert (submit["stage"], submit["msg"]) == ("provider:submit", "provider:submit")
    assert (artifact["artifact_id"], artifact["submission_id"], artifact["job_id"]) == (456, 321, 123)
    assert (own["event"], own["msg"]) == ("own event", "said so")


def test_a_bound_logger_is_another_one_and_call_fields_win(records: Records) -> None:
    log = get_logger("a")
    bound = log.bind(job_id="j1", attempt=0)
    bound.info("x", attempt=1)
    log.info("y")
    bound.unbind("job_id").info("z")
    bound.try_unbind("nothing").new(a=1).info("w")
    x, y, z, w = records()
    assert (x["job_id"], x["attempt"]) == ("j1", 1)
    assert "job_id" not in y
    assert "job_id" not in z
    assert z["attempt"] == 0
    assert w["a"] == 1
    assert "attempt" not in w
    with pytest.raises(KeyError):
        bound.unbind("nothing")


def test_context_covers_a_block_its_tasks_and_nothing_else(records: Records) -> None:
    log = get_logger("a")
    with LogContext(user_id=7, job_id="j1"):
        log.info("inside", job_id="j2")
        with LogContext(user_id=8):
            structlog.get_logger("lib").info("deeper")
        logging.getLogger("std").warning("stdlib")
        thread = threading.Thread(target=lambda: log.info("another thread"))
        thread.start()
        thread.join()
    log.info("outside")
    by_msg = {record["msg"]: record for record in records()}
    assert (by_msg["inside"]["user_id"], by_msg["inside"]["job_id"]) == (7, "j2")
    assert (by_msg["deeper"]["user_id"], by_msg["deeper"]["logger"]) == (8, "lib")
    assert by_msg["stdlib"]["job_id"] == "j1"
    assert "user_id" not in by_msg["outside"]
    assert "user_id" not in by_msg["another thread"]


async def test_context_follows_a_task(records: Records) -> None:
    import asyncio

    async def work(n: int) -> None:
        async with LogContext(job_id=n):
            await asyncio.sleep(0)
            await get_logger("a").ainfo("step", n=n)

    await asyncio.gather(work(1), work(2))
    steps = [record for record in records() if record["msg"] == "step"]
    assert sorted((record["job_id"], record["n"]) for record in steps) == [(1, 1), (2, 2)]


def test_a_request_id_is_made_once(records: Records) -> None:
    with LogContext():
        assert current_request_id() == ""
        with LogContext(request_id="r1"):
            assert ensure_request_id() == "r1"
            get_logger("a").info("x")
    assert records()[0]["request_id"] == "r1"


def test_trace_and_span_ids_stand_in_the_record_while_a_span_is_active(records: Records) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("t")
    with tracer.start_as_current_span("s") as span:
        get_logger("a").info("inside")
    get_logger("a").info("outside")
    inside, outside = records()
    assert inside["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert len(inside["span_id"]) == 16
    assert "trace_id" not in outside


def test_an_exception_becomes_error_type_and_stack_without_local_values(records: Records) -> None:
    hidden = "local-value-that-is-nobodys-business"
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError(f"password=hunter2 {len(hidden)}") from error
    except ValueError as caught:
        get_logger("a").exception("failed", job_id=1)
        kept = caught
    get_logger("a").error("later", exc_info=kept)
    get_logger("a").info("nothing wrong", exc_info=True)
    get_logger("a").info("where", stack_info=True)
    failed, later, fine, where = records()
    assert failed["error_type"] == later["error_type"] == "ValueError"
    assert failed["error"] == f"password={MASK} 36"
    assert "KeyError: 'inner'" in failed["stack"]
    assert "direct cause" in failed["stack"]
    assert hidden not in json.dumps(failed)
    assert "hunter2" not in json.dumps([failed, later])
    assert "stack" not in fine
    assert "test_logger.py" in where["stack"]


def test_secrets_are_gone_before_any_byte_is_written(records: Records, tmp_path: Path) -> None:
    log = get_logger("a").bind(api_key="bound-secret-1")
    with LogContext(jwt_token="context-secret-2"):
        log.info(
            "Authorization: Bearer abc123secret3def",
            headers={"X-Api-Key": ["list-secret-4"]},
            password=b"raw-5",
        )
        log.info("with %s", "postgres://u:secret6@h/db", blob=b"token=secret7abcdef99")
    everything = (tmp_path / "worker.log").read_text()
    for secret in ("secret-1", "secret-2", "secret3", "secret-4", "raw-5", "secret6", "secret7"):
        assert secret not in everything
    assert records()[0]["headers"] == {"X-Api-Key": MASK}
    assert logging_stats()["redacted"] >= 7


@dataclasses.dataclass
class Clip:
    path: Path
    password: str


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_any_value_can_be_logged(records: Records) -> None:
    loop: list[Any] = []
    loop.append(loop)
    get_logger("a").info(
        "values",
        path=Path("/a/b"),
        when=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        uid=uuid.UUID(int=1),
        scalar=np.float32(0.5),
        array=np.zeros(2),
        clip=Clip(Path("/x"), "hunter2"),
        hostile=Hostile(),
        loop=loop,
        big=2**80,
        nan=float("nan"),
        surrogate="\ud800",
        keys={(1, 2): "tuple", 3: "int"},
        error=ValueError("bad"),
        **{"level": "mine", "": 1},
    )
    (record,) = records()
    assert record["path"] == "/a/b"
    assert record["scalar"] == 0.5
    assert record["clip"] == {"path": "/x", "password": MASK}
    assert record["keys"] == {"(1, 2)": "tuple", "3": "int"}
    assert record["level"] == "INFO"
    assert record["level_"] == "mine"
    assert "RuntimeError" in record["hostile"]


@given(
    st.dictionaries(
        st.text(max_size=6),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=9)
            | st.binary(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
            ),
            max_leaves=6,
        ),
        max_size=4,
    ),
    st.text(max_size=20),
)
def test_whatever_is_logged_one_line_of_json_comes_of_it(fields: dict[str, Any], msg: str) -> None:
    from telecine.logging.pipeline import Pipeline
    from telecine.logging.setup import default_redactor

    class Kept:
        level = 0
        lines: list[bytes]

        def __init__(self) -> None:
            self.lines = []

        def write(self, line: bytes) -> None:
            self.lines.append(line)

        def close(self) -> None: ...

    from telecine.logging.logger import Logger, Source

    kept = Kept()
    pipeline = Pipeline("s", "", default_redactor(), (kept,))
    log = Logger(Source("n", pipeline, 0))
    log.info(msg, **{k: v for k, v in fields.items() if k not in ("msg", "event", "exc_info", "stack_info")})
    assert pipeline.failures == 0
    (line,) = kept.lines
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["level"] == "INFO"


def test_a_huge_record_is_cut_and_says_so(records: Records) -> None:
    get_logger("a").info("m" * 100_000, text="x" * 400_000, many=list(range(5000)), job_id="j1")
    (record,) = records()
    assert record["is_cut"] is True
    assert record["job_id"] == "j1"
    assert len(json.dumps(record)) < 256 << 10


def test_levels_can_be_changed_at_run_time_as_a_whole_and_by_name(records: Records) -> None:
    log, other = get_logger("a.b.c"), get_logger("x")
    set_log_level("ERROR")
    log.info("1")
    set_log_level("DEBUG", "a.b")
    log.debug("2")
    other.warning("3")
    logging.getLogger("a.b.std").debug("4")
    assert [record["msg"] for record in records()] == ["2", "4"]
    assert log.is_enabled_for(10)
    with pytest.raises(ValueError, match="TRACE, DEBUG, INFO"):
        set_log_level("LOUD")
    set_log_level("DEBUG", "a.b")
    from telecine.logging.setup import STATE

    STATE._own_levels.clear()


def test_a_logger_made_before_configuration_follows_it(tmp_path: Path) -> None:
    early = get_logger("early").bind(job_id="j1")
    configure_logging("worker", directory=tmp_path / "1", console="off")
    early.info("first")
    configure_logging("worker", directory=tmp_path / "2", console="off")
    early.info("second")
    for number, msg in (("1", "first"), ("2", "second")):
        record = json.loads((tmp_path / number / "worker.log").read_bytes())
        assert (record["msg"], record["job_id"]) == (msg, "j1")


def test_stdlib_logging_and_warnings_come_in_with_their_fields(records: Records) -> None:
    logger = logging.getLogger("lib.part")
    logger.info("job %d done", 5, extra={"job_id": 5, "extra_fields": {"frames": 120}})
    try:
        raise OSError("disk")
    except OSError:
        logger.exception("failed")
    bridge = next(handler for handler in logging.getLogger().handlers if isinstance(handler, BridgeHandler))
    bridge.handle(logging.LogRecord("lib", 20, "f.py", 1, "wrong %d", ("args",), None))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
    done, failed, wrong, warning = records()
    assert (done["msg"], done["logger"], done["job_id"], done["frames"]) == ("job 5 done", "lib.part", 5, 120)
    assert (failed["error_type"], failed["level"]) == ("OSError", "ERROR")
    assert failed["function"] == "test_stdlib_logging_and_warnings_come_in_with_their_fields"
    assert "wrong" in wrong["msg"]
    assert (warning["level"], warning["logger"]) == ("WARNING", "py.warnings")
    assert "old call" in warning["msg"]


def test_structlog_loggers_come_in(records: Records) -> None:
    log = structlog.get_logger("service.access").bind(a=1)
    log.info("rpc", method="/x")
    log.log(30, "slow", exc_info=None)
    first, second = records()
    assert (first["msg"], first["a"], first["method"], first["logger"]) == ("rpc", 1, "/x", "service.access")
    assert second["level"] == "WARNING"


def test_console_and_file_say_the_same_in_the_same_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("worker", directory=tmp_path, file_format="kv")
    get_logger("a").info("two words", job_id="j1", text='say "x"', none=None, ok=True, tree={"a": [1]})
    out = capsys.readouterr().out
    assert out == (tmp_path / "worker.log").read_text()
    assert out.endswith(
        'level=INFO service=worker msg="two words" env=dev logger=a job_id=j1 '
        'text="say \\"x\\"" none=null ok=true tree="{\\"a\\":[1]}"\n'
    )


def test_the_human_form_is_a_line_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("worker", directory=tmp_path, console_format="human")
    get_logger("a.b").warning("provider:status", job_id="j1")
    try:
        raise ValueError("bad")
    except ValueError:
        get_logger("a.b").exception("failed")
    lines = capsys.readouterr().out.splitlines()
    _, _, said = lines[0].split(" ", 2)  # how wide the time is depends on the zone
    assert said.lstrip() == "WARNING  a.b provider:status job_id=j1"
    assert lines[1].endswith("failed error=bad error_type=ValueError")
    assert lines[-1] == "    ValueError: bad", "what is indented belongs to the record above"


def test_errors_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    configure_logging("worker", directory=tmp_path, console="off")
    get_logger("a").info("fine")
    get_logger("a").error("bad")
    lines = (tmp_path / "errors.log").read_bytes().splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["bad"]


def test_the_environment_configures_and_arguments_override_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "debug")
    monkeypatch.setenv("TELECINE_LOG_FORMAT", "kv")
    monkeypatch.setenv("TELECINE_LOG_DIR", str(tmp_path))
    monkeypatch.setenv("TELECINE_LOG_CONSOLE", "stderr")
    configure_logging("worker")
    get_logger("a").debug("seen")
    assert "msg=seen" in capsys.readouterr().err
    configure_logging("worker", level="INFO", console="off", file_format="json")
    get_logger("a").debug("unseen")
    assert len((tmp_path / "worker.log").read_text().splitlines()) == 1


def test_all_faults_of_a_configuration_are_named_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "loud")
    monkeypatch.setenv("TELECINE_LOG_SAMPLING_PROVIDER_STATUS", "none")
    with pytest.raises(LogConfigError) as caught:
        configure_logging("bad name/", console="tape", collector="nowhere", file_max_bytes=3)
    for part in (
        "TELECINE_LOG_LEVEL",
        "PROVIDER_STATUS",
        "console",
        "service",
        "collector",
        "file_max_bytes",
    ):
        assert part in str(caught.value)


def test_the_spool_holds_no_secret_and_the_same_line_as_the_file(tmp_path: Path) -> None:
    configure_logging("worker", directory=tmp_path, console="off", collector="127.0.0.1:1", level="INFO")
    get_logger("a").info("x", password="hunter2", job_id="j1")
    (segment,) = tmp_path.glob("spool/*/*.ndjson")
    assert segment.read_bytes().splitlines()[0] == (tmp_path / "worker.log").read_bytes().splitlines()[0]
    assert b"hunter2" not in segment.read_bytes()


@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {"job_id": 7, "frames": 81}},
        {"extra": {"extra_fields": {"job_id": 7, "frames": 81}}},
        {"extra": {"job_id": 8, "frames": 81}, "job_id": 7},
    ],
)
def test_fields_may_be_given_as_stdlib_logging_takes_them(records: Records, fields: dict[str, Any]) -> None:
    get_logger("app").info("made", **fields)
    (record,) = [r for r in records() if r["msg"] == "made"]
    assert (record["job_id"], record["frames"]) == (7, 81)
    assert "extra" not in record


def test_an_extra_that_holds_no_fields_is_a_field(records: Records) -> None:
    get_logger("app").info("made", extra="cheese")
    assert next(r for r in records() if r["msg"] == "made")["extra"] == "cheese"


def test_records_say_where_they_come_from_when_asked(run_program: RunProgram, tmp_path: Path) -> None:
    program = run_program(
        "log = start(tells_origin=True)\n"
        "log.info('from the main thread')\n"
        "thread = threading.Thread(target=lambda: log.info('from another'), name='loader-1')\n"
        "thread.start(); thread.join()\n"
        "child = os.fork()\n"
        "log.info('from a child' if child == 0 else 'from the parent', child=child)\n"
        "if child: os.waitpid(child, 0)"
    )
    assert program.wait(30) == 0
    made = {r["msg"]: r for r in map(json.loads, (tmp_path / "worker.log").read_bytes().splitlines())}
    assert made["from the main thread"]["pid"] == program.pid
    assert made["from the main thread"]["host"] == socket.gethostname()
    assert "thread" not in made["from the main thread"]
    assert made["from another"]["thread"] == "loader-1"
    assert made["from a child"]["pid"] == made["from the parent"]["child"]


def test_records_keep_to_themselves_where_they_come_from_when_nobody_asked(records: Records) -> None:
    get_logger("app").info("made")
    assert not {"host", "pid", "thread"} & records()[-1].keys()
