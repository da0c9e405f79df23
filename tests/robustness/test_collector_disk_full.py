"""The collector's disk fills up: senders are told to come again, nothing is lost, it goes on by itself."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from telecine import LogClient
from telecine.logging import configure_logging, flush_logging, logging_stats, shutdown_logging

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.log_files import records_in
from tests.robustness.small_disk import mounted

RECORDS = 1_500
_KEPT_FREE_BYTES = 160 << 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", size_mib=8) as directory:
        yield directory


@pytest.fixture
def collector(disk: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(disk / "data", {"retry.most_seconds": "0.3", "retry.open_seconds": "0.3"})
    yield process.start()
    shutdown_logging()
    process.stop()


def fill(disk: Path) -> Path:
    """Takes nearly all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = bytes(64 << 10)
        try:
            while True:
                file.write(block)
        except OSError:
            pass
    os.truncate(ballast, max(0, ballast.stat().st_size - _KEPT_FREE_BYTES))
    return ballast


def own_log(collector: CollectorProcess) -> str:
    """What the collector says on standard error; its own files stand on the full disk."""
    return collector.log()


def refusal_of(address: str, msg: str) -> grpc.RpcError | None:
    """How an OpenTelemetry client is refused; None where its record was taken."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = msg
    with grpc.insecure_channel(address) as channel:
        try:
            LogsServiceStub(channel).Export(request, timeout=10)
        except grpc.RpcError as error:
            return error
    return None


def missing_in(logs: Path) -> list[int]:
    """The numbers of the records that no file has; says at the timeout which they are."""
    missing = sorted(set(range(RECORDS)) - {record.get("n") for record in records_in(logs, "worker.log")})
    assert not missing, f"{len(missing)} records are in no file: {missing[:20]}"
    return missing


def test_a_full_disk_costs_patience_and_no_record(
    tmp_path: Path, disk: Path, collector: CollectorProcess
) -> None:
    """open-telemetry/opentelemetry-collector#15324: part of what came in an outage was missing after it."""
    noise = random.Random(1)
    log = configure_logging("worker", directory=tmp_path / "own", collector=collector.address, console="off")
    log.info("n", n=0)
    assert flush_logging(20)
    ballast = fill(disk)
    for n in range(1, RECORDS):
        log.info("n", n=n, job_id=f"job-{n % 3}", noise=noise.randbytes(300).hex())
    with LogClient(collector.address) as client:
        eventually(lambda: int(client.stats()["ingest"]["refused"]), says="senders are told to come again")
    eventually(lambda: "No space left" in own_log(collector), says="the collector tells why")
    assert not flush_logging(0.1)
    refused = eventually(lambda: refusal_of(collector.address, noise.randbytes(4_000).hex()))
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    trailing = dict(refused.trailing_metadata())
    delay = error_details_pb2.RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"]).retry_delay
    assert 0 < delay.ToMilliseconds() <= 2000
    ballast.unlink()
    assert flush_logging(30)
    assert logging_stats()["spool_dropped"] == logging_stats()["rejected"] == 0
    shutdown_logging()
    logs = collector.data_dir / "logs"
    eventually(lambda: missing_in(logs) == [], says="the files have everything")
    assert collector.stop() == 0
    assert [r["n"] for r in records_in(logs, "worker.log") if r["msg"] == "n"] == list(range(RECORDS))
    for job in range(3):
        own = [n for n in range(1, RECORDS) if n % 3 == job]
        assert [r["n"] for r in records_in(logs, f"jobs/job-{job}/job.log")] == own


def test_a_disk_that_fills_and_empties_again_and_again_doubles_nothing(
    tmp_path: Path, disk: Path, collector: CollectorProcess
) -> None:
    """Room comes and goes between the journal's write and the files'."""
    noise = random.Random(2)
    log = configure_logging("worker", directory=tmp_path / "own", collector=collector.address, console="off")
    pause = threading.Event()
    for n in range(RECORDS):
        log.info("n", n=n, noise=noise.randbytes(300).hex())
        if n % 300 == 0:
            ballast = fill(disk)
            pause.wait(0.1 * noise.random())
            ballast.unlink()
    assert flush_logging(30)
    shutdown_logging()
    assert collector.stop() == 0
    logs = collector.data_dir / "logs"
    collector.start()
    eventually(lambda: missing_in(logs) == [])
    assert [r["n"] for r in records_in(logs, "worker.log") if r["msg"] == "n"] == list(range(RECORDS))
