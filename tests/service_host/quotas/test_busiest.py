"""However many tenants there are, the metrics have a bounded number of labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from service_host.quotas.busiest import BusiestCounter, BusiestMetrics


def test_the_busiest_have_labels_and_the_rest_is_other() -> None:
    now = [0.0]
    counter = BusiestCounter(2, lambda: now[0])
    for number in range(100):
        counter.add(f"t{number}")
    assert counter.counts == {"t0": 1, "t1": 1, "other": 98}
    for _ in range(50):
        counter.add("late", 10)
    now[0] = 61.0
    counter.add("late", 10)
    assert set(counter.counts) <= {"late", "t0", "t1", "other"}
    assert counter.counts["late"] == 10, "what came before stands in other, whose count never goes back"
    assert counter.counts["other"] == 598
    registry = CollectorRegistry()
    registry.register(BusiestMetrics({"telecine_x": ("What came.", counter)}))
    assert b'telecine_x_total{tenant="late"} 10.0' in generate_latest(registry)
