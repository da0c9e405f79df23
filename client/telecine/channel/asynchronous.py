"""Calls of the encoder for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Generic

import grpc
import grpc.aio

from telecine.channel.arguments import Target, channel_options, credentials
from telecine.channel.calls import (
    DOWNLOAD_PATH,
    ENCODE_PATH,
    WATCH_PATH,
    RequestT,
    ResponseT,
    Unary,
    call_metadata,
)
from telecine.channel.errors import raise_translated
from telecine.channel.proxy import proxy_note
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import UnavailableError


class AsyncStream(Generic[ResponseT]):
    """A running call: answers are iterated, requests are written."""

    def __init__(self, call: Any, request_id: str, note: str) -> None:
        self._call = call
        self._request_id = request_id
        self._note = note
        self._is_cancelled = False

    async def __aiter__(self) -> AsyncIterator[ResponseT]:
        try:
            with _translating(self._request_id, self._note):
                async for answer in self._call:
                    yield answer
        except asyncio.CancelledError:
            # gRPC raises it for a cancelled call too, although the task is to continue.
            task = asyncio.current_task()
            if not self._is_cancelled or (task is not None and task.cancelling()):
                raise
            raise UnavailableError("the call was cancelled", request_id=self._request_id) from None

    async def write(self, message: bytes) -> None:
        """Sends a serialised request; returns when there is room for the next."""
        with _translating(self._request_id, self._note):
            await self._call.write(message)

    def cancel(self) -> None:
        """Ends the call; the iterator then raises UnavailableError. Idempotent."""
        self._is_cancelled = True
        self._call.cancel()


class AsyncChannel:
    """One connection to a server, of one event loop. Not to be used after a fork."""

    def __init__(self, target: Target) -> None:
        self._note = proxy_note(target.address)
        options = channel_options(target)
        if target.tls is None:
            self._channel = grpc.aio.insecure_channel(target.address, options)
        else:
            self._channel = grpc.aio.secure_channel(target.address, credentials(target.tls), options)
        self._encode = self._channel.stream_stream(
            ENCODE_PATH, request_serializer=bytes, response_deserializer=pb.EncodeResponse.FromString
        )
        self._download = self._channel.unary_stream(
            DOWNLOAD_PATH,
            request_serializer=pb.DownloadArtifactRequest.SerializeToString,
            response_deserializer=pb.DownloadArtifactResponse.FromString,
        )
        self._watch = self._channel.unary_stream(
            WATCH_PATH,
            request_serializer=pb.WatchJobRequest.SerializeToString,
            response_deserializer=pb.WatchJobResponse.FromString,
        )

    async def call(
        self, rpc: Unary[RequestT, ResponseT], request: RequestT, timeout_seconds: float, request_id: str
    ) -> ResponseT:
        """Calls a unary rpc once."""
        method: Any = self._channel.unary_unary(
            rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=rpc.response.FromString,
        )
        with _translating(request_id, self._note):
            answer: ResponseT = await method(
                request, timeout=timeout_seconds, metadata=call_metadata(request_id)
            )
        return answer

    def encode(self, request_id: str) -> AsyncStream[pb.EncodeResponse]:
        """Opens an Encode stream; serialised requests go in with `write`."""
        with _translating(request_id, self._note):
            return AsyncStream(self._encode(metadata=call_metadata(request_id)), request_id, self._note)

    def download(
        self, request: pb.DownloadArtifactRequest, timeout_seconds: float, request_id: str
    ) -> AsyncStream[pb.DownloadArtifactResponse]:
        """Opens a DownloadArtifact stream, for at most that long."""
        metadata = call_metadata(request_id)
        with _translating(request_id, self._note):
            return AsyncStream(
                self._download(request, timeout=timeout_seconds, metadata=metadata), request_id, self._note
            )

    def watch(
        self, request: pb.WatchJobRequest, timeout_seconds: float | None, request_id: str
    ) -> AsyncStream[pb.WatchJobResponse]:
        """Opens a WatchJob stream; None: for as long as it goes on."""
        metadata = call_metadata(request_id)
        with _translating(request_id, self._note):
            return AsyncStream(
                self._watch(request, timeout=timeout_seconds, metadata=metadata), request_id, self._note
            )

    async def close(self) -> None:
        """Cancels what runs and releases the connection. Idempotent."""
        await self._channel.close()


@contextmanager
def _translating(request_id: str, note: str) -> Iterator[None]:
    # UsageError and InternalError: the call or the channel is over.
    try:
        yield
    except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError) as error:
        raise_translated(error, request_id, note)
