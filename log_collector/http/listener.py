"""The port: an application behind uvicorn's protocol, on the collector's own event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import msgspec
import uvicorn
from uvicorn.server import ServerState

from log_collector.http.connection import Connection
from service_host.address import AddressError, TcpAddress
from service_host.calls.own_port import Ground

_NEVER_SECONDS = 86_400
"""For uvicorn's own wait between two requests; the connection has one for each head."""
_LOOK_SECONDS = 0.02


class ListenerLimits(msgspec.Struct, frozen=True):
    """What bounds the connections."""

    connections: int
    head_seconds: float
    head_bytes: int


class Listener:
    """Serves one application; not uvicorn's own server, which takes signals and ends the process."""

    def __init__(
        self,
        address: TcpAddress,
        make_app: Callable[[Ground], object],
        limits: Callable[[], ListenerLimits],
    ) -> None:
        """`limits` is asked for each connection: they change with the configuration."""
        self._address = address
        self._make_app = make_app
        self._limits = limits
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._dating: asyncio.Task[None] | None = None

    async def bind(self, ground: Ground) -> str:
        """Takes the address. Raises AddressError."""
        config = uvicorn.Config(
            self._make_app(ground),  # type: ignore[arg-type]  # an ASGI application
            interface="asgi3",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_NEVER_SECONDS,
            reset_contextvars=True,
        )
        config.load()

        def connect() -> Connection:
            limits = self._limits()
            config.h11_max_incomplete_event_size = limits.head_bytes
            made = Connection(config=config, server_state=self._state, app_state={})
            made.head_seconds, made.limit = limits.head_seconds, limits.connections
            return made

        where: dict[str, Any] = {"host": self._address.host, "port": self._address.port}
        handshake = self._limits().head_seconds if ground.tls is not None else None
        try:
            self._server = await asyncio.get_running_loop().create_server(
                connect, **where, ssl=ground.tls, ssl_handshake_timeout=handshake, start_serving=False
            )
        except OSError as error:
            raise AddressError(f"cannot listen on {self._address}: {error.strerror or error}") from error
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(TcpAddress(host, port))

    async def open(self) -> None:
        """Begins to answer. Raises AddressError."""
        if self._server is not None:
            self._dating = asyncio.create_task(self._date())
            try:
                await self._server.start_serving()
            except OSError as error:
                raise AddressError(f"cannot listen on {self._address}: {error.strerror or error}") from error

    async def close(self, grace_seconds: float) -> None:
        """Ends the requests under way within the time. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = time.monotonic() + grace_seconds
        while self._state.tasks and time.monotonic() < deadline:  # noqa: ASYNC110 - a deadline, not a condition
            await asyncio.sleep(_LOOK_SECONDS)
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._state.connections):
            if isinstance(connection, Connection) and not connection.transport.is_closing():
                connection.abort()
        if self._dating is not None:
            self._dating.cancel()
            await asyncio.gather(self._dating, return_exceptions=True)

    async def _date(self) -> None:
        """Keeps the header up to date that every answer has."""
        while True:
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            await asyncio.sleep(1)
