"""A small HTTP port for operators: metrics, health and the configuration in force."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence

import grpc
import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from service_host.auth.admission import Shown
from service_host.auth.audit import Caller
from service_host.auth.scopes import Scope
from service_host.calls.guard import Access, Guard
from service_host.status.status import ServiceError

_READ_SECONDS = 5.0
_MAX_HEAD_BYTES = 8192
_MAX_CONNECTIONS = 32

_HEALTH = frozenset({"/healthz", "/readyz"})
"""What callers get who show no certificate, where that may be."""
_CHALLENGE = 'WWW-Authenticate: Bearer realm="telecine"\r\n'

_PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Unavailable",
}


class Answer(msgspec.Struct, frozen=True):
    """What one page says."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


class Page(msgspec.Struct, frozen=True):
    """What stands at one path, and who may see it."""

    answer: Callable[[], Answer]
    access: Access = Access(is_open=True)


def admin_pages(
    registry: CollectorRegistry,
    *,
    is_alive: Callable[[], bool],
    is_ready: Callable[[], bool],
    config: Callable[[], Mapping[str, object]],
    is_metrics_open: bool = False,
) -> dict[str, Page]:
    """/metrics, /healthz (alive), /readyz (welcomes new work) and /config (redacted already).

    `is_metrics_open`: whether /metrics is for everybody; else the scope `metrics` is needed, and for /config
    `admin`, where the service asks who calls.
    """

    def health(is_well: Callable[[], bool]) -> Page:
        return Page(lambda: Answer(b"ok\n") if is_well() else Answer(b"not serving\n", status=503))

    def settings() -> Answer:
        return Answer(msgspec.json.format(msgspec.json.encode(config())) + b"\n", "application/json")

    metrics = Access(is_open=True) if is_metrics_open else Access(scopes=frozenset({Scope.METRICS}))
    return {
        "/metrics": Page(lambda: Answer(generate_latest(registry), CONTENT_TYPE_LATEST), metrics),
        "/healthz": health(is_alive),
        "/readyz": health(is_ready),
        "/config": Page(settings, Access(scopes=frozenset({Scope.ADMIN}))),
    }


class AdminServer:
    """Serves pages by GET and HEAD, one request per connection. Owns its port and its connections."""

    def __init__(self, pages: Mapping[str, Page], guard: Guard) -> None:
        self._pages = pages
        self._guard = guard
        self._connections: dict[asyncio.StreamWriter, None] = {}
        """The oldest first."""
        self._server: asyncio.Server | None = None
        self._must_callers_prove = False

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> str:
        """Opens the port (0: any) and returns "host:port". `tls`: None: plain HTTP. Raises OSError.

        Where the context asks for certificates but takes callers without one, these see the health alone.
        """
        self._must_callers_prove = tls is not None and tls.verify_mode is not ssl.CERT_NONE
        patience = _READ_SECONDS if tls is not None else None
        self._server = await asyncio.start_server(
            self._serve, host, port, limit=_MAX_HEAD_BYTES, ssl=tls, ssl_handshake_timeout=patience
        )
        name, number = self._server.sockets[0].getsockname()[:2]
        return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"

    async def close(self) -> None:
        """Closes the port and every connection. Idempotent."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.close()
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _MAX_CONNECTIONS:
            # The longest silent connection goes: silence must not keep others out.
            oldest = next(iter(self._connections))
            del self._connections[oldest]
            oldest.transport.abort()
        self._connections[writer] = None
        try:
            async with asyncio.timeout(_READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_encoded(*await self._answer(head, writer)))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a caller that does not speak HTTP, or not in time, gets no answer
        finally:
            self._connections.pop(writer, None)
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> tuple[Answer, bool]:
        line, *fields = head.split(b"\r\n")
        try:
            verb, target, _ = line.decode("ascii").split(" ")
        except ValueError:
            return Answer(b"expected an HTTP request\n", status=400), False
        if verb not in {"GET", "HEAD"}:
            return Answer(b"only GET is served here\n", status=405), False
        path = target.partition("?")[0]
        certificate = _certificate_of(writer)
        if self._must_callers_prove and not certificate and path not in _HEALTH:
            return Answer(
                b"show a certificate of the authority in host.tls.client_ca_file\n", status=403
            ), False
        page = self._pages.get(path)
        if page is None:
            known = "\n".join(self._pages)
            return Answer(f"known here:\n{known}\n".encode(), status=404), verb == "HEAD"
        try:
            shown = Shown(_authorization(fields), certificate)
            await self._guard.check(Caller(path, _peer_of(writer)), page.access, shown)
        except ServiceError as error:
            status = _STATUSES.get(error.code, 503)
            return Answer(f"{error.message}\n".encode(), status=status), verb == "HEAD"
        return page.answer(), verb == "HEAD"


_STATUSES = {grpc.StatusCode.UNAUTHENTICATED: 401, grpc.StatusCode.PERMISSION_DENIED: 403}


def _peer_of(writer: asyncio.StreamWriter) -> str:
    return ":".join(str(part) for part in writer.get_extra_info("peername", ("",))[:2])


def _certificate_of(writer: asyncio.StreamWriter) -> bytes:
    """The client's certificate, which TLS has checked; empty: none."""
    connection: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    certificate = connection.getpeercert(binary_form=True) if connection is not None else None
    return ssl.DER_cert_to_PEM_cert(certificate).encode() if certificate else b""


def _authorization(fields: Sequence[bytes]) -> tuple[bytes, ...]:
    pairs = (field.partition(b":") for field in fields)
    return tuple(value.strip() for name, _, value in pairs if name.strip().lower() == b"authorization")


def _encoded(answer: Answer, is_head: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        f"{_CHALLENGE if answer.status == 401 else ''}"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else answer.body)
