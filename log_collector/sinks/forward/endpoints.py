"""The door to gRPC for forwarding: a Telecine collector by Ship, or any OTLP endpoint by Export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import google_crc32c
import grpc
import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.logs.v1 import logs_pb2
from telecine.settings.address import SECURE
from telecine.tls.pem_files import PemFiles

from log_collector.journal.entry import pack
from log_collector.sinks.forward.config import ForwardConfig, ForwardProtocol
from log_collector.sinks.forward.otlp import request_of
from log_collector.sinks.forward.sink import Endpoint, ForwardSink, Parcel
from log_collector.sinks.sink import SinkError
from log_collector.sinks.table import Place

_OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
)
_PERMANENT: Final = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED})


def open_endpoint(config: ForwardConfig) -> Endpoint:
    """Connects at the first record. Raises TlsFileError where the certificates cannot be used."""
    kind = ShipEndpoint if config.protocol is ForwardProtocol.SHIP else OtlpEndpoint
    return kind(Line(config), config.timeout_seconds)


class Line:
    """The channel to one place, made anew when its certificate files have changed. For one thread."""

    def __init__(self, config: ForwardConfig) -> None:
        """Raises TlsFileError where the certificates cannot be used."""
        self._address = config.address.removeprefix(SECURE)
        self._options: list[tuple[str, int | str]] = [*_OPTIONS]
        if config.server_name:
            self._options.append(("grpc.ssl_target_name_override", config.server_name))
        tls = config.tls()
        self._files = None if tls is None else PemFiles(tls)
        self._channel = self._made()

    def channel(self) -> grpc.Channel:
        """The channel for the next call; no other call runs meanwhile."""
        if self._files is not None and self._files.has_changed():
            self._channel.close()
            self._channel = self._made()
        return self._channel

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _made(self) -> grpc.Channel:
        if self._files is None:
            return grpc.insecure_channel(self._address, self._options)
        pem = self._files.pem
        credentials = grpc.ssl_channel_credentials(pem.ca, pem.key, pem.certificate)
        return grpc.secure_channel(self._address, credentials, self._options)


def open_forward(config: ForwardConfig, place: Place) -> ForwardSink:
    """Opens the sink that a configuration asks for. Raises TlsFileError for certificates that do not fit."""
    return ForwardSink(config.name, open_endpoint(config))


class ShipEndpoint:
    """Another Telecine collector. Each call is a stream of its own, so nothing hangs on after a failure."""

    def __init__(self, line: Line, timeout_seconds: float) -> None:
        self._line = line
        self._timeout_seconds = timeout_seconds

    def send(self, parcels: Sequence[Parcel]) -> int:
        """See `Endpoint`."""
        goal = parcels[-1].first_seq + parcels[-1].count - 1
        rejected = 0
        is_done = False
        try:
            stub = pb_grpc.LogCollectorServiceStub(self._line.channel())
            for answer in stub.Ship(_requests(parcels), timeout=self._timeout_seconds):
                if answer.HasField("rejected"):
                    rejected += answer.rejected.count
                elif answer.HasField("refused"):
                    reason = logs_pb2.RefusalReason.Name(answer.refused.reason)
                    raise SinkError(f"refused: {reason.removeprefix('REFUSAL_REASON_').lower()}")
                elif answer.HasField("acknowledged") and answer.acknowledged.last_seq >= goal:
                    # The other side ends the call now, in good order.
                    is_done = True
        except grpc.RpcError as error:
            if not is_done:
                raise _sink_error(error) from error
        if is_done:
            return rejected
        raise SinkError("the other side ended the stream before it had acknowledged all")

    def close(self) -> None:
        """See `Endpoint`."""
        self._line.close()


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

    def __init__(self, line: Line, timeout_seconds: float) -> None:
        self._line = line
        self._timeout_seconds = timeout_seconds
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def send(self, parcels: Sequence[Parcel]) -> int:
        """See `Endpoint`."""
        rejected = 0
        stub = LogsServiceStub(self._line.channel())  # type: ignore[no-untyped-call]  # generated without types
        for parcel in parcels:
            try:
                answer = stub.Export(
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
        self._line.close()

    def _request(self, parcel: Parcel) -> ExportLogsServiceRequest:
        lines = parcel.lines[:-1].split(b"\n")
        return request_of(
            parcel.service,
            (
                (self._decode(line), f"{parcel.producer}:{parcel.first_seq + offset}")
                for offset, line in enumerate(lines)
            ),
        )


def _sink_error(error: grpc.RpcError) -> SinkError:
    return SinkError(error.code().name if isinstance(error, grpc.Call) else "the call failed")
