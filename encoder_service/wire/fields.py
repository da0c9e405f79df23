"""Parses the small values that many messages share, collecting violations while parsing goes on."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.errors import FieldViolation
from encoder_service.spec.limits import (
    MAX_FRAME_RATE,
    MAX_RATE_DENOMINATOR,
    MAX_RATE_NUMERATOR,
    MIN_FRAME_RATE,
)
from encoder_service.spec.spec import ColorOverride, Rational
from encoder_service.wire.enums import MATRICES, PRIMARIES, RANGES, TRANSFERS

_Value = TypeVar("_Value", bound=StrEnum)


class FieldViolations:
    """Collects what is wrong while parsing goes on."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Notes one wrong field."""
        self.found.append(FieldViolation(field, description))

    def check(self, is_right: bool, field: str, description: str) -> None:
        """Notes the field unless it is right."""
        if not is_right:
            self.add(field, description)

    def number(self, value: int, least: int, most: int, field: str) -> int:
        """Returns the value, and notes it when it lies outside."""
        self.check(least <= value <= most, field, f"must be {least} to {most}, is {value}")
        return value

    def pick(self, table: dict[int, _Value], value: int, field: str, default: _Value) -> _Value:
        """Returns what an enum's value means; an unknown one is noted."""
        if value not in table:
            names = ", ".join(table.values())
            self.add(field, f"is not set or unknown ({value}); expected one of {names}")
        return table.get(value, default)


def color_override(message: pb.Color, at: str, violations: FieldViolations) -> ColorOverride:
    """Returns the colour fields that are set."""
    return ColorOverride(
        primaries=_optional(PRIMARIES, message.primaries, f"{at}.primaries", violations),
        transfer=_optional(TRANSFERS, message.transfer, f"{at}.transfer", violations),
        matrix=_optional(MATRICES, message.matrix, f"{at}.matrix", violations),
        range=_optional(RANGES, message.range, f"{at}.range", violations),
    )


def _optional(table: dict[int, _Value], value: int, field: str, violations: FieldViolations) -> _Value | None:
    return None if value == 0 else violations.pick(table, value, field, next(iter(table.values())))


def rational(message: pb.Rational, at: str, violations: FieldViolations) -> Rational:
    """Returns an exact rate; a missing denominator is 1."""
    numerator, denominator = message.numerator, message.denominator or 1
    is_rate = numerator > 0 and denominator > 0
    violations.check(
        is_rate and MIN_FRAME_RATE <= Fraction(numerator, denominator) <= MAX_FRAME_RATE,
        at,
        f"must be {MIN_FRAME_RATE} to {MAX_FRAME_RATE} frames per second, is {numerator}/{denominator}",
    )
    if is_rate:
        over, under = Fraction(numerator, denominator).as_integer_ratio()
        violations.check(
            over <= MAX_RATE_NUMERATOR and under <= MAX_RATE_DENOMINATOR,
            at,
            f"must be a fraction of numbers up to {MAX_RATE_NUMERATOR}/{MAX_RATE_DENOMINATOR}, "
            f"is {over}/{under}; take the nearest one",
        )
    return Rational(numerator, denominator)
