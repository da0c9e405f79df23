"""Puts the HTTP port together; imported only where one is asked for, because its libraries are an extra."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from log_collector.config import CollectorConfig
from log_collector.http.app import HttpApp, Parts
from log_collector.http.body import Bodies, BodyLimits
from log_collector.http.calls import Calls
from log_collector.http.listener import Listener, ListenerLimits
from log_collector.http.otlp import Export, OtlpRoute
from log_collector.http.records import RecordTaker
from log_collector.processors.lanes import Lanes
from service_host.address import parse_admin_address
from service_host.calls.own_port import Ground, OwnPort


class Intake(msgspec.Struct, frozen=True):
    """What the collector hands to the port."""

    config: Callable[[], CollectorConfig]
    """As it is in force."""
    lanes: Lanes
    export: Export
    records: Callable[[], RecordTaker]
    """Asked at each request: it comes into being when the service starts."""


def open_port(intake: Intake) -> OwnPort:
    """The port of `http_listen`; bound later."""
    address = parse_admin_address(intake.config().http_listen)
    if address is None:
        raise ValueError("http_listen is empty")

    def limits() -> ListenerLimits:
        http = intake.config().http
        return ListenerLimits(http.connections, http.head_seconds, http.head_bytes)

    return Listener(address, lambda ground: _app(intake, ground), limits)


def _app(intake: Intake, ground: Ground) -> object:
    def origins() -> frozenset[str]:
        return frozenset(intake.config().http.origins)

    parts = Parts(
        calls=Calls(ground, lambda: intake.config().intake.retry_seconds),
        bodies=Bodies(intake.lanes, lambda: body_limits(intake.config())),
        otlp=OtlpRoute(intake.export),
        records=intake.records,
        origins=origins,
        records_per_second=lambda: intake.config().http.records_per_second,
        head_bytes=lambda: intake.config().http.head_bytes,
    )
    return HttpApp(parts).asgi()


def body_limits(config: CollectorConfig) -> BodyLimits:
    """The limits of bodies: those of gRPC."""
    intake = config.intake
    return BodyLimits(
        sent_bytes=config.host.max_message_bytes,
        unpacked_bytes=intake.unpacked_bytes,
        unpacked_ratio=intake.unpacked_ratio,
        read_seconds=config.http.body_seconds,
        retry_seconds=intake.retry_seconds,
        held_bytes=intake.under_way_bytes,
    )
