"""`python -m benchmarks.collector.calls NAME`: one library logs in a process of its own, each call timed."""

from __future__ import annotations

import argparse
import atexit
import json
import logging
import logging.handlers
import queue
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Figures

Call = Callable[[int], None]
"""Logs one record, with five fields of which one changes with the number."""

_JOB, _STAGE = "e05fbad59b1fe129b1c0660d7d0993d6", "encode:frames"
_BLOCK, _PAUSE_SECONDS = 200, 0.004
"""Calls come in bursts, at most 50,000 a second: a busy program, but not one that does nothing else."""


def telecine(directory: Path, address: str) -> Call:
    """Crash-safe: in the spool file when the call returns; redacted; shipped in the background."""
    from telecine.logging import configure_logging, get_logger

    configure_logging(
        "bench", console="off", has_files=False, collector=address, spool_directory=directory / "spool"
    )
    info = get_logger("bench.calls").info

    def call(number: int) -> None:
        info("chunk persisted", job_id=_JOB, stage=_STAGE, chunk=number, frames=81, duration_ms=12.5)

    return call


def stdlib_queue(directory: Path, address: str) -> Call:
    """`QueueHandler` to a listener that writes JSON lines with `json.dumps`."""

    class Json(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json.dumps(
                {
                    "timestamp": self.formatTime(record),
                    "level": record.levelname,
                    "msg": record.getMessage(),
                    "logger": record.name,
                    **record.fields,  # type: ignore[attr-defined]
                }
            )

    to_file = logging.FileHandler(directory / "stdlib.log")
    to_file.setFormatter(Json())
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(waiting, to_file)
    listener.start()
    atexit.register(listener.stop)
    return _stdlib(logging.handlers.QueueHandler(waiting), "fields")


def opentelemetry(directory: Path, address: str) -> Call:
    """The SDK's handler and batch processor, exported to the same collector."""
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    warnings.simplefilter("ignore")
    provider = LoggerProvider(Resource({"service.name": "bench"}))
    exporter = OTLPLogExporter(endpoint=address, insecure=True)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    atexit.register(provider.shutdown)
    return _stdlib(LoggingHandler(logger_provider=provider))


def loguru(directory: Path, address: str) -> Call:
    """A JSON file, written during the call."""
    from loguru import logger

    logger.remove()
    logger.add(directory / "loguru.log", serialize=True, enqueue=False)

    def call(number: int) -> None:
        logger.bind(job_id=_JOB, stage=_STAGE, chunk=number, frames=81, duration_ms=12.5).info(
            "chunk persisted"
        )

    return call


CONTENDERS = {
    "telecine": telecine,
    "stdlib-queue": stdlib_queue,
    "opentelemetry": opentelemetry,
    "loguru": loguru,
}


def _stdlib(handler: logging.Handler, inside: str = "") -> Call:
    logger = logging.getLogger("bench.calls")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def call(number: int) -> None:
        fields = {"job_id": _JOB, "stage": _STAGE, "chunk": number, "frames": 81, "duration_ms": 12.5}
        logger.info("chunk persisted", extra={inside: fields} if inside else fields)

    return call


def measure_calls(call: Call, count: int) -> Figures:
    """Times each of `count` calls; seconds."""
    clock = time.perf_counter_ns
    for number in range(2_000):
        call(number)
    times: list[int] = []
    cpu = time.process_time()
    for first in range(0, count, _BLOCK):
        time.sleep(_PAUSE_SECONDS)
        for number in range(first, first + _BLOCK):
            begin = clock()
            call(number)
            times.append(clock() - begin)
    cpu = time.process_time() - cpu
    times.sort()
    return {
        "median": statistics.median(times) / 1e9,
        "p99": times[int(len(times) * 0.99)] / 1e9,
        "mean": statistics.fmean(times) / 1e9,
        "cpu": cpu / len(times),
    }


def write_steadily(call: Call, rate: float, seconds: float) -> Figures:
    """Logs at a rate, every 5 ms what is due."""
    begin = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - begin) < seconds:
        due = int(now * rate)
        for number in range(sent, due):
            call(number)
        sent = due
        time.sleep(0.005)
    return {"records": float(sent)}


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(CONTENDERS))
    parser.add_argument("directory", type=Path)
    parser.add_argument("address")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--rate", type=float, default=0.0, help="instead: so many a second, untimed")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    call = CONTENDERS[arguments.name](arguments.directory, arguments.address)
    if arguments.rate:
        figures = write_steadily(call, arguments.rate, arguments.seconds)
    else:
        figures = measure_calls(call, arguments.count)
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
