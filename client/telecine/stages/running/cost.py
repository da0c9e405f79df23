"""Adds up what a stage cost: what the caller bought, and the computing at its rates."""

from __future__ import annotations

from collections.abc import Iterable

from telecine.stages.manifest import Cost, CostItem, StageResources
from telecine.stages.settings import Rates

_SECONDS_PER_HOUR = 3600.0
_DIGITS = 9
"""Sums of small amounts are rounded here, so that they read as they were given."""


def cost_of(items: Iterable[CostItem]) -> Cost:
    """The items with their sum in each currency."""
    items = tuple(items)
    totals: dict[str, float] = {}
    for item in items:
        totals[item.currency] = round(totals.get(item.currency, 0.0) + item.amount, _DIGITS)
    return Cost(items=items, totals=totals)


def computing_items(
    rates: Rates | None, resources: StageResources, duration_seconds: float
) -> list[CostItem]:
    """What the time, the cores and the GPUs cost; nothing where no rate is set."""
    if rates is None:
        return []
    gpu_seconds = sum(gpu.occupied_seconds for gpu in resources.gpus)
    rows = (
        ("compute: time", rates.wall_hour, duration_seconds),
        ("compute: cpu", rates.cpu_hour, resources.cpu_seconds),
        ("compute: gpu", rates.gpu_hour, gpu_seconds),
    )
    return [
        CostItem(
            name=name,
            amount=round(rate * seconds / _SECONDS_PER_HOUR, _DIGITS),
            currency=rates.currency,
            quantity=round(seconds / _SECONDS_PER_HOUR, _DIGITS),
            unit="h",
        )
        for name, rate, seconds in rows
        if rate
    ]
