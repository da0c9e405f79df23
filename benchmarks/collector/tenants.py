"""What one tenant's acknowledgements feel of another that ships at ten times its quota."""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import zstandard
from telecine.clients.embedded import EmbeddedServer
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.logs.v1 import logs_pb2

from benchmarks.context import Context
from benchmarks.measure import Figures, Finding, interleaved

_QUOTA_RECORDS_PER_SECOND = 5_000
_FLOODS = 4
_RECORDS = 250
_BATCHES = 200
_PAUSE_SECONDS = 0.01
_AT_MOST = 1.25
_LINE = (
    b'{"timestamp":"2026-11-21T03:51:14.000001Z","level":"INFO","service":"worker","msg":"step done",'
    b'"job_id":"job-7","stage":"encode:output","attempt":0,"duration_ms":12.5}\n'
)


def measure(context: Context) -> list[Finding]:
    """Acknowledgement p99 of a tenant that ships 25,000 records/s: alone, and while another floods."""
    quotas = json.dumps({"flood": {"records_per_second": _QUOTA_RECORDS_PER_SECOND}})
    with EmbeddedServer(service="collector", settings={"quotas.tenants": quotas}) as server:
        measured = interleaved(
            {
                "alone": lambda: _acknowledgements(server.address),
                "beside a flood": lambda: _beside_flood(server.address),
            },
            context.rounds,
        )
    alone, beside = measured["alone"].median("p99"), measured["beside a flood"].median("p99")
    return [
        Finding(
            "acknowledgement beside a flood",
            f"batches of {_RECORDS} records, {_FLOODS} streams of another tenant at 10 x its quota",
            ours=f"{beside * 1000:.1f} ms",
            against=f"{alone * 1000:.1f} ms",
            ratio=f"{beside / alone:.2f} x",
            target=f"<= {_AT_MOST:g} x",
            is_reached=beside / alone <= _AT_MOST,
            note="p99, against the same tenant alone, paired rounds",
        )
    ]


def _beside_flood(address: str) -> Figures:
    with _flooding(address):
        return _acknowledgements(address)


def _acknowledgements(address: str) -> Figures:
    """Seconds from a batch to its acknowledgement."""
    sent: queue.SimpleQueue[pb.ShipRequest | None] = queue.SimpleQueue()
    latencies = []
    with grpc.insecure_channel(address) as channel:
        stub = pb_grpc.LogCollectorServiceStub(channel)
        answers = stub.Ship(iter(sent.get, None), metadata=(("telecine-tenant", "acme"),), timeout=120)
        producer = f"p-{uuid.uuid4().hex}"
        for number in range(_BATCHES):
            begin = time.perf_counter()
            sent.put(_batch(producer, number))
            next(answers)
            latencies.append(time.perf_counter() - begin)
            time.sleep(_PAUSE_SECONDS)
        sent.put(None)
    latencies.sort()
    return {"p99": latencies[int(len(latencies) * 0.99) - 1]}


@contextmanager
def _flooding(address: str) -> Iterator[None]:
    """Streams of a tenant that send ten times its quota together, until the block is left."""
    channels = [grpc.insecure_channel(address) for _ in range(_FLOODS)]
    metadata = (("telecine-tenant", "flood"),)
    calls = [
        pb_grpc.LogCollectorServiceStub(channel).Ship(_endless(), metadata=metadata) for channel in channels
    ]
    threads = [threading.Thread(target=_drain, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    time.sleep(1.5)  # the burst that the quota lets through at once is over
    try:
        yield
    finally:
        for call in calls:
            call.cancel()
        for thread in threads:
            thread.join()
        for channel in channels:
            channel.close()


def _drain(call: Iterator[pb.ShipResponse]) -> None:
    try:
        for _ in call:
            pass
    except grpc.RpcError:
        return


def _endless() -> Iterator[pb.ShipRequest]:
    producer, number = f"f-{uuid.uuid4().hex}", 0
    while True:
        yield _batch(producer, number)
        number += 1
        time.sleep(_FLOODS * _RECORDS / (10 * _QUOTA_RECORDS_PER_SECOND))


def _batch(producer: str, number: int) -> pb.ShipRequest:
    return pb.ShipRequest(
        batch=logs_pb2.Batch(
            producer=producer,
            first_seq=number * _RECORDS + 1,
            count=_RECORDS,
            resource=logs_pb2.Resource(service="worker"),
            records=_PACKED,
            secret=b"benchmark-secret",
            encoding=logs_pb2.ENCODING_ZSTD,
        )
    )


_PACKED = zstandard.ZstdCompressor(level=1).compress(_LINE * _RECORDS)
