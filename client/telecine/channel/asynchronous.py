"""Calls of the encoder for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Generic

import grpc
import grpc.aio

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
from telecine.channel.errors import closed_error, raise_translated
from telecine.channel.proxy import proxy_note
from telecine.channel.secure_faults import SecureFaults
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import UnavailableError


class AsyncStream(Generic[ResponseT]):
    """A running call: answers are iterated, requests are written."""

    def __init__(
        self,
        call: Any,
        request_id: str,
        translating: Callable[[], AbstractContextManager[None]],
        faults: SecureFaults,
    ) -> None:
        self._call = call
        self._request_id = request_id
        self._translating = translating
        self._faults = faults
        self._is_cancelled = False

    async def __aiter__(self) -> AsyncIterator[ResponseT]:
        try:
            with self._translating():
                async for answer in self._call:
                    yield answer
        except asyncio.CancelledError:
            # gRPC raises it for a cancelled call too, although the task is to continue.
            task = asyncio.current_task()
            if not self._is_cancelled or (task is not None and task.cancelling()):
                raise
            raise UnavailableError("the call was cancelled", request_id=self._request_id) from None
        except UnavailableError as error:
            raise await asyncio.to_thread(self._faults.explained, error) from error.__cause__

    async def write(self, message: bytes) -> None:
        """Sends a serialised request; returns when there is room for the next."""
        with self._translating():
            await self._call.write(message)

    def cancel(self) -> None:
        """Ends the call; the iterator then raises UnavailableError. Idempotent."""
        self._is_cancelled = True
        self._call.cancel()


class AsyncChannel:
    """One connection to a server, of one event loop. Not to be used after a fork."""

    def __init__(self, target: Target) -> None:
        self._note = proxy_note(target.address)
        self._faults = SecureFaults(target)
        self._bearer = Bearer(target.token)
        self._is_closed = False
        self.connections: Connections[grpc.aio.Channel] = Connections(
            target, grpc.aio.insecure_channel, grpc.aio.secure_channel
        )
        self._closing: set[asyncio.Task[None]] = set()

    async def call(
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
        try:
            with connection.calling(), self._translating(request_id, sent):
                answer: ResponseT = await method(request, timeout=timeout_seconds, metadata=sent)
        except UnavailableError as error:
            raise await asyncio.to_thread(self._faults.explained, error) from error.__cause__
        return answer

    def encode(self, request_id: str) -> AsyncStream[pb.EncodeResponse]:
        """Opens an Encode stream; serialised requests go in with `write`."""
        connection = self._connection()
        method: Any = connection.channel.stream_stream(
            ENCODE_PATH, request_serializer=bytes, response_deserializer=pb.EncodeResponse.FromString
        )
        return self._stream(connection, request_id, lambda metadata: method(metadata=metadata))

    def download(
        self, request: pb.DownloadArtifactRequest, timeout_seconds: float, request_id: str
    ) -> AsyncStream[pb.DownloadArtifactResponse]:
        """Opens a DownloadArtifact stream, for at most that long."""
        connection = self._connection()
        method: Any = connection.channel.unary_stream(
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
    ) -> AsyncStream[pb.WatchJobResponse]:
        """Opens a WatchJob stream; None: for as long as it goes on."""
        connection = self._connection()
        method: Any = connection.channel.unary_stream(
            WATCH_PATH,
            request_serializer=pb.WatchJobRequest.SerializeToString,
            response_deserializer=pb.WatchJobResponse.FromString,
        )
        return self._stream(
            connection,
            request_id,
            lambda metadata: method(request, timeout=timeout_seconds, metadata=metadata),
        )

    async def close(self) -> None:
        """Cancels what runs and releases the connection. Idempotent."""
        self._is_closed = True
        for channel in self.connections.every():
            await channel.close()
        await asyncio.gather(*self._closing)

    def _connection(self) -> Connection[grpc.aio.Channel]:
        if self._is_closed:
            raise closed_error()
        connection = self.connections.current()
        for channel in self.connections.unused():
            closing = asyncio.ensure_future(channel.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        return connection

    def _stream(
        self,
        connection: Connection[grpc.aio.Channel],
        request_id: str,
        begin: Callable[[Metadata], Any],
    ) -> AsyncStream[ResponseT]:
        sent = self._bearer.metadata(request_id)
        with self._translating(request_id, sent):
            call = begin(sent)
            connection.hold_for(call)
        return AsyncStream(call, request_id, lambda: self._translating(request_id, sent), self._faults)

    @contextmanager
    def _translating(self, request_id: str, sent: Metadata) -> Iterator[None]:
        # UsageError and InternalError: the call or the channel is over.
        try:
            yield
        except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError) as error:
            if self._is_closed:  # what was under way ends too; the server is not to blame
                raise closed_error() from error
            renewed = partial(self._bearer.renewed, sent=sent)
            raise_translated(error, request_id, self._note, renewed=renewed)
