"""A sink that fails is tried again for ever, ever more seldom, and at last only from time to time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from telecine.retry import BreakerState

from log_collector.fanout.fanout import FanoutMetrics
from log_collector.sinks.retry import RetryConfig, SinkBackoff
from log_collector.sinks.sink import SinkError
from tests.eventually import eventually_async
from tests.log_collector.harness import collector, numbered, ship

CONFIG = RetryConfig(first_seconds=1, most_seconds=3, failures_to_open=4, open_seconds=9)
DOWN = SinkError("down")


def fail(backoff: SinkBackoff, now: float, chance: float, error: Exception = DOWN) -> float:
    backoff.begin(now)
    return backoff.failed(error, now, chance).delay_seconds


@given(st.floats(0, 1))
def test_delays_grow_with_full_jitter_until_the_circuit_opens(chance: float) -> None:
    backoff, now, delays = SinkBackoff(CONFIG), 0.0, []
    for _ in range(5):
        delays.append(fail(backoff, now, chance))
        now += delays[-1]
    assert delays == pytest.approx([chance, 2 * chance, 3 * chance, 9, 9])
    assert (backoff.state, backoff.failures) == (BreakerState.OPEN, 5)
    backoff.begin(now)
    assert backoff.state is BreakerState.HALF_OPEN
    backoff.succeeded(now)
    assert (backoff.state, backoff.failures) == (BreakerState.CLOSED, 0)
    assert fail(backoff, now, chance) == chance


def test_it_is_never_given_up() -> None:
    backoff = SinkBackoff(CONFIG)
    now = 0.0
    for _ in range(500):
        now += fail(backoff, now, 1.0)
    assert fail(backoff, now, 1.0) == 9


def test_a_sink_that_says_when_to_come_is_not_asked_before() -> None:
    busy = SinkError("429", retry_delay_seconds=20)
    assert fail(SinkBackoff(CONFIG), 0.0, 0.0, busy) == 20
    assert fail(SinkBackoff(CONFIG), 0.0, 1.0, busy) == 25


async def test_the_state_of_a_sinks_circuit_stands_in_the_metrics_and_each_decision_in_the_log(
    tmp_path: Path,
) -> None:
    """Nobody listens at the forward target's address, and later somebody does."""
    async with collector(tmp_path / "central") as central:
        address = central.address
    config = tmp_path / "c.json"
    retry = {"first_seconds": 0.02, "open_seconds": 0.1, "failures_to_open": 2}
    config.write_text(json.dumps({"forward": [{"name": "central", "address": address}], "retry": retry}))
    with capture_logs() as told:
        async with collector(tmp_path / "edge", config) as edge:
            await ship(edge.address, numbered(1, 5))
            runner = edge.service._fanout.runners["forward.central"]
            registry = CollectorRegistry()
            registry.register(FanoutMetrics(edge.service._fanout.runners))

            def shown(state: str) -> float | None:
                labels = {"sink": "forward.central", "state": state}
                return registry.get_sample_value("telecine_log_sink_circuit", labels)

            await eventually_async(lambda: shown("open") == 1)
            assert shown("closed") == 0
            async with collector(tmp_path / "central", host__listen=address):
                await eventually_async(lambda: runner.is_caught_up and shown("closed") == 1)
    decisions = [record for record in told if record.get("stage") == "retry:decision"]
    assert [record["attempt"] for record in decisions] == list(range(len(decisions)))
    assert {record["reason"] for record in decisions} == {"again"}
    assert [record["circuit"] for record in decisions[:2]] == ["closed", "open"]
