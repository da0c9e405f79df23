"""How a comparison is measured: contenders take turns (A B A B), and medians are compared."""

from __future__ import annotations

import gc
import mmap
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_FREE_MEMORY_BYTES = 768 << 20

Figures = dict[str, float]
"""What one run of one contender measured, by name; seconds, bytes or counts as the name says."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of one contender."""

    runs: list[Figures] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """The median of a figure over the runs."""
        return statistics.median(run[figure] for run in self.runs)

    def spread(self, figure: str) -> float:
        """(largest - smallest) / median: how noisy the machine was."""
        values = [run[figure] for run in self.runs]
        middle = statistics.median(values)
        return (max(values) - min(values)) / middle if middle else 0.0


def interleaved(contenders: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, Measured]:
    """Runs every contender once per round, in turn; the order is reversed in every other round."""
    measured = {name: Measured() for name in contenders}
    for number in range(rounds):
        names = list(contenders) if number % 2 == 0 else list(reversed(contenders))
        for name in names:
            gc.collect()
            fault_in_free_memory()
            _say(f"  round {number + 1}/{rounds}: {name}")
            measured[name].runs.append(contenders[name]())
    _say("")
    return measured


def fault_in_free_memory() -> None:
    """Touches free memory, so that whoever is measured next finds it as a machine of its own would.

    A hypervisor that takes free memory back within seconds makes touching it again cost ten times what
    writing to it costs, by chance of what ran before.
    """
    if hasattr(mmap, "MAP_POPULATE"):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
        mmap.mmap(-1, _FREE_MEMORY_BYTES, flags=flags).close()


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"{text:<70}", end="\r", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result table."""

    row: str
    case: str
    """Which clip, format or figure of the row."""
    ours: str
    against: str
    ratio: str
    target: str
    is_reached: bool | None
    """None: shown for information; there is no target."""
    note: str = ""


def times_faster(
    row: str, case: str, ours_seconds: float, peer_seconds: float, at_least: float, *, note: str = ""
) -> Finding:
    """Compares two durations; the ratio is how many times sooner ours ends."""
    ratio = peer_seconds / ours_seconds
    return Finding(
        row,
        case,
        ours=f"{ours_seconds:.3f} s",
        against=f"{peer_seconds:.3f} s",
        ratio=f"{ratio:.2f} x",
        target=f">= {at_least:g} x",
        is_reached=ratio >= at_least,
        note=note,
    )
