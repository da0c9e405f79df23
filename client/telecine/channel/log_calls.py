"""Calls of the log collector that block the calling thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message

from telecine.channel.arguments import Target, channel_options, credentials
from telecine.channel.calls import call_metadata
from telecine.channel.errors import raise_translated
from telecine.exceptions import UnavailableError
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc

ResponseT = TypeVar("ResponseT", bound=Message)

_RETRY_SECONDS: Final = 0.1


class LogChannel:
    """One connection to a collector, opened at the first call. Thread-safe. Not to be used after a fork."""

    def __init__(self, target: Target) -> None:
        options = channel_options(target)
        if target.tls is None:
            self._channel = grpc.insecure_channel(target.address, options)
        else:
            self._channel = grpc.secure_channel(target.address, credentials(target.tls), options)
        self._stub = pb_grpc.LogCollectorServiceStub(self._channel)

    def query(self, request: pb.QueryRequest, timeout_seconds: float, request_id: str) -> pb.QueryResponse:
        """One page of records."""
        answer: pb.QueryResponse = self._unary(self._stub.Query, request, timeout_seconds, request_id)
        return answer

    def job_story(
        self, request: pb.GetJobStoryRequest, timeout_seconds: float, request_id: str
    ) -> pb.GetJobStoryResponse:
        """One page of a job's story."""
        answer: pb.GetJobStoryResponse = self._unary(
            self._stub.GetJobStory, request, timeout_seconds, request_id
        )
        return answer

    def stats(self, timeout_seconds: float, request_id: str) -> pb.GetStatsResponse:
        """The collector's counters."""
        request = pb.GetStatsRequest()
        answer: pb.GetStatsResponse = self._unary(self._stub.GetStats, request, timeout_seconds, request_id)
        return answer

    def tail(self, request: pb.TailRequest, request_id: str) -> Iterator[pb.TailResponse]:
        """Records as they arrive; closing the iterator ends the call."""
        call: Any = self._stub.Tail(request, metadata=call_metadata(request_id))
        try:
            yield from call
        except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed
            raise_translated(error, request_id)
        finally:
            call.cancel()

    def close(self) -> None:
        """Cancels what runs and releases the connection. Idempotent."""
        self._channel.close()

    @staticmethod
    def _unary(method: Any, request: Message, timeout_seconds: float, request_id: str) -> Any:
        """Every call may be repeated: one that found nobody there is, within its time."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                left = max(0.0, deadline - time.monotonic())
                return method(request, timeout=left, metadata=call_metadata(request_id))
            except (grpc.RpcError, ValueError) as error:
                try:
                    raise_translated(error, request_id)
                except UnavailableError as unavailable:
                    delay = max(_RETRY_SECONDS, unavailable.retry_delay_seconds or 0.0)
                    if isinstance(error, ValueError) or time.monotonic() + delay >= deadline:
                        raise
                    time.sleep(delay)
