"""Counts and times every call, for Prometheus, under the names that gRPC dashboards know."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from service_host.calls import CallRecord

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


def new_registry() -> CollectorRegistry:
    """A registry of one host, with the process's own figures in it; never the global one."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class CallMetrics:
    """A call observer; methods are known ones only, so the labels are bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["grpc_method", "grpc_type"]
        self._started = Counter("grpc_server_started", "Calls begun.", labels, registry=registry)
        self._handled = Counter(
            "grpc_server_handled", "Calls ended, by status.", [*labels, "grpc_code"], registry=registry
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time from a call's begin to its end.",
            labels,
            buckets=_BUCKETS,
            registry=registry,
        )
        self._in_flight = Gauge("grpc_server_in_flight", "Calls running now.", labels, registry=registry)
        self._reasons = Counter(
            "telecine_errors",
            "Calls that ended with a reason of telecine.errors.v1.",
            ["grpc_method", "reason"],
            registry=registry,
        )

    def call_started(self, method: str, kind: str) -> None:
        """Counts the begin."""
        self._started.labels(method, kind).inc()
        self._in_flight.labels(method, kind).inc()

    def call_ended(self, record: CallRecord) -> None:
        """Counts the end with its status, reason and duration."""
        self._in_flight.labels(record.method, record.kind).dec()
        self._handled.labels(record.method, record.kind, record.code.name).inc()
        self._seconds.labels(record.method, record.kind).observe(record.duration_seconds)
        if record.reason:
            self._reasons.labels(record.method, record.reason).inc()
