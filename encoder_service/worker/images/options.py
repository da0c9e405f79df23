"""Exact options of the image encoders: named quality, crf, preset and the caller's options become numbers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.encoders import EncoderRow, QualitySettings
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import OutputSpec


class OptionRange(msgspec.Struct, frozen=True):
    """An option that takes whole numbers within a range."""

    low: int
    high: int
    default: int | None = None
    """None: the option is absent unless it is set."""
    words: tuple[str, ...] = ()
    """Names of the numbers from `low` on."""


def resolve_options(
    output: OutputSpec,
    row: EncoderRow,
    known: Mapping[str, OptionRange],
    aliases: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Returns every option with its number; the caller's options win over `crf` and `preset`.

    Raises OutputError with code INVALID_OPTION that names the option and what is allowed.
    """
    numbers = row.qualities.get(output.quality, QualitySettings())
    wishes = dict(numbers.options)
    if numbers.preset and row.preset_option:
        wishes[row.preset_option] = numbers.preset
    if output.crf is not None:
        wishes[_option_for(row.crf_option, "crf", row)] = f"{output.crf:g}"
    if output.preset:
        wishes[_option_for(row.preset_option, "preset", row)] = output.preset
    wishes = _renamed(wishes, aliases or {}) | _renamed(output.options, aliases or {})
    chosen = {name: option.default for name, option in known.items() if option.default is not None}
    for name, value in wishes.items():
        chosen[name] = _number(name, value, known, row)
    return chosen


def _renamed(wishes: Mapping[str, str], aliases: Mapping[str, str]) -> dict[str, str]:
    return {aliases.get(name, name): value for name, value in wishes.items()}


def _option_for(option: str, wish: str, row: EncoderRow) -> str:
    if not option:
        raise OutputError(FailureCode.INVALID_OPTION, f"{row.encoder} has no {wish}; use quality or options")
    return option


def _number(name: str, value: str, known: Mapping[str, OptionRange], row: EncoderRow) -> int:
    if name not in known:
        expected = ", ".join(sorted(known)) or "none"
        raise OutputError(
            FailureCode.INVALID_OPTION, f"{row.encoder} has no option {name!r}; expected: {expected}"
        )
    option = known[name]
    if value in option.words:
        return option.low + option.words.index(value)
    try:
        number = int(value)
    except ValueError:
        number = option.low - 1
    if not option.low <= number <= option.high:
        words = f", or one of {', '.join(option.words)}" if option.words else ""
        raise OutputError(
            FailureCode.INVALID_OPTION,
            f"{row.encoder} option {name}={value!r}: expected a whole number, "
            f"{option.low} to {option.high}{words}",
        )
    return number
