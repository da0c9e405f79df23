"""Whether two samples of durations come from the same distribution, as far as a watcher could tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """How often a value of `one` lies above one of `other`, as the distance from half of the pairs.

    0: they overlap wholly; 0.5: not at all. A slow machine moves both alike where they were taken in turns.
    """
    values = np.concatenate([one, other])
    ranks = values.argsort(kind="stable").argsort(kind="stable") + 1.0
    above = ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2
    return abs(float(above) / (len(one) * len(other)) - 0.5)


def assert_alike(one: Sequence[float], other: Sequence[float], most: float = 0.1) -> None:
    """Both in turns, so that nothing but what is measured tells them apart."""
    found = difference(one, other)
    assert found < most, f"{found:.2f} of the pairs are out of order"
