"""The records that are measured with: 12 fields, about 330 bytes, as workers of a video team write them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

BATCH_RECORDS = 1_500
"""What the SDK sends at once when it has much to send: 512 KiB of lines."""
_JOBS_AT_ONCE = 4
"""Of one producer, mixed within a batch."""
_BATCHES_PER_JOB = 4
_ERRORS_IN_100 = 1
_MESSAGES = (
    ("denoising step finished", "provider:status", "wan.pipeline.sampler"),
    ("chunk of frames persisted", "encode:frames", "clips.upload.session"),
    ("output is being encoded", "encode:progress", "clips.outputs.video"),
    ("status polled from provider", "provider:status", "providers.client"),
)
_ERROR = ',"error_type":"TimeoutError","error":"no answer in 30 s"'
_BEGIN_UNIX_NANO = 1_795_262_400_000_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """One record, before it is written in one form or another."""

    unix_nano: int
    is_error: bool
    service: str
    message: str
    stage: str
    logger: str
    job_id: str
    request_id: str
    step: int
    duration_ms: float

    def line(self) -> bytes:
        """As the SDK writes it: one JSON object of 12 fields, with a line feed."""
        stamp = Timestamp()
        stamp.FromNanoseconds(self.unix_nano)
        return (
            f'{{"timestamp":"{stamp.ToDatetime().isoformat(timespec="microseconds")}Z",'
            f'"level":"{"ERROR" if self.is_error else "INFO"}","service":"{self.service}",'
            f'"msg":"{self.message}","env":"production","logger":"{self.logger}",'
            f'"job_id":"{self.job_id}","request_id":"{self.request_id}","stage":"{self.stage}",'
            f'"attempt":1,"step":{self.step},"duration_ms":{self.duration_ms}{_ERROR * self.is_error}}}\n'
        ).encode()

    def otlp(self) -> LogRecord:
        """As an OpenTelemetry client sends it; service and environment stand in its resource."""
        record = LogRecord(
            time_unix_nano=self.unix_nano,
            observed_time_unix_nano=self.unix_nano,
            severity_number=17 if self.is_error else 9,  # type: ignore[arg-type]
            severity_text="ERROR" if self.is_error else "INFO",
        )
        record.body.string_value = self.message
        for key in ("job_id", "request_id", "stage"):
            record.attributes.append(_text(key, getattr(self, key)))
        for key, number in (("attempt", 1), ("step", self.step)):
            record.attributes.append(KeyValue(key=key))
            record.attributes[-1].value.int_value = number
        record.attributes.append(KeyValue(key="duration_ms"))
        record.attributes[-1].value.double_value = self.duration_ms
        if self.is_error:
            record.attributes.append(_text("exception.type", "TimeoutError"))
            record.attributes.append(_text("exception.message", "no answer in 30 s"))
        return record


@dataclass(frozen=True, slots=True)
class Packed:
    """Records ready to be sent."""

    service: str
    count: int
    data: bytes


def records(service: str, count: int, seed: int = 0) -> Iterator[Record]:
    """`count` records of one service; the same for the same arguments."""
    chance = random.Random(f"{service}/{seed}")
    jobs: list[str] = []
    for number in range(count):
        if number % (BATCH_RECORDS * _BATCHES_PER_JOB) == 0:
            jobs = [f"{chance.getrandbits(128):032x}" for _ in range(_JOBS_AT_ONCE)]
        message, stage, logger = _MESSAGES[number % len(_MESSAGES)]
        yield Record(
            _BEGIN_UNIX_NANO + number * 1_000_000 + chance.randrange(1_000_000),
            chance.randrange(100) < _ERRORS_IN_100,
            service,
            message,
            stage,
            logger,
            jobs[chance.randrange(_JOBS_AT_ONCE)],
            f"{chance.getrandbits(128):032x}",
            number % 50,
            round(chance.uniform(0.05, 900.0), 3),
        )


def ship_batches(service: str, count: int, size: int = BATCH_RECORDS, seed: int = 0) -> list[Packed]:
    """`count` batches for Ship, compressed as the SDK does."""
    lines = [record.line() for record in records(service, count * size, seed)]
    pack = zstandard.ZstdCompressor(level=1).compress
    return [
        Packed(service, size, pack(b"".join(lines[first : first + size])))
        for first in range(0, len(lines), size)
    ]


def otlp_requests(service: str, count: int, size: int, seed: int = 0) -> list[Packed]:
    """`count` requests for Export."""
    packed = []
    made = list(records(service, count * size, seed))
    for first in range(0, len(made), size):
        request = ExportLogsServiceRequest()
        logs = request.resource_logs.add()
        logs.resource.attributes.append(_text("service.name", service))
        logs.resource.attributes.append(_text("deployment.environment.name", "production"))
        by_logger: dict[str, list[LogRecord]] = {}
        for record in made[first : first + size]:
            by_logger.setdefault(record.logger, []).append(record.otlp())
        for logger, found in by_logger.items():
            scope = logs.scope_logs.add()
            scope.scope.name = logger
            scope.log_records.extend(found)
        packed.append(Packed(service, size, request.SerializeToString()))
    return packed


def _text(key: str, value: str) -> KeyValue:
    pair = KeyValue(key=key)
    pair.value.string_value = value
    return pair
