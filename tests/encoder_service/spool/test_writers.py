"""Writes of frames are done by turns between tenants, and each tenant's in their order."""

from __future__ import annotations

import threading

import pytest

from encoder_service.spool.writers import SpoolWriters


def test_a_flood_of_writes_delays_another_tenant_by_one() -> None:
    writers, gate, order = SpoolWriters(1), threading.Event(), list[str]()
    first = writers.of("flood").submit(gate.wait, 30)
    flood = [writers.of("flood").submit(order.append, f"f{n}") for n in range(50)]
    ours = [writers.of("acme").submit(order.append, f"a{n}") for n in range(2)]
    cancelled = writers.of("acme").submit(order.append, "never")
    assert cancelled.cancel()
    gate.set()
    for each in (first, *flood, *ours):
        each.result(30)
    assert order[:4] == ["f0", "a0", "f1", "a1"]
    assert order[4:] == [f"f{n}" for n in range(2, 50)]
    with pytest.raises(ZeroDivisionError):
        writers.of("acme").submit(lambda: 1 // 0).result(30)
    writers.shutdown()
