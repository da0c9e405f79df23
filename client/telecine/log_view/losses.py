"""What a collector left out and why, from its counters, as one short list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


def losses_of(stats: Mapping[str, Any]) -> dict[str, int]:
    """Counts by reason, none of them zero; `stats` as `LogClient.stats` gives them."""
    ingest = stats.get("ingest", {})
    found: Counter[str] = Counter()
    for reason, count in ingest.get("dropped", {}).items():
        found[reason] += int(count)
    for fate in ("rejected", "refused"):
        found[fate] += int(ingest.get(fate, 0))
    for sink in stats.get("sinks", ()):
        for reason, count in sink.get("dropped", {}).items():
            found[f"{sink.get('name', 'sink')}: {reason}"] += int(count)
    found["lost by producers"] += sum(int(producer.get("lost", 0)) for producer in stats.get("producers", ()))
    return {reason: count for reason, count in found.items() if count}
