"""Lists what may be set on an encoder, for capabilities and for docs/encoder-options.md."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator

import msgspec

from encoder_service.options.reading import MAX_OPTIONS, MAX_VALUE_CHARS
from encoder_service.options.rules import EncoderRules, Keys
from encoder_service.options.table import RULES

_HEAD = f"""# Encoder options

<!-- made by `python -m encoder_service.options.listing`; a test compares -->

What `options`, `preset` and `pixel_format` of an output may say, encoder by encoder. Everything else is
refused before a frame is taken, with the field, what is wrong with it, and what there is. No value names a
file. At most {MAX_OPTIONS} options, with at most {MAX_VALUE_CHARS} characters each. `telecine capabilities
--options libx264` asks a server for its list.

- A list of keys, such as `x264-params`, is written `key=value:key=value`. A key alone is a flag that is on,
  `no-key` one that is off; `_` and `-` are the same there. A key that is given twice is refused.
- A codec may have several encoders. One of them must take all that an output sets: with `aom-params`, AV1
  is made by libaom-av1 although libsvtav1 comes first.
- Colour is said by the output's `color`. The keys for it are taken too, and must say the same: the artifact
  is read back.
- Left out on purpose: whatever names a file, writes statistics or logs, has two passes, sets threads (the
  server does) or sizes, and what takes minutes for seconds of film (`placebo`, exhaustive motion search,
  `deadline=best`).

An operator can allow more, never a client: `allowed_encoder_options` of the encoder's
[configuration](configuration.md), such as `{{libx264 = ["x264-params.zones"]}}`. Nothing checks their
values, and some options write files.
"""


class Listed(msgspec.Struct, frozen=True):
    """One option, or one key of a list."""

    name: str
    """The option's name, such as "tune" or "x264-params.aq-mode"."""
    values: str
    """What it takes, for people; empty: the operator allows anything."""


def listed(rules: EncoderRules, also_allowed: Collection[str] = ()) -> Iterator[Listed]:
    """Each option and key with what it takes."""
    for name, rule in rules.options.items():
        if isinstance(rule, Keys):
            yield from (Listed(f"{name}.{key}", entry.expected) for key, entry in rule.rules.items())
        else:
            yield Listed(name, rule.expected)
    yield from (Listed(name, "") for name in also_allowed)


def page() -> str:
    """The whole page of encoder options as Markdown."""
    return "\n".join(
        [_HEAD, *(line for name, rules in RULES.items() if rules.options for line in _section(name, rules))]
    )


def _section(encoder: str, rules: EncoderRules) -> Iterator[str]:
    yield f"## {encoder}\n"
    if rules.presets is not None:
        yield f"Presets: {rules.presets.expected}.\n"
    yield f"Pixel formats: {', '.join(rules.pixel_formats)}.\n"
    yield "| option | takes |\n|---|---|"
    for entry in listed(rules):
        yield f"| `{entry.name}` | {entry.values} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
