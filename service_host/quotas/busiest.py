"""Counts by tenant under a bounded number of labels: the busiest have their own, the rest is `other`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

OTHER: Final = "other"
_RANK_SECONDS: Final = 60.0
_KNOWN: Final = 10_000


class BusiestCounter:
    """Belongs to one thread; `counts` may be read by any.

    What is counted stands under the label that its tenant had then, so no label's count ever goes back: one
    whose tenant is overtaken ends, and goes on in `other`.
    """

    def __init__(self, most: int = 20, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`most`: labels besides `other`."""
        self._most = most
        self._monotonic = monotonic
        self._ranked_at = monotonic()
        self._activity: Counter[str] = Counter()
        self._labelled: set[str] = set()
        self.counts: Counter[str] = Counter()
        """By label."""

    def add(self, tenant: str, amount: int = 1) -> None:
        """Counts for a tenant."""
        if tenant in self._activity or len(self._activity) < _KNOWN:
            self._activity[tenant] += amount
        if self._monotonic() - self._ranked_at >= _RANK_SECONDS:
            self._rank()
        if tenant not in self._labelled and len(self._labelled) < self._most and tenant in self._activity:
            self._labelled.add(tenant)
        self.counts[tenant if tenant in self._labelled else OTHER] += amount

    def _rank(self) -> None:
        """Who was busiest lately keeps or gets a label."""
        self._ranked_at = self._monotonic()
        self._labelled = {tenant for tenant, _ in self._activity.most_common(self._most)}
        for label in set(self.counts) - self._labelled - {OTHER}:
            del self.counts[label]
        self._activity = Counter({tenant: half for tenant, n in self._activity.items() if (half := n // 2)})


class BusiestMetrics(Collector):
    """Shows such counters to Prometheus, each with the label `tenant`."""

    def __init__(self, counters: Mapping[str, tuple[str, BusiestCounter]]) -> None:
        """`counters`: name to what it means and the counter."""
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Yields the families."""
        for name, (meaning, counter) in self._counters.items():
            family = CounterMetricFamily(name, meaning, labels=["tenant"])
            for label, count in list(counter.counts.items()):
                family.add_metric([label], count)
            yield family
