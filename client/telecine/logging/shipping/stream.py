"""The door to gRPC for shipping: one bidirectional Ship stream, and what the collector says on it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import google_crc32c
import grpc
import zstandard

from telecine.logging.shipping.ending import can_start_threads
from telecine.logging.shipping.messages import Acknowledged, Answer, Broken, Refused, Rejected, ShipStream
from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch
from telecine.logs.v1 import log_collector_service_pb2 as service_pb2
from telecine.logs.v1 import log_collector_service_pb2_grpc as service_grpc
from telecine.logs.v1 import logs_pb2
from telecine.settings.address import SECURE
from telecine.settings.token import Token, check_private, token_of
from telecine.tls.handshake import diagnose, may_be_tls
from telecine.tls.options import Tls
from telecine.tls.pem_files import read_pem

_CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.max_send_message_length", 16 << 20),
    # Backing off is the shipper's, with jitter; the channel's own would add to it.
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
    # A service's own shipping must not ride on a channel that is going away with it.
    ("grpc.use_local_subchannel_pool", 1),
)

_CLOSE_SECONDS = 0.25


class GrpcShipStream:
    """A `ShipStream` over gRPC."""

    def __init__(self, address: str, tls: Tls | None = None, token: Token | None = None) -> None:
        """Connects in the background: a dead collector shows as `Broken`. `tls` None: a plain connection.

        `token`: read once for each stream. None: nothing is shown.

        Raises TlsFileError for PEM files that cannot be used.
        """
        self._address, self._tls = address, tls
        self._requests: queue.SimpleQueue[service_pb2.ShipRequest | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._compressor = zstandard.ZstdCompressor(level=1)
        metadata = (("authorization", f"Bearer {token.read()}"),) if token is not None else ()
        if tls is None:
            self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        else:
            self._channel = _secure_channel(address, tls)
        stub = service_grpc.LogCollectorServiceStub(self._channel)
        if not can_start_threads():
            # Loading gRPC took its time, and the program may have ended meanwhile.
            raise RuntimeError("no thread can be started")
        self._call: Any = stub.Ship(self._requests_until_closed(), metadata=metadata)
        self._receiver = threading.Thread(target=self._receive, name="telecine-log-answers", daemon=True)
        self._receiver.start()

    def resume(self, producer: str, secret: bytes = b"") -> None:
        """See `ShipStream`."""
        resume = logs_pb2.Resume(producer=producer, secret=secret)
        self._requests.put(service_pb2.ShipRequest(resume=resume))

    def send(self, producer: str, resource: Resource, batch: SpooledBatch, secret: bytes = b"") -> None:
        """See `ShipStream`."""
        packed = self._compressor.compress(batch.lines)
        message = logs_pb2.Batch(
            producer=producer,
            first_seq=batch.first_seq,
            count=batch.count,
            resource=logs_pb2.Resource(
                service=resource.service,
                env=resource.env,
                service_version=resource.service_version,
                host=resource.host,
                pid=resource.pid,
            ),
            records=packed,
            encoding=logs_pb2.ENCODING_ZSTD,
            crc32c=google_crc32c.value(packed),
            lost_before=batch.lost_before,
            secret=secret,
        )
        self._requests.put(service_pb2.ShipRequest(batch=message))

    def answers(self, timeout_seconds: float) -> list[Answer]:
        """See `ShipStream`."""
        found: list[Answer] = []
        try:
            found.append(self._answers.get(timeout=timeout_seconds))
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            return found

    def close(self) -> None:
        """See `ShipStream`."""
        self._requests.put(None)
        if threading.current_thread() is not self._receiver:
            # A collector that answers ends the call itself, which is no cancelled one then.
            self._receiver.join(_CLOSE_SECONDS)
        self._call.cancel()
        self._channel.close()

    def _requests_until_closed(self) -> Iterator[service_pb2.ShipRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def _explained(self, details: str) -> str:
        """What stands in the way, where gRPC hides a fault of TLS."""
        found = diagnose(self._address, self._tls) if may_be_tls(details) else None
        return details if found is None or found.fault is None else f"{found.message}. {found.advice}"

    def _receive(self) -> None:
        try:
            for response in self._call:
                answer = _answer_of(response)
                if answer is not None:
                    self._answers.put(answer)
        except grpc.RpcError as error:
            code = error.code().name if isinstance(error, grpc.Call) else "UNKNOWN"
            details = (error.details() if isinstance(error, grpc.Call) else None) or str(error)
            self._answers.put(Broken(f"{code}: {self._explained(details)}"))
        except Exception as error:  # noqa: BLE001 - a closed channel raises ValueError; the shipper must hear of it
            self._answers.put(Broken(repr(error)))
        else:
            self._answers.put(Broken("the collector ended the stream"))


def open_ship_stream(address: str, tls: Tls | None = None, token: Token | None = None) -> ShipStream:
    """A stream to `host:port`, `tls://host:port` or `unix:/path`.

    `tls`: its files are read anew for each stream. None: a plain connection, or for `tls://` one that trusts
    the system's authorities. `token`: shown to the collector. None: that of TELECINE_TOKEN_FILE or
    TELECINE_TOKEN, if there is one. Raises TlsFileError for files that cannot be used, and TokenError.
    """
    is_secure = address.startswith(SECURE)
    token = token or token_of()
    if token is not None:
        is_insecure = tls is not None and tls.insecure
        has_tls = not is_insecure and (is_secure or tls is not None)
        check_private(address.removeprefix(SECURE), is_secure=has_tls, is_insecure_said=is_insecure)
    if tls is not None and tls.insecure:
        tls = None
    elif is_secure and tls is None:
        tls = Tls()
    return GrpcShipStream(address.removeprefix(SECURE), tls, token)


def _secure_channel(address: str, tls: Tls) -> grpc.Channel:
    pem = read_pem(tls)
    credentials = grpc.ssl_channel_credentials(pem.ca, pem.key, pem.certificate)
    options = list(_CHANNEL_OPTIONS)
    if tls.server_name:
        return grpc.secure_channel(
            address, credentials, options=[*options, ("grpc.ssl_target_name_override", tls.server_name)]
        )
    return grpc.secure_channel(address, credentials, options=options)


def _answer_of(response: service_pb2.ShipResponse) -> Answer | None:
    kind = response.WhichOneof("message")
    if kind == "acknowledged":
        return Acknowledged(response.acknowledged.producer, response.acknowledged.last_seq)
    if kind == "refused":
        refused = response.refused
        delay = refused.retry_delay.seconds + refused.retry_delay.nanos / 1e9
        is_out_of_order = refused.reason == logs_pb2.REFUSAL_REASON_OUT_OF_ORDER
        is_foreign = refused.reason == logs_pb2.REFUSAL_REASON_NOT_OWNER
        return Refused(refused.producer, is_out_of_order, delay, refused.expected_seq, is_foreign)
    if kind == "rejected":
        return Rejected(response.rejected.producer, response.rejected.count, response.rejected.message)
    return None
