"""The port: the application behind uvicorn, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from telecine.console.server.app import Console

_CONNECTIONS: Final = 512
_HEAD_BYTES: Final = 16 << 10
_KEEP_ALIVE_SECONDS: Final = 15
_GRACE_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class Port:
    """Where it listens."""

    host: str
    port: int
    cert_file: Path | None = None
    key_file: Path | None = None

    def bind(self) -> socket.socket:
        """Takes the address. Raises OSError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.host, self.port))
        except OSError:
            listening.close()
            raise
        return listening


class _Server(uvicorn.Server):
    """Ends live pages before it waits for requests to end: they would go on for ever."""

    def __init__(self, config: uvicorn.Config, console: Console) -> None:
        super().__init__(config)
        self._console = console

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._console.sessions.end_all()
        await super().shutdown(sockets)


def server_of(console: Console, port: Port) -> uvicorn.Server:
    """A server of the console."""
    config = uvicorn.Config(
        console.asgi(),
        interface="asgi3",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ssl_certfile=port.cert_file,
        ssl_keyfile=port.key_file,
    )
    return _Server(config, console)


async def serve(
    console: Console, port: Port, listening: socket.socket, stopped: Callable[[], bool] | None = None
) -> None:
    """Serves until a signal. `stopped`: asked now and then whether to end; None: only signals end it."""
    server = server_of(console, port)
    console.open()

    async def watch() -> None:
        while stopped is not None and not stopped():  # noqa: ASYNC110 - a file descriptor of another thread
            await asyncio.sleep(0.2)
        server.should_exit = stopped is not None

    watching = asyncio.create_task(watch())
    try:
        await server.serve(sockets=[listening])
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await console.close()
