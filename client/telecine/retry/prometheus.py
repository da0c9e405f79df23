"""Shows every circuit breaker of the process to Prometheus; needs the package prometheus-client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telecine.retry.breaker import BreakerState
from telecine.retry.circuit import CircuitSnapshot, circuits


class CircuitMetrics(Collector):
    """`prometheus_client.REGISTRY.register(CircuitMetrics())` shows them beside your own metrics."""

    def __init__(self, found: Callable[[], Sequence[CircuitSnapshot]] = circuits) -> None:
        self._circuits = found

    def collect(self) -> Iterator[Metric]:
        """Yields the families. Of circuits with the same name only the worst state is shown."""
        state = GaugeMetricFamily(
            "telecine_circuit_state", "1 for the state that the circuit is in.", labels=["circuit", "state"]
        )
        opened = CounterMetricFamily(
            "telecine_circuit_opened", "How often the circuit opened.", labels=["circuit"]
        )
        refused = CounterMetricFamily(
            "telecine_circuit_refused", "Calls that were not let through.", labels=["circuit"]
        )
        by_name: dict[str, list[CircuitSnapshot]] = {}
        for circuit in self._circuits():
            by_name.setdefault(circuit.name, []).append(circuit)
        for name, same in by_name.items():
            worst = max((circuit.state for circuit in same), key=_SEVERITY.index)
            for kind in BreakerState:
                state.add_metric([name, kind], float(kind is worst))
            opened.add_metric([name], sum(circuit.opened for circuit in same))
            refused.add_metric([name], sum(circuit.refused for circuit in same))
        yield from (state, opened, refused)


_SEVERITY = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
