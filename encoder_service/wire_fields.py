"""Parses the small values that many messages share, collecting faults while parsing goes on."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.errors import FieldFault
from encoder_service.spec import ColorOverride, Rational
from encoder_service.wire_enums import MATRICES, PRIMARIES, RANGES, TRANSFERS

MAX_FRAMES_PER_SECOND = 1000

_Value = TypeVar("_Value", bound=StrEnum)


class Faults:
    """Collects what is wrong while parsing goes on."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[FieldFault] = []

    def add(self, field: str, description: str) -> None:
        """Notes one wrong field."""
        self.found.append(FieldFault(field, description))

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


def color_override(message: pb.Color, at: str, faults: Faults) -> ColorOverride:
    """Returns the colour fields that are set."""
    return ColorOverride(
        primaries=_optional(PRIMARIES, message.primaries, f"{at}.primaries", faults),
        transfer=_optional(TRANSFERS, message.transfer, f"{at}.transfer", faults),
        matrix=_optional(MATRICES, message.matrix, f"{at}.matrix", faults),
        range=_optional(RANGES, message.range, f"{at}.range", faults),
    )


def _optional(table: dict[int, _Value], value: int, field: str, faults: Faults) -> _Value | None:
    return None if value == 0 else faults.pick(table, value, field, next(iter(table.values())))


def rational(message: pb.Rational, at: str, faults: Faults) -> Rational:
    """Returns an exact rate; a missing denominator is 1."""
    numerator, denominator = message.numerator, message.denominator or 1
    is_right = numerator > 0 and denominator > 0 and numerator <= MAX_FRAMES_PER_SECOND * denominator
    faults.check(
        is_right,
        at,
        f"must be above 0 and at most {MAX_FRAMES_PER_SECOND} frames per second, "
        f"is {numerator}/{denominator}",
    )
    return Rational(numerator, denominator)
