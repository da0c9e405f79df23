"""The kinds of values that an option may have; each knows what it takes and the one form it hands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Protocol

import msgspec

_WHOLE = re.compile(r"[+-]?[0-9]{1,12}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,12}(\.[0-9]{0,9})?|\.[0-9]{1,9})")
_BITS = re.compile(r"([0-9]{1,12})([kKM]?)")
_FACTORS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


class Rule(Protocol):
    """The values that one option may have."""

    @property
    def expected(self) -> str:
        """What is taken, for people, such as "0 to 3"."""
        ...

    def canonical(self, text: str) -> str | None:
        """The value in the only form that an encoder is given; None where it is not allowed."""
        ...

    def examples(self) -> tuple[str, ...]:
        """The edges of what is allowed and something between; each of them is allowed."""
        ...


class Whole(msgspec.Struct, frozen=True):
    """A whole number in a range, or one of some names for such numbers."""

    low: int
    high: int
    words: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """The range, for people."""
        return f"{self.low} to {self.high}" + (f", or {', '.join(self.words)}" if self.words else "")

    def canonical(self, text: str) -> str | None:
        """The number without a plus sign and leading zeros; None outside of the range."""
        if text in self.words:
            return text
        number = int(text) if _WHOLE.fullmatch(text) else None
        return str(number) if number is not None and self.low <= number <= self.high else None

    def examples(self) -> tuple[str, ...]:
        """Both ends, the middle and the names."""
        return (str(self.low), str((self.low + self.high) // 2), str(self.high), *self.words)


class Number(msgspec.Struct, frozen=True):
    """A number in a range, in decimal notation."""

    low: float
    high: float

    @property
    def expected(self) -> str:
        """The range, for people."""
        return f"a number, {self.low:g} to {self.high:g}"

    def canonical(self, text: str) -> str | None:
        """The number in its shortest decimal notation; None outside of the range."""
        number = float(text) + 0.0 if _NUMBER.fullmatch(text) else None  # + 0.0: -0 is 0
        if number is None or not self.low <= number <= self.high:
            return None
        return f"{number:.6f}".rstrip("0").rstrip(".")

    def examples(self) -> tuple[str, ...]:
        """Both ends and the middle."""
        return tuple(f"{value:g}" for value in (self.low, (self.low + self.high) / 2, self.high))


class Bits(msgspec.Struct, frozen=True):
    """A number of bits, or of bits each second; "800k" and "2M" are understood."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        """The range, for people."""
        return f'bits, {self.low} to {self.high}, such as 2000000, "2000k" or "2M"'

    def canonical(self, text: str) -> str | None:
        """The number of bits written out; None outside of the range."""
        found = _BITS.fullmatch(text)
        number = int(found[1]) * _FACTORS[found[2]] if found else -1
        return str(number) if self.low <= number <= self.high else None

    def examples(self) -> tuple[str, ...]:
        """Both ends, and something usual."""
        return (str(self.low), "2M", str(self.high))


class Flag(msgspec.Struct, frozen=True):
    """An option that is either on or off."""

    expected: str = "1 or 0"

    def canonical(self, text: str) -> str | None:
        """Returns 1 for yes and 0 for no, however they are spelled; None for anything else."""
        return "1" if text.lower() in _YES else "0" if text.lower() in _NO else None

    def examples(self) -> tuple[str, ...]:
        """Both values."""
        return ("0", "1")


class Choice(msgspec.Struct, frozen=True):
    """One of some words, as they are spelled."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """The words, for people."""
        return f"one of {', '.join(self.words)}"

    def canonical(self, text: str) -> str | None:
        """The word itself; None if it is not on the list."""
        return text if text in self.words else None

    def examples(self) -> tuple[str, ...]:
        """Every word of the list."""
        return self.words


class Shape(msgspec.Struct, frozen=True):
    """Numbers in a notation of their own, such as the primaries of a mastering display."""

    pattern: str
    """A regular expression; nothing that it matches may hold ":", "=", a quote or a backslash."""
    expected: str
    sample: tuple[str, ...]

    def canonical(self, text: str) -> str | None:
        """The text itself; None if it does not match the pattern."""
        return text if _compiled(self.pattern).fullmatch(text) else None

    def examples(self) -> tuple[str, ...]:
        """The samples that the rule was given."""
        return self.sample


class Keys(msgspec.Struct, frozen=True):
    """A list of keys with values, "key=value:key=value", such as x264-params."""

    rules: Mapping[str, Rule]
    aliases: Mapping[str, str] = {}
    """Other spellings, and the keys they mean."""

    @property
    def expected(self) -> str:
        """The notation and its keys, for people."""
        return f'"key=value:key=value" of {", ".join(self.rules)}'


class EncoderRules(msgspec.Struct, frozen=True):
    """What a client may set on one encoder."""

    options: Mapping[str, Rule | Keys]
    """The rules by FFmpeg's name of the option; any other option is refused."""
    presets: Rule | None = None
    """The values of `OutputSpec.preset`. None: the encoder has no presets."""
    pixel_formats: tuple[str, ...] = ()
    """The values of `OutputSpec.pixel_format`, by FFmpeg's names; never formats of hardware surfaces."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
