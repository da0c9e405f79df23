"""Calls of the encoder that block the calling thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

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


class Stream(Iterator[ResponseT]):
    """The answers of a running call. Iterated by one thread; `cancel` may come from any."""

    def __init__(self, call: Any, request_id: str, note: str) -> None:
        self._call = call
        self._request_id = request_id
        self._note = note

    def __next__(self) -> ResponseT:
        with _translating(self._request_id, self._note):
            answer: ResponseT = next(self._call)
        return answer

    def cancel(self) -> None:
        """Ends the call; the iterator then raises UnavailableError. Idempotent."""
        self._call.cancel()


class BlockingChannel:
    """One connection to a server, opened at the first call. Thread-safe. Not to be used after a fork."""

    def __init__(self, target: Target) -> None:
        self._note = proxy_note(target.address)
        options = channel_options(target)
        if target.tls is None:
            self._channel = grpc.insecure_channel(target.address, options)
        else:
            self._channel = grpc.secure_channel(target.address, credentials(target.tls), options)
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

    def call(
        self, rpc: Unary[RequestT, ResponseT], request: RequestT, timeout_seconds: float, request_id: str
    ) -> ResponseT:
        """Calls a unary rpc once."""
        method: Any = self._channel.unary_unary(
            rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=rpc.response.FromString,
        )
        with _translating(request_id, self._note):
            answer: ResponseT = method(request, timeout=timeout_seconds, metadata=call_metadata(request_id))
        return answer

    def encode(self, messages: Iterator[bytes], request_id: str) -> Stream[pb.EncodeResponse]:
        """Opens an Encode stream; `messages` are serialised requests, iterated by a thread of gRPC."""
        with _translating(request_id, self._note):
            return Stream(self._encode(messages, metadata=call_metadata(request_id)), request_id, self._note)

    def download(
        self, request: pb.DownloadArtifactRequest, timeout_seconds: float, request_id: str
    ) -> Stream[pb.DownloadArtifactResponse]:
        """Opens a DownloadArtifact stream, for at most that long."""
        metadata = call_metadata(request_id)
        with _translating(request_id, self._note):
            return Stream(
                self._download(request, timeout=timeout_seconds, metadata=metadata), request_id, self._note
            )

    def watch(
        self, request: pb.WatchJobRequest, timeout_seconds: float | None, request_id: str
    ) -> Stream[pb.WatchJobResponse]:
        """Opens a WatchJob stream; None: for as long as it goes on."""
        metadata = call_metadata(request_id)
        with _translating(request_id, self._note):
            return Stream(
                self._watch(request, timeout=timeout_seconds, metadata=metadata), request_id, self._note
            )

    def close(self) -> None:
        """Cancels what runs and releases the connection. Idempotent."""
        self._channel.close()


@contextmanager
def _translating(request_id: str, note: str) -> Iterator[None]:
    try:
        yield
    except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed
        raise_translated(error, request_id, note)
