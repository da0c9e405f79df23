"""What users of other loggers complain of does not happen here; each test names the thread."""

from __future__ import annotations

import json
import logging
import logging.config
import threading
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import FoldedStream, configure_logging, get_logger, logging_stats
from telecine.logging.shipping.spool import SpoolLimits

from tests.client.logging.conftest import RunProgram
from tests.client.logging.shipping.tiny_collector import TinyCollector
from tests.eventually import eventually

MASK = "***redacted***"


def written(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "worker.log").read_bytes().splitlines()]


def test_a_full_queue_drops_not_the_oldest_and_not_in_silence(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-python#4336, livekit/agents#4928"""
    limits = SpoolLimits(max_bytes=20_000, segment_bytes=4096)
    log = configure_logging(
        "worker", directory=tmp_path, console="off", collector="127.0.0.1:1", spool_limits=limits
    )
    for n in range(300):
        log.info("n", n=n)
    kept = [
        json.loads(line).get("n")
        for segment in sorted(tmp_path.glob("spool/*/*.ndjson"))
        for line in segment.read_bytes().splitlines()
    ]
    assert kept == list(range(len(kept)))
    assert logging_stats()["spool_dropped"] == 300 - len(kept)


def test_dict_config_while_threads_log_does_not_deadlock(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-python#3193"""
    configure_logging("worker", directory=tmp_path, console="off")
    done = threading.Event()

    def chatter() -> None:
        while not done.is_set():
            logging.getLogger("lib").warning("chatter")

    thread = threading.Thread(target=chatter, daemon=True)
    thread.start()
    for _ in range(20):
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    done.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_value_that_logs_while_it_is_logged_freezes_nobody(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-python#4636, #4954"""
    configure_logging("worker", directory=tmp_path, console="off")

    class Strange:
        def __str__(self) -> str:
            logging.getLogger("lib").warning("inside")
            return "strange"

        __repr__ = __str__

    logging.getLogger("lib").warning("outside", extra={"thing": Strange(), "more": {"deep": [Strange()]}})
    get_logger("a").warning("ours", thing=Strange())
    records = written(tmp_path)
    assert records[-1]["thing"] == "strange"
    assert any(record["msg"] == "outside" and record["thing"] == "strange" for record in records)


def test_logging_at_interpreter_exit_is_heard(run_program: RunProgram, tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-python#4585, #5568, jruere/multiprocessing-logging#18"""
    process = run_program(
        "import atexit\n"
        "atexit.register(lambda: get_logger('late').warning('at exit'))\n"
        "log = start(collector='127.0.0.1:1')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), log.warning('a slow thread'))).start()\n"
        "log.warning('main ends')\n"
    )
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    messages = [record["msg"] for record in written(tmp_path)]
    assert "main ends" in messages
    assert "a slow thread" in messages
    assert "at exit" in messages or "at exit" in err
    assert "Traceback" not in err


def test_processes_that_share_a_file_lose_and_mix_no_line(run_program: RunProgram, tmp_path: Path) -> None:
    """jruere/multiprocessing-logging#10, #43, Delgan/loguru#916: 2 % missing when files rotate"""
    source = (
        "log = start(file_max_bytes=4096, file_backups=1000)\n"
        "for n in range(200): log.info('n', who=os.getpid(), n=n)\n"
    )
    for process in [run_program(source) for _ in range(3)]:
        process.communicate(timeout=60)
        assert process.returncode == 0
    records = [
        json.loads(line)
        for path in tmp_path.glob("worker.log*")
        if path.suffix != ".lock"
        for line in path.read_bytes().splitlines()
    ]
    by_process: dict[int, list[int]] = {}
    for record in records:
        by_process.setdefault(record["who"], []).append(record["n"])
    assert len(by_process) == 3
    assert all(sorted(numbers) == list(range(200)) for numbers in by_process.values())


@pytest.mark.parametrize(
    "nested", [{"a": {"password": "p4ss"}}, [{"password": "p4ss"}], {"a": [[{"api-key": "p4ss"}]]}]
)
def test_nested_secrets_and_secrets_in_values_are_found(tmp_path: Path, nested: object) -> None:
    """hynek/structlog#782, cds-snc/sre-bot#1262, getsentry/sentry-python#4230, DataFog/datafog-python#169"""
    configure_logging("worker", directory=tmp_path, console="off")
    get_logger("a").warning("x", tree=nested, url="redis://:p4ss" + "word@cache/0")
    text = (tmp_path / "worker.log").read_text()
    assert "p4ss" not in text
    assert text.count(MASK) == 2


def test_local_variables_do_not_leak_with_an_exception(tmp_path: Path) -> None:
    """Delgan/loguru README: diagnose=True shows values"""
    configure_logging("worker", directory=tmp_path, console="off")
    private = "value-of-a-local"
    try:
        raise RuntimeError(len(private))
    except RuntimeError:
        get_logger("a").exception("x")
    assert private not in (tmp_path / "worker.log").read_text()


def test_progress_bars_neither_flood_nor_wait_for_their_end(tmp_path: Path) -> None:
    """determined-ai/determined#3945, tqdm/tqdm#1319, moby/moby#19645, predibase/lorax#352"""
    import io

    configure_logging("worker", directory=tmp_path, console="off")
    stream = FoldedStream(io.StringIO(), get_logger("bar"))
    for n in range(1000):
        stream.write(f"\rx: {n // 10}%|##| {n}/1000 [00:00<00:00, 10.0it/s]")
        stream.flush()
    assert len(written(tmp_path)) == 1, "the first state is there while the bar runs"
    stream.finish()
    assert written(tmp_path)[-1]["progress_done"] == 999


def test_a_worker_that_dies_leaves_its_last_words(run_program: RunProgram, tmp_path: Path) -> None:
    """stevietrouble/EfficientZero#2, ray-project/ray#45244"""
    process = run_program(
        "import ctypes\n"
        "log = start(collector='127.0.0.1:1')\n"
        "log.info('loading the model')\n"
        "ctypes.string_at(0)\n"
    )
    process.communicate(timeout=30)
    assert process.returncode < 0
    with TinyCollector() as collector:
        configure_logging("next", directory=tmp_path, console="off", collector=collector.address)
        eventually(lambda: "loading the model" in collector.messages())


def test_an_id_shields_no_secret_that_stands_in_it() -> None:
    """open-telemetry/opentelemetry-collector-contrib#43826: what allows a key beats what blocks its value"""
    from telecine.logging.redaction import Redactor
    from telecine.logging.redaction.rule_pack import DEFAULT_PACK

    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    line = json.dumps({"job_id": secret, "request_id": "Bearer " + "abcDEF123456" * 2, "artifact_id": "a-1"})
    (found,) = Redactor(DEFAULT_PACK).redact_lines(line.encode() + b"\n")[0].splitlines()
    record = json.loads(found)
    assert secret not in record["job_id"]
    assert "abcDEF" not in record["request_id"]
    assert record["artifact_id"] == "a-1"


# loguru leaves its handlers' streams to the interpreter.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_loguru_beside_us_makes_no_loop_and_loses_nothing(tmp_path: Path) -> None:
    """Delgan/loguru#1399: a handler each way, and every record goes round for ever"""
    from loguru import logger as loguru_logger

    class ToStdlib(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger(record.name).handle(record)

    configure_logging("worker", directory=tmp_path, console="off")
    loguru_logger.remove()
    number = loguru_logger.add(ToStdlib(), format="{message}")
    try:
        for n in range(20):
            loguru_logger.warning("from loguru {n}", n=n)
    finally:
        loguru_logger.remove(number)
    assert [r["msg"] for r in written(tmp_path)] == [f"from loguru {n}" for n in range(20)]
