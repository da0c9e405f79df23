"""Calls of the encoder that block the calling thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import grpc

from telecine.channel.arguments import Target
from telecine.channel.bearer import Bearer, Metadata
from telecine.channel.calls import (
    DOWNLOAD_PATH,
    ENCODE_PATH,
    WATCH_PATH,
    RequestT,
    ResponseT,
    Unary,
)
from telecine.channel.connections import Connection, Connections
from telecine.channel.errors import check_open, closed_error, raise_translated
from telecine.channel.proxy import proxy_note
from telecine.channel.secure_faults import SecureFaults
from telecine.encoder.v1 import encoder_pb2 as pb


class Stream(Iterator[ResponseT]):
    """The answers of a running call. Iterated by one thread; `cancel` may come from any."""

    def __init__(self, call: Any, translating: Callable[[], AbstractContextManager[None]]) -> None:
        self._call = call
        self._translating = translating

    def __next__(self) -> ResponseT:
        with self._translating():
            answer: ResponseT = next(self._call)
        return answer

    def cancel(self) -> None:
        """Ends the call; the iterator then raises UnavailableError. Idempotent."""
        self._call.cancel()


class BlockingChannel:
    """One connection to a server, opened at the first call. Thread-safe. Not to be used after a fork."""

    def __init__(self, target: Target) -> None:
        self._note = proxy_note(target.address)
        self._faults = SecureFaults(target)
        self._bearer = Bearer(target.token)
        self._is_closed = False
        self.connections: Connections[grpc.Channel] = Connections(
            target, grpc.insecure_channel, grpc.secure_channel
        )

    def call(
        self, rpc: Unary[RequestT, ResponseT], request: RequestT, timeout_seconds: float, request_id: str
    ) -> ResponseT:
        """Calls a unary rpc once."""
        connection = self._connection()
        method: Any = connection.channel.unary_unary(
            rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=rpc.response.FromString,
        )
        sent = self._bearer.metadata(request_id)
        with connection.calling(), self._translating(request_id, sent):
            answer: ResponseT = method(request, timeout=timeout_seconds, metadata=sent)
        return answer

    def encode(self, messages: Iterator[bytes], request_id: str) -> Stream[pb.EncodeResponse]:
        """Opens an Encode stream; `messages` are serialised requests, iterated by a thread of gRPC."""
        connection = self._connection()
        method = connection.channel.stream_stream(
            ENCODE_PATH, request_serializer=bytes, response_deserializer=pb.EncodeResponse.FromString
        )
        return self._stream(connection, request_id, lambda metadata: method(messages, metadata=metadata))

    def download(
        self, request: pb.DownloadArtifactRequest, timeout_seconds: float, request_id: str
    ) -> Stream[pb.DownloadArtifactResponse]:
        """Opens a DownloadArtifact stream, for at most that long."""
        connection = self._connection()
        method = connection.channel.unary_stream(
            DOWNLOAD_PATH,
            request_serializer=pb.DownloadArtifactRequest.SerializeToString,
            response_deserializer=pb.DownloadArtifactResponse.FromString,
        )
        return self._stream(
            connection,
            request_id,
            lambda metadata: method(request, timeout=timeout_seconds, metadata=metadata),
        )

    def watch(
        self, request: pb.WatchJobRequest, timeout_seconds: float | None, request_id: str
    ) -> Stream[pb.WatchJobResponse]:
        """Opens a WatchJob stream; None: for as long as it goes on."""
        connection = self._connection()
        method = connection.channel.unary_stream(
            WATCH_PATH,
            request_serializer=pb.WatchJobRequest.SerializeToString,
            response_deserializer=pb.WatchJobResponse.FromString,
        )
        return self._stream(
            connection,
            request_id,
            lambda metadata: method(request, timeout=timeout_seconds, metadata=metadata),
        )

    def check(self) -> None:
        """Raises OutOfOrderError once it is closed."""
        check_open(is_closed=self._is_closed)

    def close(self) -> None:
        """Cancels what runs and releases the connection. Idempotent."""
        self._is_closed = True
        for channel in self.connections.every():
            channel.close()

    def _connection(self) -> Connection[grpc.Channel]:
        if self._is_closed:
            raise closed_error()
        connection = self.connections.current()
        for channel in self.connections.unused():
            channel.close()
        return connection

    def _stream(
        self,
        connection: Connection[grpc.Channel],
        request_id: str,
        begin: Callable[[Metadata], Any],
    ) -> Stream[ResponseT]:
        sent = self._bearer.metadata(request_id)
        with self._translating(request_id, sent):
            call = begin(sent)
            connection.hold_for(call)
            return Stream(call, lambda: self._translating(request_id, sent))

    @contextmanager
    def _translating(self, request_id: str, sent: Metadata) -> Iterator[None]:
        try:
            yield
        except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed
            if self._is_closed:  # what was under way ends too; the server is not to blame
                raise closed_error() from error
            renewed = partial(self._bearer.renewed, sent=sent)
            raise_translated(error, request_id, self._note, self._faults.explained, renewed)
