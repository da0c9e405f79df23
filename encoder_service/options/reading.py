"""Reads what a client sets on an encoder against its rules; hands on nothing but what they name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

import msgspec

from encoder_service.options.rules import EncoderRules, Flag, Keys, Rule

MAX_OPTIONS = 64
MAX_VALUE_CHARS = 1024

_SHOWN_CHARS = 64
# What FFmpeg's reader of such lists, or a codec's, takes for more than a character.
_SPECIAL = frozenset(":='\"\\,[]{}%\n\r\t ")
_HINTS = {
    "x264opts": "write x264-params",
    "threads": "the server sets it",
    "pix_fmt": "write pixel_format",
    "pixel_format": "it is a field of the output",
    "r": "write frame_rate",
    "s": "write scale",
    "movflags": "the server sets it",
    "color_primaries": "write color",
    "color_trc": "write color",
    "colorspace": "write color",
    "color_range": "write color",
}


class OptionFault(msgspec.Struct, frozen=True):
    """One thing that may not be set."""

    option: str
    key: str
    """Inside a list of parameters; empty: the option as a whole."""
    description: str

    @property
    def place(self) -> str:
        """Where it stands below `options`, such as "['x264-params'].dump-yuv"."""
        return f"[{self.option[:_SHOWN_CHARS]!r}]" + (f".{_shown(self.key)}" if self.key else "")


class OptionsRead(msgspec.Struct, frozen=True):
    """The options that were taken, and why others were refused."""

    options: dict[str, str]
    """What is allowed, in canonical form."""
    faults: tuple[OptionFault, ...]


def read_options(
    encoder: str, rules: EncoderRules, options: Mapping[str, str], also_allowed: Collection[str] = ()
) -> OptionsRead:
    """Reads options for one encoder. Pure; reading what was read changes nothing.

    `also_allowed`: what the operator allows besides, each an option ("tune") or a key ("x264-params.zones").
    Their values are not checked, but cannot add further keys.
    """
    reader = _Reader(encoder, rules, also_allowed)
    found: dict[str, str] = {}
    for name, value in options.items():
        canonical = reader.read(name, value)
        if canonical is not None:
            found[name] = canonical
    return OptionsRead(found, tuple(reader.faults))


def unknown_names(rules: EncoderRules, names: Iterable[str]) -> list[str]:
    """Those of an operator's names that name nothing: keys of a list that the encoder does not have."""
    return [
        name
        for name in names
        if not name or ("." in name and not isinstance(rules.options.get(name.partition(".")[0]), Keys))
    ]


class _Reader:
    def __init__(self, encoder: str, rules: EncoderRules, also_allowed: Collection[str]) -> None:
        self._encoder = encoder
        self._rules = rules
        self._also_allowed = also_allowed
        self.faults: list[OptionFault] = []

    def read(self, name: str, value: str) -> str | None:
        rule = self._rules.options.get(name)
        if not 1 <= len(name) <= _SHOWN_CHARS or len(value) > MAX_VALUE_CHARS or not _is_text(name + value):
            self._add(name, "", "is empty, too long or holds control characters")
        elif name in self._also_allowed:
            return value
        elif rule is None:
            self._add(name, "", _unknown(f"no option of {self._encoder}", name, self._rules.options))
        elif isinstance(rule, Keys):
            return self._read_keys(name, rule, value)
        else:
            return self._read_value(name, "", rule, value)
        return None

    def _read_value(self, name: str, key: str, rule: Rule, value: str) -> str | None:
        canonical = rule.canonical(value)
        if canonical is None:
            self._add(name, key, f"expected {rule.expected}; got {value[:_SHOWN_CHARS]!r}")
        return canonical

    def _read_keys(self, name: str, rule: Keys, text: str) -> str | None:
        found: dict[str, str] = {}
        before = len(self.faults)
        for part in text.split(":") if text else ():
            key, has_value, value = part.partition("=")
            key, given = _spelled(key, value if has_value else None, rule)
            canonical = self._read_key(name, key, given, rule)
            if canonical is not None and key in found:
                self._add(name, key, "is given twice")
            elif canonical is not None:
                found[key] = canonical
        if len(self.faults) > before:
            return None
        return ":".join(f"{key}={value}" for key, value in found.items())

    def _read_key(self, name: str, key: str, value: str | None, rule: Keys) -> str | None:
        if f"{name}.{key}" in self._also_allowed and not _SPECIAL.intersection(key):
            if value is not None and not _SPECIAL.intersection(value.replace(",", "").replace("=", "")):
                return value
            self._add(name, key, "expected a value without quotes, spaces and colons")
        elif key not in rule.rules:
            self._add(name, key or "?", _unknown(f"no key of {name}", key, rule.rules))
        elif value is None:
            self._add(name, key, f"has no value; expected {rule.rules[key].expected}")
        else:
            return self._read_value(name, key, rule.rules[key], value)
        return None

    def _add(self, option: str, key: str, description: str) -> None:
        self.faults.append(OptionFault(option, key, description))


def _spelled(key: str, value: str | None, rule: Keys) -> tuple[str, str | None]:
    """The key as the rules spell it: "_" is "-", "no-x" and "x" alone are a flag that is off and on."""
    key = rule.aliases.get(key, key)
    if key not in rule.rules:
        dashed = key.replace("_", "-")
        key = rule.aliases.get(dashed, dashed)
    if value is None:
        if isinstance(rule.rules.get(key), Flag):
            return key, "1"
        positive = key.removeprefix("no-")
        if positive != key and isinstance(rule.rules.get(positive), Flag):
            return positive, "0"
    return key, value


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    hint = _HINTS.get(name) or (f"did you mean {close[0]}?" if close else "")
    return f"is {what} that may be set" + (f"; {hint}" if hint else "") + f"; there are {', '.join(names)}"


def _is_text(text: str) -> bool:
    return all(character.isprintable() for character in text)


def _shown(key: str) -> str:
    is_plain = key.isascii() and not _SPECIAL.intersection(key) and len(key) <= _SHOWN_CHARS
    return key if is_plain else repr(key[:_SHOWN_CHARS])
