"""The door to HTTP for sinks: one POST at a time, within its time, with a bounded answer."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec
from telecine.tls.fresh_context import FreshContext
from telecine.tls.pem_files import TlsFileError

from log_collector.sinks.http.config import HttpConfig
from log_collector.sinks.sink import SinkError

AGENT: Final = "telecine-log-collector"
_GZIP_LEVEL: Final = 4
_LOOKS: Final = 5
"""One to read that the connection has ended, one to report it, the others to spare, as for TLS."""


class Request(msgspec.Struct, frozen=True):
    """What is to be posted."""

    url: str
    body: bytes
    headers: dict[str, str]


class HttpResponse(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    body: bytes = b""


class Door(Protocol):
    """Posts requests. Used by one thread; `close` is idempotent."""

    def post(self, request: Request) -> HttpResponse:
        """Returns the whole answer, whatever its status. Raises SinkError where none came."""
        ...

    def close(self) -> None:
        """Releases the connection."""
        ...


class HttpDoor:
    """A `Door` with one connection that is kept, on an event loop of its own: a time limit then holds for the
    whole of a request, however slowly its pieces come. Connects at the first request."""

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self._runner: asyncio.Runner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tls: FreshContext | None = None

    def post(self, request: Request) -> HttpResponse:
        """See `Door`. Redirects are not followed: records go where the configuration says."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        where = urlsplit(request.url).netloc.rpartition("@")[2]
        try:
            return self._runner.run(self._post(request))
        except TimeoutError as error:
            seconds = self._config.timeout_seconds
            raise SinkError(f"{where}: no whole answer within {seconds:g} s") from error
        except TlsFileError as error:
            raise SinkError(f"http.{error.field}: {error.expected}") from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise SinkError(f"{where}: {_reason(error)}") from error

    def close(self) -> None:
        """See `Door`."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        session, self._session = self._session, None
        if session is not None:
            runner.run(session.close())
        runner.close()

    async def _post(self, request: Request) -> HttpResponse:
        if self._session is not None and self._tls is not None and self._tls.has_changed():
            await self._session.close()
            self._session = None
        if self._session is None:
            self._session = self._new_session()
        for _ in range(_LOOKS):
            # The loop stood still since the last request; now it hears that a connection was ended.
            await asyncio.sleep(0)
        headers, body = dict(request.headers), request.body
        if self._config.is_compressed:
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        async with self._session.post(
            request.url,
            data=body,
            headers=headers,
            proxy=self._config.proxy or None,
            allow_redirects=False,
            server_hostname=self._config.server_name or None,
        ) as response:
            answer = await self._read(response)
            return HttpResponse(response.status, {k.lower(): v for k, v in response.headers.items()}, answer)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._config.answer_bytes
        pieces: list[bytes] = []
        async for piece in response.content.iter_any():
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise aiohttp.ClientPayloadError("the answer is longer than answer_bytes")
        return b"".join(pieces)

    def _new_session(self) -> aiohttp.ClientSession:
        config = self._config
        if self._tls is None:
            self._tls = FreshContext(config.tls(), is_checked=config.is_certificate_checked)
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", **config.headers}
        if config.token:
            headers["Authorization"] = f"Bearer {config.token}"
        elif config.username:
            pair = f"{config.username}:{config.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, ssl=self._tls.context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=config.timeout_seconds, connect=config.connect_seconds),
            auto_decompress=False,
        )


def _reason(error: Exception) -> str:
    """Says what happened; an address may hold secrets, and is left out."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted; http.ca_file names whom to trust"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return "the proxy cannot be reached"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "its answer was cut off or is longer than answer_bytes"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return type(error).__name__
