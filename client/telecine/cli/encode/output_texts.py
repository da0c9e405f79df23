"""Reads what `-o` says: a format, and after a colon what is particular about the output."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from telecine.cli.encode import overlay_texts
from telecine.cli.show.failures import UsageError
from telecine.request.options import Color, Output, Scale

SYNTAX = "FORMAT[:KEY=VALUE,...]"
OPTION_PREFIX = "options."
_COLOR_KEYS = ("primaries", "transfer", "matrix", "range")
_TEXT_KEYS = (
    "name", "codec", "quality", "preset", "alpha", "background", "fps", "pixel_format", "prefix", "bit_rate",
    "file_name",
)  # fmt: skip
_WHOLE_NUMBER_KEYS = ("loop_count", "frame_index", "columns", "rows")

_SCALE_KEYS = ("scale", "aspect_ratio", "scale_mode", "pad_color")

KEYS = (
    *_TEXT_KEYS, "crf", "max_duration", "strict", *_SCALE_KEYS, *_WHOLE_NUMBER_KEYS, *_COLOR_KEYS,
    *overlay_texts.KEYS, f"{OPTION_PREFIX}NAME",
)  # fmt: skip
"""Everything that may stand before a "=": fields of `telecine.Output`, its scale, colour and overlays."""


def parse_output(text: str, defaults: Mapping[str, str]) -> Output:
    """Turns `webm:codec=av1,crf=30,options.tune=0` into an Output; `defaults` fill what it leaves open.

    "\\," is a comma that parts nothing. Raises UsageError naming the part that is wrong.
    """
    format_name, _, rest = text.partition(":")
    pairs = dict(defaults)
    for piece in filter(None, _pieces(rest)):
        key, equals, value = piece.partition("=")
        if not equals or not key:
            raise UsageError(f"-o {text}: {piece!r} is not KEY=VALUE", f"write it as {SYNTAX}")
        pairs[key] = value
    if not format_name:
        raise UsageError(f"-o {text}: no format", f"write it as {SYNTAX}, such as mp4 or webp:quality=draft")
    return Output(format_name, **_fields(text, pairs))


def parse_outputs(texts: Sequence[str], defaults: Mapping[str, str]) -> tuple[Output, ...]:
    """Turns every `-o` into an Output."""
    return tuple(parse_output(text, defaults) for text in texts)


def _fields(text: str, pairs: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    options: dict[str, str] = {}
    color: dict[str, Any] = {}
    for key, value in pairs.items():
        if key.startswith(OPTION_PREFIX):
            options[key.removeprefix(OPTION_PREFIX)] = value
        elif key in _COLOR_KEYS:
            color[key] = value
        elif key in _SCALE_KEYS or key in overlay_texts.KEYS:
            continue
        elif key in KEYS:
            fields[key] = _value(text, key, value)
        else:
            raise UsageError(f"-o {text}: unknown key {key!r}", f"known keys are {', '.join(KEYS)}")
    if options:
        fields["options"] = options
    if color:
        fields["color"] = Color(**color)
    if any(key in pairs for key in _SCALE_KEYS):
        fields["scale"] = _scale(text, pairs)
    if any(key in pairs for key in overlay_texts.KEYS):
        try:
            fields["overlays"] = overlay_texts.overlays_of(pairs)
        except ValueError as error:
            raise UsageError(f"-o {text}: {error}", "see docs/video-settings.md") from error
    if "max_duration" in fields:
        fields["max_duration_seconds"] = fields.pop("max_duration")
    return fields


def _value(text: str, key: str, value: str) -> object:
    try:
        if key in {"crf", "max_duration"}:
            return float(value)
        if key in _WHOLE_NUMBER_KEYS:
            return int(value)
        if key == "strict":
            return _is_yes(value)
    except ValueError as error:
        raise UsageError(
            f"-o {text}: {key} is {value!r}", f"expected {_EXPECTED.get(key, 'a number')}"
        ) from error
    return value


_EXPECTED = {"strict": "yes or no"}


def _pieces(text: str) -> list[str]:
    return [piece.replace("\\,", ",") for piece in re.split(r"(?<!\\),", text)]


def _scale(text: str, pairs: Mapping[str, str]) -> Scale:
    value = pairs.get("scale", "")
    found = re.fullmatch(r"(\d*)x(\d*)", value)
    is_named = re.fullmatch(r"\d+[pk]", value) is not None
    if value and not is_named and not (found and (found[1] or found[2])):
        raise UsageError(
            f"-o {text}: scale is {value!r}",
            "expected a name such as 1080p, or WIDTHxHEIGHT, WIDTHx or xHEIGHT",
        )
    return Scale(
        width=int(found[1] or 0) if found else 0,
        height=int(found[2] or 0) if found else 0,
        mode=pairs.get("scale_mode", "auto"),
        size=value if is_named else "",
        aspect_ratio=pairs.get("aspect_ratio", ""),
        pad_color=pairs.get("pad_color", ""),
    )


def _is_yes(value: str) -> bool:
    answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    try:
        return answers[value.lower()]
    except KeyError:
        raise ValueError(value) from None


def parse_size(text: str) -> tuple[int, int]:
    """Turns `832x480` into (832, 480). Raises UsageError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size is {text!r}", "write it as WIDTHxHEIGHT in pixels, such as 832x480")
    return int(width), int(height)


def parse_metadata(texts: Sequence[str]) -> dict[str, str]:
    """Turns every `--meta KEY=VALUE` into an entry. Raises UsageError."""
    metadata: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--meta is {text!r}", 'write it as KEY=VALUE, such as "prompt=a red fox"')
        metadata[key] = value
    return metadata
