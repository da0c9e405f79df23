"""When a sink that failed is tried again: full jitter at first, then a circuit breaker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

_Positive = Annotated[float, msgspec.Meta(gt=0)]


class RetryConfig(msgspec.Struct, frozen=True):
    """How patiently a sink is tried again. It is never given up: the journal keeps its records."""

    first_seconds: _Positive = 0.2
    """The delay after the first failure is between 0 and this; it doubles with each further one."""
    most_seconds: _Positive = 10.0
    """No delay is longer while the circuit is closed."""
    failures_to_open: Annotated[int, msgspec.Meta(ge=1)] = 5
    """After so many failures in a row the circuit opens: nothing is tried for `open_seconds`."""
    open_seconds: _Positive = 15.0
    """Then one try; if it fails, the circuit stays open for as long again."""


class Breaker:
    """Counts failures and says how long to wait."""

    def __init__(self, config: RetryConfig, chance: Callable[[], float]) -> None:
        """`chance`: a number from 0 to 1."""
        self._config = config
        self._chance = chance
        self.failures = 0
        """In a row."""

    @property
    def is_open(self) -> bool:
        """Whether the sink is taken for dead, and only tried from time to time."""
        return self.failures >= self._config.failures_to_open

    def succeed(self) -> None:
        """Notes a success: the circuit closes."""
        self.failures = 0

    def fail(self) -> float:
        """Notes a failure; returns how many seconds to wait before the next try."""
        self.failures += 1
        if self.is_open:
            return self._config.open_seconds
        ceiling = self._config.first_seconds * 2.0 ** (self.failures - 1)
        return self._chance() * min(ceiling, self._config.most_seconds)
