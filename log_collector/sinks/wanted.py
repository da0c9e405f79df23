"""Which records are for a sink: by level, by service, by a condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from telecine.logging.catalogue import Level

from log_collector.expression import Condition, ExpressionError, Fields, compile_expression
from log_collector.record import LEVEL_NUMBERS, LevelName


class FilteredConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What sinks that can be had several times have in common."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """The sink is called `<kind>.<name>`."""
    level: LevelName = "TRACE"
    """Records below it are dropped, counted as "filtered"."""
    services: tuple[str, ...] = ()
    """Only records of these; empty: of all."""
    expression: str = ""
    """Only records that meet it, as RecordFilter.expression of the contract; empty: all."""
    lag_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 30
    """When it is further behind than so much of the journal, the oldest records are dropped, counted; 0:
    never, the journal fills instead."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if self.expression:
            try:
                compile_expression(self.expression)
            except ExpressionError as error:
                yield "expression", str(error)

    @property
    def is_filtering(self) -> bool:
        """Whether any record can be kept back."""
        return self.level != "TRACE" or bool(self.services or self.expression)


def wanted(config: FilteredConfig) -> Condition:
    """Whether a record is for this sink."""
    least = LEVEL_NUMBERS[config.level]
    services = frozenset(config.services)
    condition = compile_expression(config.expression) if config.expression else None

    def is_wanted(fields: Fields) -> bool:
        level = LEVEL_NUMBERS.get(str(fields.get("level")), Level.INFO)
        if level < least or (services and fields.get("service") not in services):
            return False
        return condition is None or condition(fields)

    return is_wanted
