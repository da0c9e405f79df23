"""A small real collector for tests: a gRPC server that keeps every record it acknowledges, once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import google_crc32c
import grpc
import zstandard
from telecine.logs.v1 import log_collector_service_pb2 as service_pb2
from telecine.logs.v1 import log_collector_service_pb2_grpc as service_grpc
from telecine.logs.v1 import logs_pb2


class TinyCollector(service_grpc.LogCollectorServiceServicer):
    """Follows the contract of `Ship`; keeps everything in memory.

    `refuse_first` batches are refused, `forget_acknowledgements` stores without answering.
    """

    def __init__(self, port: int = 0) -> None:
        self._lock = threading.Lock()
        self.lines: dict[str, list[bytes]] = {}
        self.last_seq: dict[str, int] = {}
        self.services: dict[str, str] = {}
        self.lost: dict[str, int] = {}
        self.duplicates = 0
        self.refuse_first = 0
        self.forgets_acknowledgements = False
        self._server = grpc.server(ThreadPoolExecutor(8))
        service_grpc.add_LogCollectorServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Cuts all streams."""
        self._server.stop(0).wait()

    def records(self) -> list[dict[str, Any]]:
        """Every record of every producer, in the order of arrival."""
        with self._lock:
            return [json.loads(line) for lines in self.lines.values() for line in lines]

    def messages(self) -> list[str]:
        """Their messages."""
        return [record["msg"] for record in self.records()]

    def Ship(  # noqa: N802 - the contract's name
        self, request_iterator: Iterator[service_pb2.ShipRequest], context: grpc.ServicerContext
    ) -> Iterator[service_pb2.ShipResponse]:
        for request in request_iterator:
            if request.WhichOneof("message") == "resume":
                yield self._acknowledged(request.resume.producer)
                continue
            refusal = self._take(request.batch)
            if refusal is not None:
                yield service_pb2.ShipResponse(refused=refusal)
            elif not self.forgets_acknowledgements:
                yield self._acknowledged(request.batch.producer)

    def _acknowledged(self, producer: str) -> service_pb2.ShipResponse:
        answer = logs_pb2.Acknowledged(producer=producer, last_seq=self.last_seq.get(producer, 0))
        return service_pb2.ShipResponse(acknowledged=answer)

    def _take(self, batch: logs_pb2.Batch) -> logs_pb2.Refused | None:
        assert batch.crc32c == google_crc32c.value(batch.records)
        lines = zstandard.ZstdDecompressor().decompress(batch.records).splitlines(keepends=True)
        assert len(lines) == batch.count
        assert all(line.endswith(b"\n") and json.loads(line) for line in lines)
        with self._lock:
            last = self.last_seq.get(batch.producer, 0)
            if self.refuse_first:
                self.refuse_first -= 1
                return self._refusal(batch, logs_pb2.REFUSAL_REASON_JOURNAL_FULL, last)
            if batch.first_seq - batch.lost_before > last + 1:
                return self._refusal(batch, logs_pb2.REFUSAL_REASON_OUT_OF_ORDER, last)
            known = max(0, last + 1 - batch.first_seq)
            self.duplicates += min(known, batch.count)
            self.lost[batch.producer] = self.lost.get(batch.producer, 0) + batch.lost_before
            self.lines.setdefault(batch.producer, []).extend(lines[known:])
            self.last_seq[batch.producer] = max(last, batch.first_seq + batch.count - 1)
            self.services[batch.producer] = batch.resource.service
        return None

    @staticmethod
    def _refusal(batch: logs_pb2.Batch, reason: Any, last: int) -> logs_pb2.Refused:
        return logs_pb2.Refused(
            producer=batch.producer, first_seq=batch.first_seq, reason=reason, expected_seq=last + 1
        )
