"""Reports health under two names: "" for liveness, the service's name for whether new work is welcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

LIVENESS = ""


class _Servicer(health.aio.HealthServicer):  # type: ignore[misc] # it comes without types
    """As grpcio-health-checking has it, with an answer to the rpc that it declares and does not implement."""

    async def List(self, _request: object, context: Any) -> None:  # noqa: N802 - the rpc's name
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask Check or Watch for one service")


class Health:
    """The health of one server. Admission begins as NOT_SERVING and is polled once it is opened."""

    def __init__(self, service_name: str, is_admitting: Callable[[], bool]) -> None:
        self._service_name = service_name
        self._is_admitting = is_admitting
        self._is_open = False
        self._is_ready = False
        self._servicer = _Servicer()

    @property
    def is_ready(self) -> bool:
        """What the admission name says now."""
        return self._is_ready

    async def register(self, server: grpc.aio.Server) -> None:
        """Adds the servicer; liveness is SERVING from the first call that is answered."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        await self._servicer.set(LIVENESS, _SERVING)
        await self._servicer.set(self._service_name, _NOT_SERVING)

    async def poll(self, interval_seconds: float) -> None:
        """Asks the service again and again; ends only by cancellation."""
        self._is_open = True
        while True:
            await self._tell(self._ask())
            await asyncio.sleep(interval_seconds)

    async def close_admission(self) -> None:
        """Says NOT_SERVING for good; liveness stays, for a draining process is alive."""
        self._is_open = False
        await self._tell(False)

    def _ask(self) -> bool:
        try:
            return self._is_open and self._is_admitting()
        except Exception:  # noqa: BLE001 - a failing probe sends work elsewhere; it must not end us
            structlog.get_logger("service_host.health").exception("admission_unknown")
            return False

    async def _tell(self, is_ready: bool) -> None:
        if is_ready is not self._is_ready:
            self._is_ready = is_ready
            await self._servicer.set(self._service_name, _SERVING if is_ready else _NOT_SERVING)
