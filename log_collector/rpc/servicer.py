"""The rpcs of both services on the port: hands requests on; the only door to grpc here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import grpc
import grpc.aio
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp_pb
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc

from log_collector import errors
from log_collector.otlp.response import export_response
from log_collector.quotas.intake_pace import Sender
from log_collector.record import Rejection
from log_collector.rpc.doors import Doors
from log_collector.rpc.ship_responses import Write
from log_collector.rpc.ship_stream import ShipStream
from service_host.auth.scopes import Scope, requires

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[object, object]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["LogCollectorService"].full_name
OTLP_SERVICE_NAME = otlp_pb.DESCRIPTOR.services_by_name["LogsService"].full_name


class Queries(Protocol):
    """What answers from stored records. Belongs to the event loop; raises ServiceError."""

    async def query(self, request: pb.QueryRequest, tenant: str | None) -> pb.QueryResponse:
        """One page of stored records of a tenant; None: of all."""
        ...

    async def histogram(self, request: pb.GetHistogramRequest, tenant: str | None) -> pb.GetHistogramResponse:
        """Counts of stored records of a tenant over time; None: of all."""
        ...

    def tail(self, request: pb.TailRequest, tenant: str | None) -> AsyncIterator[pb.TailResponse]:
        """A tenant's records (None: all) as they arrive; ends when the caller stops asking, or DRAINING."""
        ...

    async def job_story(self, request: pb.GetJobStoryRequest, tenant: str) -> pb.GetJobStoryResponse:
        """One page of a job's story, as a tenant has it."""
        ...


_RETRY_SECONDS: Final = 1.0


class LogCollectorServicer(pb_grpc.LogCollectorServiceServicer):
    """Lives on the event loop."""

    def __init__(
        self,
        new_stream: Callable[[Write, Sender], ShipStream],
        draining: asyncio.Event,
        stats: Callable[[str | None], pb.GetStatsResponse],
        reading: Callable[[], Queries],
        doors: Doors,
    ) -> None:
        """`stats` and `reading` are asked at each call: they come into being when the service starts."""
        self._new_stream = new_stream
        self._draining = draining
        self._stats = stats
        self._reading = reading
        self._doors = doors

    @requires(Scope.LOGS_WRITE)
    async def Ship(  # type: ignore[override]  # noqa: N802 - it writes through the context
        self, request_iterator: AsyncIterator[pb.ShipRequest], context: Context
    ) -> None:
        """Ships batches of records."""
        stream = self._new_stream(context.write, self._doors.sender(context))
        try:
            await stream.run(request_iterator, self._draining)
        except MemoryError as error:
            # What was not acknowledged is sent again, to a collector that has more room by then.
            raise errors.out_of_memory(_RETRY_SECONDS) from error

    @requires(Scope.LOGS_READ)
    async def Query(self, request: pb.QueryRequest, context: Context) -> pb.QueryResponse:  # noqa: N802
        """Returns stored records that pass a filter."""
        return await self._reading().query(request, self._doors.visible(context))

    @requires(Scope.LOGS_READ)
    async def GetHistogram(  # noqa: N802
        self, request: pb.GetHistogramRequest, context: Context
    ) -> pb.GetHistogramResponse:
        """Counts stored records over time."""
        return await self._reading().histogram(request, self._doors.visible(context))

    @requires(Scope.LOGS_READ)
    async def Tail(  # noqa: N802
        self, request: pb.TailRequest, context: Context
    ) -> AsyncIterator[pb.TailResponse]:
        """Follows records that pass a filter."""
        async for response in self._reading().tail(request, self._doors.visible(context)):
            yield response

    @requires(Scope.LOGS_READ)
    async def GetJobStory(  # noqa: N802
        self, request: pb.GetJobStoryRequest, context: Context
    ) -> pb.GetJobStoryResponse:
        """Returns a job's story."""
        return await self._reading().job_story(request, self._doors.acting(context))

    @requires(Scope.LOGS_READ)
    async def GetStats(  # noqa: N802
        self, request: pb.GetStatsRequest, context: Context
    ) -> pb.GetStatsResponse:
        """Returns what became of all records."""
        return self._stats(self._doors.visible(context))


Take: TypeAlias = Callable[[bytes, str, Sender], Awaitable[tuple[Rejection, ...]]]


def otlp_handler(take: Take, doors: Doors) -> grpc.GenericRpcHandler:
    """Serves LogsService/Export on the raw bytes of a request, which are read only once, in a thread."""

    @requires(Scope.LOGS_WRITE)
    async def export(request: bytes, context: Context) -> otlp_pb.ExportLogsServiceResponse:
        return export_response(await take(request, context.peer(), doors.sender(context)))

    method: grpc.RpcMethodHandler[bytes, otlp_pb.ExportLogsServiceResponse]
    method = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=None,
        response_serializer=otlp_pb.ExportLogsServiceResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(OTLP_SERVICE_NAME, {"Export": method})
