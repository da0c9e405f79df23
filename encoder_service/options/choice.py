"""Finds the encoders that can do what an output asks for, by their rules alone; opens none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from encoder_service.options.reading import read_options
from encoder_service.options.table import RULES
from encoder_service.spec.encoders import EncoderRow
from encoder_service.spec.spec import OutputSpec

Allowed = Mapping[str, Sequence[str]]
"""Encoder to what its operator allows besides the rules: see `EncoderConfig.allowed_encoder_options`."""


class Misfit(msgspec.Struct, frozen=True):
    """One thing that an encoder cannot be asked for."""

    field: str
    """The field of `OutputSpec`, such as "crf" or "options['x264-params'].dump-yuv"."""
    description: str


class Fitting(msgspec.Struct, frozen=True):
    """What one encoder makes of an output's wishes."""

    row: EncoderRow
    options: dict[str, str]
    """`OutputSpec.options` in canonical form."""
    preset: str
    """`OutputSpec.preset` likewise."""
    misfits: tuple[Misfit, ...]


def fit(output: OutputSpec, row: EncoderRow, allowed: Allowed) -> Fitting:
    """Judges options, preset, crf and pixel format of an output for one encoder. Pure."""
    rules = RULES[row.encoder]
    misfits: list[Misfit] = []
    read = read_options(row.encoder, rules, output.options, allowed.get(row.encoder, ()))
    misfits += [Misfit(f"options{fault.place}", fault.description) for fault in read.faults]
    preset = rules.presets.canonical(output.preset) if rules.presets is not None else None
    if output.preset and preset is None:
        expected = f"takes {rules.presets.expected}" if rules.presets is not None else "has no preset"
        misfits.append(Misfit("preset", f"{row.encoder} {expected}; got {output.preset[:64]!r}"))
    misfits += _judge_crf(output.crf, row)
    if output.pixel_format and output.pixel_format not in rules.pixel_formats:
        known = ", ".join(rules.pixel_formats)
        what = f"{row.encoder} does not take {output.pixel_format[:64]!r}; it takes {known}"
        misfits.append(Misfit("pixel_format", what))
    return Fitting(row, read.options, preset or "", tuple(misfits))


def _judge_crf(crf: float | None, row: EncoderRow) -> list[Misfit]:
    if crf is None:
        return []
    if not row.crf_option:
        return [Misfit("crf", f"{row.encoder} has no rate factor; leave it unset")]
    low, high = row.crf_range
    if math.isfinite(crf) and low <= crf <= high:
        return []
    return [Misfit("crf", f"{crf:g}: {row.encoder} takes {low:g} to {high:g}")]


def best_fit(output: OutputSpec, rows: Iterable[EncoderRow], allowed: Allowed) -> Fitting | None:
    """The first encoder that fits; else the one that fits best, with what is in the way. None: no rows."""
    found = [fit(output, row, allowed) for row in rows]
    return min(found, key=lambda fitting: _distance(output, fitting), default=None)


def _distance(output: OutputSpec, fitting: Fitting) -> tuple[int, int]:
    """How far an encoder is from what was meant: first by the names that it does not know."""
    if not fitting.misfits:
        return 0, 0
    known = RULES[fitting.row.encoder].options
    return sum(name not in known for name in output.options), len(fitting.misfits)
