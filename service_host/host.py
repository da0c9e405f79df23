"""Hosts one service from its first port to its last byte: start, serve, drain, stop, close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum

import grpc.aio
import msgspec
import structlog
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from service_host.address import AddressError, UnixAddress, parse_address, parse_admin_address
from service_host.admin import AdminServer, admin_pages
from service_host.auth.audit import Audit, WriteAudit
from service_host.auth.doors import Doors
from service_host.auth.exposure import exposure_warnings
from service_host.calls.access_log import AccessLog, LogCall
from service_host.calls.guard import Guard
from service_host.calls.interceptors import CallInterceptor
from service_host.calls.own_port import Ground, OwnPort
from service_host.calls.registration import Registrar
from service_host.health import Health
from service_host.lifecycle import HostedService
from service_host.metrics import CallMetrics, new_registry
from service_host.server import bind, make_server
from service_host.settings.host_config import HostConfig
from service_host.tls.certificate_files import CertificateFiles
from service_host.tls.credentials import https_context
from service_host.tls.expiry import ExpiryWatch

_DRAIN_SLACK_SECONDS = 1.0

_log = structlog.get_logger("service_host")


class Listening(msgspec.Struct, frozen=True):
    """The addresses that are open, with real port numbers."""

    address: str
    """Of the gRPC port."""
    admin: str
    """Of the admin port; empty where it is off."""
    http: str = ""
    """Of the port that the service serves by itself; empty where it has none."""


class Phase(StrEnum):
    """Where a host stands."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPED = "stopped"


class Stop:
    """Asks a host to end in order; made on the event loop, requested from it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._starting: asyncio.Timeout | None = None
        self.reason = ""

    def request(self, reason: str = "requested") -> None:
        """Begins the drain, or gives up a start that is under way. Further requests change nothing."""
        if self._event.is_set():
            return
        self.reason = reason
        self._event.set()
        if self._starting is not None:
            self._starting.reschedule(asyncio.get_running_loop().time())

    @property
    def is_requested(self) -> bool:
        """Whether the host is asked to end."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Returns when the host is asked to end."""
        await self._event.wait()

    async def unless_requested(self, start: Callable[[], object]) -> bool:
        """Awaits `start()` in this task; False where a request came first and `start` was cancelled."""
        if self.is_requested:
            return False
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._starting = scope
                await start()  # type: ignore[misc]  # whatever is awaitable
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._starting = None
        return not self.is_requested


class Host:
    """One service on one server. `serve` is run once.

    `settings` returns what /config shows, already redacted. `registry` may hold the service's own metrics.
    """

    def __init__(
        self,
        service: HostedService,
        config: HostConfig,
        *,
        registry: CollectorRegistry | None = None,
        settings: Callable[[], Mapping[str, object]] = dict,
        log_call: LogCall | None = None,
        audit: WriteAudit | None = None,
    ) -> None:
        self._service = service
        self._config = config
        self.phase = Phase.STARTING
        self._health = Health(service.name, service.is_admitting)
        self._registry = registry = registry or new_registry()
        doors = Doors(config.auth) if config.auth.is_on else None
        self._guard = Guard(doors, Audit(audit))
        self._observers = (CallMetrics(registry), AccessLog(log_call))
        self._interceptor = CallInterceptor(self._observers, config.call_limits, guard=self._guard)
        self._own_port: OwnPort | None = getattr(service, "own_port", None)
        self._admin = AdminServer(
            admin_pages(
                registry,
                is_alive=lambda: self.phase is not Phase.STOPPED,
                is_ready=lambda: self._health.is_ready,
                config=settings,
                is_metrics_open=config.auth.is_metrics_open,
            ),
            self._guard,
        )

    async def serve(self, stop: Stop, on_listening: Callable[[Listening], None]) -> None:
        """Starts, calls `on_listening` once calls are answered, and returns when all is closed.

        Order: bind, admin port, `service.start`, serve; on `stop`: health NOT_SERVING, `service.drain`,
        stop the server and the service's own port with their grace, `service.close`. The service's start,
        drain and close run in this one task, so that it may hold a TaskGroup open in between. A cancelled
        `serve` leaves out drain and grace. Raises AddressError where a port cannot be had, and whatever
        `service.start` raises.
        """
        try:
            certificate = CertificateFiles(self._config.tls) if self._config.tls.is_on else None
            server = await self._bound()
            address = bind(server, self._config, certificate)
            try:
                admin = await self._open_admin(certificate)
                http = await self._bind_own_port(certificate)
                if await stop.unless_requested(self._service.start):
                    await server.start()
                    if self._own_port is not None:
                        await self._own_port.open()
                    with self._watching(certificate):
                        open_at = Listening(address, admin, http)
                        await self._until_stopped(server, stop, on_listening, open_at)
            finally:
                self.phase = Phase.STOPPED
                await self._stop_calls(server, None)
                await self._guard.close()
                _remove_socket(address)
        finally:
            try:
                await self._service.close()
            finally:
                await self._admin.close()

    async def _bound(self) -> grpc.aio.Server:
        server = make_server(self._config, [self._interceptor])
        self._service.register(Registrar(server))  # type: ignore[arg-type]  # what generated code uses of a server
        await self._health.register(server)
        if self._config.is_reflection_on:
            others = getattr(self._service, "other_service_names", ())
            names = (self._service.name, *others, "grpc.health.v1.Health", reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        return server

    async def _open_admin(self, certificate: CertificateFiles | None) -> str:
        address = parse_admin_address(self._config.admin_listen)
        if address is None:
            return ""
        context = None
        if certificate is not None and self._config.is_admin_encrypted:
            context = https_context(certificate, may_clients_be_unknown=self._config.is_health_open)
        try:
            return await self._admin.start(address.host, address.port, context)
        except OSError as error:
            raise AddressError(f"cannot listen on {address}: {error.strerror or error}") from error

    async def _bind_own_port(self, certificate: CertificateFiles | None) -> str:
        if self._own_port is None:
            return ""
        tls = None if certificate is None else https_context(certificate, may_clients_be_unknown=False)
        return await self._own_port.bind(Ground(self._observers, self._guard, tls))

    async def _stop_calls(self, server: grpc.aio.Server, grace_seconds: float | None) -> None:
        """Ends the calls on all ports; None: at once."""
        if self._own_port is None:
            await server.stop(grace_seconds)
            return
        await asyncio.gather(server.stop(grace_seconds), self._own_port.close(grace_seconds or 0.0))

    @contextmanager
    def _watching(self, certificate: CertificateFiles | None) -> Iterator[None]:
        """Watches the certificate while the body runs; None: there is none."""
        if certificate is None:
            yield
            return
        watch = ExpiryWatch(certificate, self._config.tls.expiry_warning_seconds, self._registry)
        watching = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            watching.cancel()

    async def _until_stopped(
        self,
        server: grpc.aio.Server,
        stop: Stop,
        on_listening: Callable[[Listening], None],
        open_at: Listening,
    ) -> None:
        polling = asyncio.create_task(self._health.poll(self._config.admission_poll_seconds))
        # Streams go on during the drain, and credentials go on ending.
        watching = asyncio.create_task(self._guard.watch(self._config.auth.recheck_seconds))
        try:
            self.phase = Phase.SERVING
            http = {"http": open_at.http} if open_at.http else {}
            _log.info("listening", address=open_at.address, admin=open_at.admin, **http)
            for event, what in exposure_warnings(self._config, (open_at.http,)):
                _log.warning(event, what=what)
            on_listening(open_at)
            await stop.wait()
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
        try:
            await self._drain(server, stop.reason)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _drain(self, server: grpc.aio.Server, reason: str) -> None:
        self.phase = Phase.DRAINING
        deadline_seconds = self._config.drain_seconds
        _log.info("draining", reason=reason, deadline_seconds=deadline_seconds)
        await self._health.close_admission()
        try:
            async with asyncio.timeout(deadline_seconds + _DRAIN_SLACK_SECONDS):
                await self._service.drain(deadline_seconds)
        except TimeoutError:
            _log.warning("drain_overran", deadline_seconds=deadline_seconds)
        except Exception:  # noqa: BLE001 - whatever went wrong, calls must still be ended and files closed
            _log.exception("drain_failed")
        await self._stop_calls(server, self._config.stop_grace_seconds)
        # The last word of the log; what is left is closing files, the log's own among them.
        _log.info("stopped", reason=reason)


@asynccontextmanager
async def running(host: Host) -> AsyncIterator[Listening]:
    """Serves while the body runs, for tests and embedding; leaving it drains and closes."""
    stop = Stop()
    opened: asyncio.Future[Listening] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(host.serve(stop, opened.set_result))
    serving.add_done_callback(lambda _: opened.cancel())
    try:
        await asyncio.wait([opened])
        if opened.cancelled():
            await serving
        yield opened.result()
    finally:
        stop.request("left")
        await serving


def _remove_socket(address: str) -> None:
    parsed = parse_address(address)
    if isinstance(parsed, UnixAddress):
        parsed.path.unlink(missing_ok=True)
