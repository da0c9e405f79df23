"""A producer as the contract asks for one: sends until all is acknowledged, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.logs.v1 import logs_pb2

from tests.log_collector.harness import acting_for, batch, numbered, record

_WINDOW = 8


class Producer(threading.Thread):
    """Ships records 1 to `total`, in batches of `size`, reconnecting until every one is acknowledged."""

    def __init__(
        self, address: str, name: str, total: int, size: int = 50, jobs: int = 0, tenant: str = ""
    ) -> None:
        """`tenant`: whom it ships for, as an administrator may; empty: for itself.

        `jobs`: give the records this many job ids in turn, and every tenth the level ERROR; 0: neither."""
        super().__init__(name=name, daemon=True)
        self._address = address
        self._total = total
        self._size = size
        self._jobs = jobs
        self._metadata = acting_for(tenant)
        self.acknowledged = 0
        self.refusals = 0
        self.reconnects = 0
        self.is_stopped = False
        self._pause = threading.Event()
        self.fault: BaseException | None = None

    def run(self) -> None:
        while self.acknowledged < self._total and not self.is_stopped:
            try:
                with grpc.insecure_channel(self._address, self._options()) as channel:
                    self._ship(pb_grpc.LogCollectorServiceStub(channel))
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    self.fault = error
                    return
                self.reconnects += 1
                self._pause.wait(0.02)

    @staticmethod
    def _options() -> list[tuple[str, int]]:
        return [
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.use_local_subchannel_pool", 1),
        ]

    def _ship(self, stub: pb_grpc.LogCollectorServiceStub) -> None:
        window = _Window(self._resume(stub))
        call = stub.Ship(self._requests(window), metadata=self._metadata)
        try:
            for answer in call:
                self._heed(answer, window)
                if self.acknowledged >= self._total:
                    return
        finally:
            window.close()
            call.cancel()

    def _resume(self, stub: pb_grpc.LogCollectorServiceStub) -> int:
        asked = pb.ShipRequest(resume=logs_pb2.Resume(producer=self.name))
        known = next(
            iter(stub.Ship(iter([asked]), timeout=10, metadata=self._metadata))
        ).acknowledged.last_seq
        # What was acknowledged once is never taken back.
        assert known >= self.acknowledged, f"{self.name}: {known} after {self.acknowledged}"
        self.acknowledged = known
        return known

    def _heed(self, answer: pb.ShipResponse, window: _Window) -> None:
        match answer.WhichOneof("message"):
            case "acknowledged":
                self.acknowledged = max(self.acknowledged, answer.acknowledged.last_seq)
                window.acknowledge(answer.acknowledged.last_seq)
            case "refused":
                self.refusals += 1
                self._pause.wait(answer.refused.retry_delay.ToMilliseconds() / 1000)
                window.rewind(answer.refused.expected_seq)

    def _requests(self, window: _Window) -> Iterator[pb.ShipRequest]:
        while (first := window.next_seq(self._size, self._total)) is not None:
            count = min(self._size, self._total - first + 1)
            if self._jobs:
                yield batch(first, [self._record(first + i) for i in range(count)], producer=self.name)
            else:
                yield numbered(first, count, producer=self.name)

    def _record(self, seq: int) -> dict[str, object]:
        level = "ERROR" if seq % 10 == 0 else "INFO"
        return record(seq, job_id=f"job-{seq % self._jobs}", producer=self.name, level=level)


class _Window:
    """How far the sender may run ahead of the acknowledgements."""

    def __init__(self, acknowledged: int) -> None:
        self._condition = threading.Condition()
        self._acknowledged = acknowledged
        self._sent = acknowledged
        self._is_closed = False

    def next_seq(self, size: int, total: int) -> int | None:
        with self._condition:
            self._condition.wait_for(
                lambda: (
                    self._is_closed
                    or (self._sent < total and self._sent - self._acknowledged < _WINDOW * size)
                )
            )
            if self._is_closed:
                return None
            first = self._sent + 1
            self._sent = min(total, self._sent + size)
            return first

    def acknowledge(self, seq: int) -> None:
        with self._condition:
            self._acknowledged = max(self._acknowledged, seq)
            self._condition.notify_all()

    def rewind(self, seq: int) -> None:
        with self._condition:
            self._sent = min(self._sent, seq - 1)
            self._condition.notify_all()

    def close(self) -> None:
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
