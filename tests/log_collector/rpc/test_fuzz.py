"""Whatever bytes arrive on Ship and Export: a documented status, balanced books, the next one served."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import grpc
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from telecine.logs.v1 import logs_pb2

from tests.log_collector.harness import Collector, batch, collector, numbered, record, ship
from tests.log_collector.rpc.test_export import log, request

ROUNDS = 150
SHIP = "/telecine.logs.v1.LogCollectorService/Ship"
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
DOCUMENTED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE}


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Flips, cuts, repeats or inserts some bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randint(1, 20)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 50)]
            case _:
                changed[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(changed)


HOSTILE: tuple[Callable[[random.Random], object], ...] = (
    lambda c: record(1, job_id="../../etc/passwd"),
    lambda c: record(1, **{"\u0000": "x", "a\nb": "\r\n"}),
    lambda c: record(1, nested=json.loads("[" * 300 + "]" * 300)),
    lambda c: record(1, stage=None, event=None, job_id=c.randrange(2**70)),
    lambda c: record(1, msg="\ud800"),
    lambda c: b'{"level":"INFO","level":"ERROR","n":1e999}',
    lambda c: b"\xef\xbb\xbf{}",
    lambda c: mutated(c, json.dumps(record(2, password="x" * 20)).encode()),
)


async def serves_on(running: Collector) -> None:
    """A fresh producer is served as ever, and the law holds."""
    name = f"fresh-{running.journal.durable_position}"
    answers = await ship(running.address, numbered(1, producer=name))
    assert answers[-1].acknowledged.last_seq == 3
    assert running.service._accounting.is_balanced()
    assert running.bytes_under_way == 0


def every_line_is_json(running: Collector) -> None:
    assert all(isinstance(found, dict) for found in running.records())
    running.quarantined()


async def test_mutated_ship_messages_harm_nobody(tmp_path: Path) -> None:
    chance = random.Random(1)
    sampling = {"selection__sampling": [{"rate": 2, "stage": "*"}]}
    async with (
        collector(tmp_path, **sampling) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        call = channel.stream_stream(SHIP)
        codes: set[grpc.StatusCode] = set()
        for number in range(ROUNDS):
            message = numbered(1, 20, producer=f"p{number}").SerializeToString()
            try:
                async for _ in call(iter([mutated(chance, message)])):
                    pass
            except grpc.aio.AioRpcError as error:
                codes.add(error.code())
        assert codes <= DOCUMENTED
        await serves_on(running)
        every_line_is_json(running)


async def test_hostile_records_harm_nobody(tmp_path: Path) -> None:
    chance = random.Random(2)
    async with collector(tmp_path, selection__flight_recorder__records_per_job=3) as running:
        for number in range(ROUNDS):
            made = [chance.choice(HOSTILE)(chance) for _ in range(chance.randint(1, 5))]
            answers = await ship(running.address, batch(1, made, producer=f"p{number}"))
            lines = sum(1 if not isinstance(m, bytes) else m.count(b"\n") + 1 for m in made)
            if lines == len(made):
                assert answers[-1].acknowledged.last_seq == len(made)
        await serves_on(running)
        every_line_is_json(running)


async def test_mutated_zstd_is_rejected_or_read(tmp_path: Path) -> None:
    chance = random.Random(3)
    packed = zstandard.ZstdCompressor(level=1).compress(b'{"n":1}\n' * 20)
    async with collector(tmp_path) as running:
        for number in range(ROUNDS):
            broken = mutated(chance, packed)
            sent = batch(1, [{}] * 20, records=broken, producer=f"p{number}")
            answers = await ship(running.address, sent)
            assert answers[-1].acknowledged.last_seq == 20
        await serves_on(running)
        every_line_is_json(running)


async def test_mutated_exports_harm_nobody(tmp_path: Path) -> None:
    chance = random.Random(4)
    sound = request(log({"msg": "x", "a": 1.5}, attributes={"job_id": "7", "x": True, "y": {"z": 2}}), log())
    async with collector(tmp_path) as running, grpc.aio.insecure_channel(running.address) as channel:
        call = channel.unary_unary(EXPORT)
        codes: set[grpc.StatusCode] = set()
        for _ in range(ROUNDS):
            try:
                await call(mutated(chance, sound.SerializeToString()))
            except grpc.aio.AioRpcError as error:
                codes.add(error.code())
        assert codes <= DOCUMENTED
        assert await call(ExportLogsServiceRequest().SerializeToString()) == b""
        await serves_on(running)
        every_line_is_json(running)


async def test_many_sequences_of_one_producer_end_where_its_numbers_end(tmp_path: Path) -> None:
    """Batches in any order, again and overlapping: what is stored is 1 to n, each once."""
    chance = random.Random(5)
    async with collector(tmp_path) as running:
        expected = 1
        for _ in range(ROUNDS):
            first = max(1, expected + chance.randint(-6, 3))
            count = chance.randint(1, 8)
            answers = await ship(running.address, numbered(first, count))
            if first > expected:
                assert answers[0].refused.reason == logs_pb2.REFUSAL_REASON_OUT_OF_ORDER
            expected = max(expected, first + count) if first <= expected else expected
        assert [r["n"] for r in running.records()] == list(range(1, expected))
        assert running.service._accounting.is_balanced()
