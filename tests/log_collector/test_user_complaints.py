"""What users of other collectors complain of does not happen here; each test names the thread.

Which thread is held by which test, here and elsewhere, stands in docs/complaints.md.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from telecine import LogClient, LogFilter

from log_collector.files import housekeeping
from log_collector.files.config import Compression
from log_collector.files.packing import pack_file
from service_host.errors import StartError
from tests.eventually import eventually_async
from tests.log_collector.harness import (
    Collector,
    batch,
    collector,
    last_acknowledged,
    numbered,
    record,
    ship,
    stub,
)
from tests.log_collector.log_files import content_of, records_in

ROTATING = {"files__services__rotate_bytes": 20_000, "files__upkeep_seconds": 0.02}


async def delivered(running: Collector, sink: str = "file") -> None:
    await eventually_async(lambda: running.service._fanout.runners[sink].is_caught_up)


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [r["n"] for r in records]


async def test_a_record_that_names_no_job_and_no_service_is_written_all_the_same(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-collector-contrib#39031: without the attribute a record was dropped"""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "who am I"
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1, 1))
        import grpc.aio

        async with grpc.aio.insecure_channel(running.address) as channel:
            await LogsServiceStub(channel).Export(request)
        await delivered(running)
    assert len(records_in(tmp_path / "logs", "worker.log")) == 1
    assert records_in(tmp_path / "logs", "unknown_service.log")[0]["msg"] == "who am I"


@pytest.mark.parametrize("instant", ["half written", "before the plain file went"])
async def test_packing_that_was_cut_off_is_done_again_and_loses_no_line(tmp_path: Path, instant: str) -> None:
    """natefinch/lumberjack#155: compression that is cut off leaves a damaged file in place of a whole one"""
    logs = tmp_path / "logs"
    async with collector(tmp_path, files__services__compression="none", **ROTATING) as running:
        for first in range(1, 1001, 100):
            await ship(running.address, numbered(first, 100))
        await delivered(running)
    rotated = min(logs.glob("worker.log.*"))
    if instant == "half written":
        (logs / f".{rotated.name}.zst.tmp").write_bytes(b"\x28\xb5\x2f\xfd half")
    else:
        plain = rotated.read_bytes()
        pack_file(rotated, Compression.ZST)
        rotated.write_bytes(plain)
    async with collector(tmp_path, **ROTATING):
        await eventually_async(lambda: not [p for p in logs.glob("worker.log.*") if p.suffix != ".zst"])
    assert numbers(records_in(logs, "worker.log")) == list(range(1, 1001))


async def test_packing_never_holds_up_what_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delgan/loguru#837: everybody who logs waits while a file is compressed"""
    go_on = threading.Event()

    def slow(path: Path, compression: Compression) -> Path:
        go_on.wait(20)
        return pack_file(path, compression)

    monkeypatch.setattr(housekeeping, "pack_file", slow)
    async with collector(tmp_path, **ROTATING) as running:
        for first in range(1, 2001, 100):
            assert last_acknowledged(await ship(running.address, numbered(first, 100)))
        await delivered(running)
        assert len(list((tmp_path / "logs").glob("worker.log.*"))) > 2
        go_on.set()
    assert numbers(records_in(tmp_path / "logs", "worker.log")) == list(range(1, 2001))


@pytest.mark.parametrize("compression", ["zst", "gz"])
async def test_a_packed_file_is_one_whole_frame(tmp_path: Path, compression: str) -> None:
    """open-telemetry/opentelemetry-collector-contrib#46038, rsyslog/rsyslog#4530

    A frame for each message; with ziplevel what was not flushed is lost.
    """
    async with collector(tmp_path, files__services__compression=compression, **ROTATING) as running:
        for first in range(1, 1001, 100):
            await ship(running.address, numbered(first, 100))
        await delivered(running)
        suffix = f".{compression}"
        logs = tmp_path / "logs"
        await eventually_async(lambda: len(list(logs.glob(f"worker.log.*{suffix}"))) >= 2)
    for path in logs.glob(f"worker.log.*{suffix}"):
        assert content_of(path).endswith(b"}\n")


async def test_a_sink_that_fails_while_the_collector_stops_loses_nothing(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-collector#6771: what waited was lost by a stop in the state of error"""
    async with collector(tmp_path / "central") as central:
        address = central.address
    config = tmp_path / "c.json"
    target = {"name": "central", "address": address, "timeout_seconds": 2}
    retry = {"first_seconds": 0.05, "open_seconds": 0.1, "failures_to_open": 2}
    config.write_text(json.dumps({"forward": [target], "retry": retry}))
    async with collector(tmp_path / "edge", config, host__drain_seconds=0.3) as edge:
        await ship(edge.address, numbered(1, 100))
        runner = edge.service._fanout.runners["forward.central"]
        await eventually_async(lambda: runner.is_broken)
    async with (
        collector(tmp_path / "central", host__listen=address) as central,
        collector(tmp_path / "edge", config) as edge,
    ):
        await delivered(edge, "forward.central")
        assert numbers(central.records()) == list(range(1, 101))


async def test_order_is_kept_although_batches_are_opened_beside_one_another(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-collector#15475, open-telemetry/opentelemetry-collector-contrib#21740"""
    chance, seq = random.Random(1), 1
    requests = []
    for number in range(60):
        count = 2_000 if number % 7 == 0 else chance.randint(1, 80)
        requests.append(numbered(seq, count))
        seq += count
    async with collector(tmp_path, intake__threads=4) as running:
        assert last_acknowledged(await ship(running.address, *requests)) == seq - 1
        await delivered(running)
    assert numbers(records_in(tmp_path / "logs", "worker.log")) == list(range(1, seq))


async def test_rot_in_what_is_known_of_deleted_entries_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """vectordotdev/vector#18130, #23068: a buffer that refuses to start after a crash"""
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1, 10))
    (tmp_path / "journal" / "known.snapshot").write_bytes(b"\xff rot")
    async with collector(tmp_path) as running:
        assert [d.was_acknowledged for d in running.journal.damages] == [True]
        assert last_acknowledged(await ship(running.address, numbered(11, 5))) == 15
        assert numbers(running.records()) == list(range(1, 16))
    assert (tmp_path / "journal" / "known.damaged").exists()


async def test_rot_in_the_cursors_is_one_clear_error_that_says_what_to_do(tmp_path: Path) -> None:
    """vectordotdev/vector#23068: it must say what is wrong, and nothing may be thrown away unasked"""
    async with collector(tmp_path):
        pass
    (tmp_path / "cursors.sqlite").write_bytes(b"rot" * 2000)
    copies = list((tmp_path / "cursors").iterdir())
    rotten = [path.rename(tmp_path / path.name) for path in copies]
    with pytest.raises(StartError, match=r"cursors\.sqlite cannot be used .*begin-again"):
        async with collector(tmp_path):
            pass
    assert (tmp_path / "cursors.sqlite").read_bytes() == b"rot" * 2000
    for path, back in zip(rotten, copies, strict=True):
        path.rename(back)
    async with collector(tmp_path):
        pass
    assert (tmp_path / "cursors.sqlite.damaged").read_bytes() == b"rot" * 2000


async def test_the_history_of_a_dead_producer_is_found(tmp_path: Path) -> None:
    """amir20/dozzle#1997, #3163: the logs of a container that is gone are gone with it"""
    async with collector(tmp_path, **ROTATING) as running:
        records = [record(n, job_id="j", msg="needle" if n == 7 else "hay") for n in range(1, 901)]
        for first in range(0, 900, 100):
            await ship(running.address, batch(first + 1, records[first : first + 100]))
        await delivered(running)

        def ask() -> list[int]:
            with LogClient(running.address) as client:
                return [json.loads(line)["n"] for line in client.query(LogFilter(text="NEEDLE"))]

        assert await asyncio.to_thread(ask) == [7]


async def test_a_slow_disk_keeps_no_stream_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fluent/fluent-bit#9115: what is busy stops the input; here streams wait for the disk and go on"""
    import os

    sync, slow = os.fdatasync, threading.Event()

    def fdatasync(fd: int) -> None:
        slow.wait(0.05)
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    async with collector(tmp_path) as running, stub(running.address) as client:
        calls = [client.Ship(iter([numbered(1, 50, producer=f"p{n}")])) for n in range(40)]

        async def last(call: Any) -> int:
            return last_acknowledged([answer async for answer in call])

        assert await asyncio.gather(*map(last, calls)) == [50] * 40
        slow.set()
