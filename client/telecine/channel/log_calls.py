"""Calls of the log collector that block the calling thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from telecine.channel.arguments import Target
from telecine.channel.bearer import Bearer
from telecine.channel.connections import Connection, Connections
from telecine.channel.errors import check_open, closed_error, raise_translated
from telecine.channel.outage import Outage
from telecine.channel.secure_faults import SecureFaults
from telecine.exceptions import UnavailableError
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.retry import Retry, RetryPolicy

ResponseT = TypeVar("ResponseT", bound=Message)


def _could_not_connect(error: BaseException) -> bool:
    return isinstance(error, UnavailableError) and not isinstance(error.__cause__, ValueError)


def _stub(connection: Connection[grpc.Channel]) -> Any:
    return pb_grpc.LogCollectorServiceStub(connection.channel)


class LogChannel:
    """One connection to a collector, opened at the first call. Thread-safe. Not to be used after a fork."""

    def __init__(self, target: Target) -> None:
        self._address = target.address
        self._faults = SecureFaults(target)
        self._bearer = Bearer(target.token)
        self._is_closed = False
        self.connections: Connections[grpc.Channel] = Connections(
            target, grpc.insecure_channel, grpc.secure_channel
        )

    def query(self, request: pb.QueryRequest, timeout_seconds: float, request_id: str) -> pb.QueryResponse:
        """One page of records."""
        answer: pb.QueryResponse = self._unary("Query", request, timeout_seconds, request_id)
        return answer

    def job_story(
        self, request: pb.GetJobStoryRequest, timeout_seconds: float, request_id: str
    ) -> pb.GetJobStoryResponse:
        """One page of a job's story."""
        answer: pb.GetJobStoryResponse = self._unary("GetJobStory", request, timeout_seconds, request_id)
        return answer

    def histogram(
        self, request: pb.GetHistogramRequest, timeout_seconds: float, request_id: str
    ) -> pb.GetHistogramResponse:
        """Counts of records over time."""
        answer: pb.GetHistogramResponse = self._unary("GetHistogram", request, timeout_seconds, request_id)
        return answer

    def stats(self, timeout_seconds: float, request_id: str) -> pb.GetStatsResponse:
        """The counters of the collector."""
        request = pb.GetStatsRequest()
        answer: pb.GetStatsResponse = self._unary("GetStats", request, timeout_seconds, request_id)
        return answer

    def tail(self, request: pb.TailRequest, request_id: str) -> TailCall:
        """Records as they arrive."""
        self._check()
        connection = self._connection()
        return TailCall(connection, request, request_id, self._faults, self._bearer)

    def close(self) -> None:
        """Cancels what runs and releases the connection. Idempotent."""
        self._is_closed = True
        for channel in self.connections.every():
            channel.close()

    def _connection(self) -> Connection[grpc.Channel]:
        connection = self.connections.current()
        for channel in self.connections.unused():
            channel.close()
        return connection

    def _check(self) -> None:
        check_open(is_closed=self._is_closed)

    def _unary(self, method: str, request: Message, timeout_seconds: float, request_id: str) -> Any:
        """Every call may be repeated, and one that could not connect is, within its time."""
        self._check()
        deadline = time.monotonic() + timeout_seconds
        outage = Outage(f"collector {self._address}", timeout_seconds)

        def call() -> Any:
            sent = self._bearer.metadata(request_id)
            try:
                left = max(0.0, deadline - time.monotonic())
                connection = self._connection()
                call = getattr(_stub(connection), method)
                with connection.calling():
                    return call(request, timeout=left, metadata=sent)
            except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed
                if self._is_closed:
                    raise closed_error() from error
                renewed = partial(self._bearer.renewed, sent=sent)
                raise_translated(error, request_id, explained=self._faults.explained, renewed=renewed)

        policy = RetryPolicy(give_up_after_seconds=timeout_seconds, retry_on=_could_not_connect)
        return outage.run(Retry(policy, name="log collector", level="INFO"), call)


class TailCall:
    """One call of Tail, begun at once. Read by one thread; `close` may come from any."""

    def __init__(
        self,
        connection: Connection[grpc.Channel],
        request: pb.TailRequest,
        request_id: str,
        faults: SecureFaults,
        bearer: Bearer,
    ) -> None:
        self._request_id = request_id
        self._faults = faults
        self._bearer = bearer
        self._sent = bearer.metadata(request_id)
        self._is_closed = False
        try:
            self._call: Any = _stub(connection).Tail(request, metadata=self._sent)
            connection.hold_for(self._call)
        except ValueError as error:  # the channel is closed
            raise_translated(error, request_id)

    def __iter__(self) -> Iterator[pb.TailResponse]:
        """Ends when it is closed, or with the SDK's error."""
        try:
            yield from self._call
        except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed
            if not self._is_closed:
                renewed = partial(self._bearer.renewed, sent=self._sent)
                raise_translated(error, self._request_id, explained=self._faults.explained, renewed=renewed)
        finally:
            self._call.cancel()

    def close(self) -> None:
        """Ends the call. Idempotent."""
        self._is_closed = True
        self._call.cancel()
