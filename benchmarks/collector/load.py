"""`python -m benchmarks.collector.load`: sends prepared records, and says what it saw."""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import grpc
import zstandard
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from benchmarks.collector.records import Packed, otlp_requests, ship_batches

SHIP = "/telecine.logs.v1.LogCollectorService/Ship"
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_PREPARED = {"ship": 32, "otlp": 24}
"""Batches of each producer that are made before the clock starts; they are sent again and again."""
_JOB_ID = re.compile(rb'(?<="job_id":")[0-9a-f]+')
_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1))


@dataclass(slots=True)
class Report:
    """What the sender saw."""

    records: int = 0
    seconds: float = 0.0
    """From the first send to the last acknowledgement."""
    cpu_seconds: float = 0.0
    """Of this process, while it sent."""
    latencies: list[float] = field(default_factory=list)
    """Of each batch: from when it was due to its acknowledgement, in seconds."""
    refusals: int = 0


class Sender(threading.Thread):
    """One producer on a connection of its own; keeps `window` batches under way."""

    def __init__(
        self, address: str, packed: Sequence[Packed], batches: int, rate: float, window: int
    ) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.packed = packed
        self.batches = batches
        self.interval = packed[0].count / rate if rate else 0.0
        self.report = Report()
        self.name = f"bench-{packed[0].service}-{time.time_ns()}"
        self._room = threading.Semaphore(window)
        self._due: deque[float] = deque()
        self.has_fresh_jobs = False
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            with grpc.insecure_channel(self.address, _OPTIONS) as channel:
                grpc.channel_ready_future(channel).result(20)
                self.begun = time.perf_counter()
                self.send(channel)
        except BaseException as error:  # noqa: BLE001 - the main thread tells it
            self.fault = error

    def send(self, channel: grpc.Channel) -> None:
        raise NotImplementedError

    def _numbers(self) -> Iterator[int]:
        """The numbers of the batches, each when it is due and there is room."""
        for number in range(self.batches):
            due = self.begun + number * self.interval
            if self.interval and (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            self._room.acquire()
            self._due.append(due if self.interval else time.perf_counter())
            yield number

    def _acknowledged(self, since: float, count: int) -> None:
        self.report.latencies.append(time.perf_counter() - since)
        self.report.records += count
        self._room.release()


def _with_fresh_jobs(packed: Packed, turn: int) -> Packed:
    """The same records of other jobs."""
    lines = zstandard.ZstdDecompressor().decompress(packed.data)
    for job_id in set(_JOB_ID.findall(lines)):
        lines = lines.replace(job_id, b"%08x" % turn + job_id[8:])
    return Packed(packed.service, packed.count, zstandard.ZstdCompressor(level=1).compress(lines))


class ShipSender(Sender):
    """By the native stream."""

    def send(self, channel: grpc.Channel) -> None:
        size = self.packed[0].count
        call = channel.stream_stream(
            SHIP, request_serializer=None, response_deserializer=pb.ShipResponse.FromString
        )
        done = 0
        for answer in call(self._requests()):
            if answer.WhichOneof("message") != "acknowledged":
                raise RuntimeError(f"the collector answered {answer}")
            acknowledged = answer.acknowledged.last_seq // size
            while done < acknowledged:
                self._acknowledged(self._due.popleft(), size)
                done += 1

    def _requests(self) -> Iterator[bytes]:
        for number in self._numbers():
            packed = self.packed[number % len(self.packed)]
            if self.has_fresh_jobs:
                packed = _with_fresh_jobs(packed, number // len(self.packed))
            yield pb.ShipRequest(
                batch=logs_pb2.Batch(
                    producer=self.name,
                    first_seq=1 + number * packed.count,
                    count=packed.count,
                    resource=logs_pb2.Resource(service=packed.service, env="production"),
                    encoding=logs_pb2.ENCODING_ZSTD,
                    records=packed.data,
                )
            ).SerializeToString()


class OtlpSender(Sender):
    """By OTLP: unary calls beside one another."""

    def send(self, channel: grpc.Channel) -> None:
        export = channel.unary_unary(EXPORT, request_serializer=None, response_deserializer=None)
        waiting: list[grpc.Future] = []
        for number in self._numbers():
            packed = self.packed[number % len(self.packed)]
            future = export.future(packed.data)
            due, count = self._due.popleft(), packed.count
            future.add_done_callback(lambda done, due=due, count=count: self._finished(done, due, count))
            waiting = [call for call in waiting if not call.done()] + [future]
        for call in waiting:
            call.result()

    def _finished(self, call: grpc.Future, due: float, count: int) -> None:
        if call.code() is grpc.StatusCode.OK:
            self._acknowledged(due, count)
        else:
            self.fault = RuntimeError(f"{call.code()}: {call.details()}")
            self._room.release()


def run(arguments: argparse.Namespace) -> Report:
    """Sends, and returns what all senders saw together."""
    prepared = _PREPARED[arguments.way]
    make = ship_batches if arguments.way == "ship" else otlp_requests
    kind = ShipSender if arguments.way == "ship" else OtlpSender
    services = arguments.services.split(",")
    batches = max(1, arguments.records // arguments.size // len(services))
    senders = [
        kind(
            arguments.address,
            make(service, min(prepared, batches), arguments.size, arguments.seed),
            batches,
            arguments.rate / len(services),
            arguments.window,
        )
        for service in services
    ]
    for sender in senders:
        sender.has_fresh_jobs = arguments.fresh_jobs
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, begin = time.process_time(), time.perf_counter()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
        if sender.fault is not None:
            raise sender.fault
    whole = Report(seconds=time.perf_counter() - begin, cpu_seconds=time.process_time() - cpu)
    for sender in senders:
        whole.records += sender.report.records
        whole.latencies += sender.report.latencies
    return whole


def main() -> None:
    """Prints "ready" when all is prepared, sends when it is told to, and prints the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--way", choices=["ship", "otlp"], default="ship")
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--size", type=int, required=True, help="records in one batch or request")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="records a second; 0: as fast as they are taken"
    )
    parser.add_argument("--services", default="worker,encoder", help="one producer for each")
    parser.add_argument("--fresh-jobs", action="store_true", help="no job comes twice")
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    print(json.dumps(asdict(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
