"""The door to gRPC for forwarding: a Telecine collector by Ship, or any OTLP endpoint by Export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import google_crc32c
import grpc
import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from telecine.logging.catalogue import Level
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.logs.v1 import logs_pb2

from log_collector.journal.entry import pack
from log_collector.sinks.forward.config import ForwardConfig, ForwardProtocol
from log_collector.sinks.forward.sink import Endpoint, ForwardSink, Parcel
from log_collector.sinks.sink import SinkError
from log_collector.sinks.table import Place

_OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
)
_SEVERITIES: Final = {Level.TRACE: 1, Level.DEBUG: 5, Level.INFO: 9, Level.WARNING: 13, Level.ERROR: 17}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FATAL: Final = 21
_PERMANENT: Final = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED})


def open_endpoint(config: ForwardConfig) -> Endpoint:
    """Connects at the first record. Raises OSError where the certificates cannot be read."""
    if config.root_certificates is None:
        channel = grpc.insecure_channel(config.address, _OPTIONS)
    else:
        credentials = grpc.ssl_channel_credentials(config.root_certificates.read_bytes())
        channel = grpc.secure_channel(config.address, credentials, _OPTIONS)
    kind = ShipEndpoint if config.protocol is ForwardProtocol.SHIP else OtlpEndpoint
    return kind(channel, config.timeout_seconds)


def open_forward(config: ForwardConfig, place: Place) -> ForwardSink:
    """Opens the sink that a configuration asks for. Raises OSError where the certificates cannot be read."""
    return ForwardSink(config.name, open_endpoint(config))


class ShipEndpoint:
    """Another Telecine collector. Each call is a stream of its own, so nothing hangs on after a failure."""

    def __init__(self, channel: grpc.Channel, timeout_seconds: float) -> None:
        self._channel = channel
        self._stub = pb_grpc.LogCollectorServiceStub(channel)
        self._timeout_seconds = timeout_seconds

    def send(self, parcels: Sequence[Parcel]) -> int:
        """See `Endpoint`."""
        goal = parcels[-1].first_seq + parcels[-1].count - 1
        rejected = 0
        try:
            for answer in self._stub.Ship(_requests(parcels), timeout=self._timeout_seconds):
                if answer.HasField("rejected"):
                    rejected += answer.rejected.count
                elif answer.HasField("refused"):
                    reason = logs_pb2.RefusalReason.Name(answer.refused.reason)
                    raise SinkError(f"refused: {reason.removeprefix('REFUSAL_REASON_').lower()}")
                elif answer.HasField("acknowledged") and answer.acknowledged.last_seq >= goal:
                    return rejected
        except grpc.RpcError as error:
            raise _sink_error(error) from error
        raise SinkError("the other side ended the stream before it had acknowledged all")

    def close(self) -> None:
        """See `Endpoint`."""
        self._channel.close()


def _requests(parcels: Sequence[Parcel]) -> Iterator[pb.ShipRequest]:
    for parcel in parcels:
        packed = pack(parcel.lines)
        yield pb.ShipRequest(
            batch=logs_pb2.Batch(
                producer=parcel.producer,
                first_seq=parcel.first_seq,
                count=parcel.count,
                resource=logs_pb2.Resource(service=parcel.service),
                records=packed,
                encoding=logs_pb2.ENCODING_ZSTD,
                crc32c=google_crc32c.value(packed),
                secret=parcel.secret,
            )
        )


class OtlpEndpoint:
    """An OTLP/gRPC logs endpoint."""

    def __init__(self, channel: grpc.Channel, timeout_seconds: float) -> None:
        self._channel = channel
        self._stub = LogsServiceStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        self._timeout_seconds = timeout_seconds
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def send(self, parcels: Sequence[Parcel]) -> int:
        """See `Endpoint`."""
        rejected = 0
        for parcel in parcels:
            try:
                answer = self._stub.Export(
                    self._request(parcel), timeout=self._timeout_seconds, compression=grpc.Compression.Gzip
                )
            except grpc.RpcError as error:
                if error.code() not in _PERMANENT:
                    raise _sink_error(error) from error
                rejected += parcel.count
            else:
                rejected += answer.partial_success.rejected_log_records
        return rejected

    def close(self) -> None:
        """See `Endpoint`."""
        self._channel.close()

    def _request(self, parcel: Parcel) -> ExportLogsServiceRequest:
        request = ExportLogsServiceRequest()
        scopes: dict[str, Any] = {}
        for offset, line in enumerate(parcel.lines[:-1].split(b"\n")):
            fields = self._decode(line)
            service = str(fields.pop("service", parcel.service))
            if service not in scopes:
                resource = request.resource_logs.add()
                resource.resource.attributes.append(_pair("service.name", service))
                scopes[service] = resource.scope_logs.add()
            uid = f"{parcel.producer}:{parcel.first_seq + offset}"
            scopes[service].log_records.append(_log_record(fields, uid))
        return request


def _log_record(fields: dict[str, Any], uid: str) -> LogRecord:
    level = Level.__members__.get(str(fields.pop("level", "INFO")), Level.INFO)
    record = LogRecord(
        time_unix_nano=_unix_nano(str(fields.pop("timestamp", ""))),
        severity_number=_SEVERITIES.get(level, _FATAL),  # type: ignore[arg-type]  # the enum is an int
        severity_text=level.name,
        body=AnyValue(string_value=str(fields.pop("msg", ""))),
    )
    fields.setdefault("log.record.uid", fields.pop("uid", uid))
    record.attributes.extend(_pair(name, value) for name, value in fields.items())
    return record


def _unix_nano(timestamp: str) -> int:
    try:
        passed = datetime.fromisoformat(timestamp) - _EPOCH
    except (ValueError, TypeError):
        return 0
    return passed // timedelta(microseconds=1) * 1000


def _pair(name: str, value: object) -> KeyValue:
    return KeyValue(key=name, value=_any(value))


def _any(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=[_pair(str(k), v) for k, v in value.items()]))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue() if value is None else AnyValue(string_value=str(value))


def _sink_error(error: grpc.RpcError) -> SinkError:
    return SinkError(error.code().name if isinstance(error, grpc.Call) else "the call failed")
