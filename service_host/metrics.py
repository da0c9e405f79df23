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

from service_host.calls.calls import CallRecord

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

        # Looking a label up costs more than counting; methods and codes are few, so all are kept.
        self._of_method: dict[tuple[str, str], tuple[Counter, Gauge, Histogram]] = {}
        self._of_ending: dict[tuple[str, str, str], Counter] = {}

    def call_started(self, method: str, kind: str) -> None:
        """Counts the begin."""
        started, in_flight, _ = self._children(method, kind)
        started.inc()
        in_flight.inc()

    def call_ended(self, record: CallRecord) -> None:
        """Counts the end with its status, reason and duration."""
        _, in_flight, seconds = self._children(record.method, record.kind)
        in_flight.dec()
        seconds.observe(record.duration_seconds)
        ending = (record.method, record.kind, record.code.name)
        handled = self._of_ending.get(ending)
        if handled is None:
            handled = self._of_ending[ending] = self._handled.labels(*ending)
        handled.inc()
        if record.reason:
            self._reasons.labels(record.method, record.reason).inc()

    def _children(self, method: str, kind: str) -> tuple[Counter, Gauge, Histogram]:
        found = self._of_method.get((method, kind))
        if found is None:
            labels = (method, kind)
            found = (
                self._started.labels(*labels),
                self._in_flight.labels(*labels),
                self._seconds.labels(*labels),
            )
            self._of_method[labels] = found
        return found
