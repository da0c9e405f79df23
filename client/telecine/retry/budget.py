"""How many retries all calls together may make, counted in tokens that successes earn."""

from __future__ import annotations


class RetryBudget:
    """A token bucket, as in gRPC's retry throttling (gRFC A6): a retry takes a token, a success gives a part.

    When every call fails, retries stop after `tokens` of them; in the long run there are at most `ratio`
    retries for each success. Not thread-safe: its owner serialises all calls.
    """

    def __init__(self, tokens: float, ratio: float) -> None:
        self._most = tokens
        self._ratio = ratio
        self.tokens = tokens
        """What is left."""

    def take(self) -> bool:
        """Takes the token of one retry; False: there is none."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def succeeded(self) -> None:
        """A call went well."""
        self.tokens = min(self._most, self.tokens + self._ratio)
