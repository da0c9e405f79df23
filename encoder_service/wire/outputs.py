"""Turns the outputs of a protobuf spec into the service's own types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import msgspec
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.options.choice import best_fit
from encoder_service.options.reading import MAX_OPTIONS
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS, WriterKind
from encoder_service.spec.geometry import plan_geometry
from encoder_service.spec.limits import MIN_BIT_RATE, most_bits, rate_fault, size_fault
from encoder_service.spec.sizes import MAX_SIDE_PIXELS, SHORT_SIDES, parse_aspect_ratio
from encoder_service.spec.spec import (
    AlphaMode,
    OddSizePolicy,
    OutputSpec,
    Quality,
    Scale,
    ScaleMode,
    SkippedOutput,
)
from encoder_service.wire.audio import check_sound, parse_audio, parse_sound
from encoder_service.wire.enums import ALPHAS, QUALITIES, SCALE_MODES
from encoder_service.wire.fields import FieldViolations, color_override, rational
from encoder_service.wire.limits import WireLimits
from encoder_service.wire.made import check_made
from encoder_service.wire.overlays import parse_overlays, pictures_of, seconds

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RGB = re.compile(r"#[0-9a-fA-F]{6}")


def parse_outputs(
    message: pb.JobSpec, limits: WireLimits, violations: FieldViolations
) -> tuple[tuple[OutputSpec, ...], tuple[SkippedOutput, ...]]:
    """Returns the outputs asked for, named, and those left out; wrong fields go to `violations`."""
    count = len(message.outputs)
    most = limits.max_outputs_per_job
    violations.check(1 <= count <= most, "spec.outputs", f"must be 1 to {most} outputs, are {count}")
    if count > most:  # a message holds a million, and to walk over them takes a second
        return (), ()
    asked = message.outputs
    names = _names(asked, violations)
    prefixes: set[str] = set()
    files: set[tuple[str, str]] = set()
    outputs, skipped = [], []
    pictures = pictures_of(message)
    audio = parse_audio(message, limits, FieldViolations())  # what is wrong with it is noted with the track
    for index, (output, name) in enumerate(zip(asked, names, strict=True)):
        at = f"spec.outputs[{index}]"
        may_skip = message.skip_unavailable and not (message.strict or output.strict)
        if may_skip and output.format not in FORMATS and _WORD.fullmatch(output.format):
            reason = f"format {output.format!r} is unknown; this server makes {', '.join(FORMATS)}"
            skipped.append(SkippedOutput(OutputSpec(name=name, format=output.format), reason))
            continue
        outputs.append(_output(output, name, at, message, pictures, limits, violations))
        _check_limits(outputs[-1], message.video, at, violations)
        check_made(outputs[-1], message, pictures, at, limits, violations)
        check_sound(outputs[-1], audio, at, has_audio=message.HasField("audio"), violations=violations)
        prefix = output.prefix or "frame"
        if output.format == "png":
            violations.check(prefix not in prefixes, f"{at}.prefix", f"{prefix!r} names another sequence too")
            prefixes.add(prefix)
        claimed = _files_of(outputs[-1])
        named = f"{outputs[-1].stem!r} names the file of another output too"
        violations.check(files.isdisjoint(claimed), f"{at}.file_name", named)
        files |= claimed
    violations.check(bool(outputs) or not skipped, "spec.outputs", "none of their formats is known here")
    return tuple(outputs), tuple(skipped)


def _files_of(output: OutputSpec) -> set[tuple[str, str]]:
    """The files that an output may make, by stem and extension."""
    row = FORMATS.get(output.format)
    if row is None:
        return set()
    is_picture = row.writer in (WriterKind.POSTER, WriterKind.CONTACT_SHEET)
    return {(output.stem, each) for each in ((".png", ".jpg") if is_picture else (row.extension,))}


def _names(outputs: Iterable[pb.OutputSpec], violations: FieldViolations) -> list[str]:
    """Gives the nameless ones their format's name, numbered where it is taken; refuses doubles."""
    taken: set[str] = set()
    for index, output in enumerate(outputs):
        at = f"spec.outputs[{index}].name"
        if output.name:
            violations.check(
                _NAME.fullmatch(output.name) is not None,
                at,
                "must be 1 to 64 characters of [A-Za-z0-9._-], beginning with a letter, digit or _, "
                f"is {output.name[:80]!r}",
            )
            violations.check(output.name not in taken, at, f"{output.name[:80]!r} is taken by another output")
            taken.add(output.name)
    names = []
    for output in outputs:
        name = output.name
        if not name:
            stem = output.format[:48] or "output"
            name = next(free for free in _numbered(stem) if free not in taken)
            taken.add(name)
        names.append(name)
    return names


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}_{number}"
        number += 1


def _output(
    message: pb.OutputSpec, name: str, at: str, job: pb.JobSpec, pictures: Mapping[str, bytes],
    limits: WireLimits, violations: FieldViolations,
) -> OutputSpec:  # fmt: skip
    _check_format(message, at, violations)
    _check_bit_rate(message, at, violations)
    _check_words(message, at, violations)
    output = OutputSpec(
        name=name,
        format=message.format,
        codec=message.codec,
        quality=violations.pick(QUALITIES, message.quality, f"{at}.quality", Quality.HIGH),
        crf=message.crf if message.HasField("crf") else None,
        preset=message.preset,
        options=dict(message.options),
        scale=_scale(message, f"{at}.scale", violations),
        loop_count=violations.number(message.loop_count, 0, 65535, f"{at}.loop_count"),
        alpha=violations.pick(ALPHAS, message.alpha, f"{at}.alpha", AlphaMode.AUTO),
        background=(message.background or "#000000").lower(),
        frame_rate=rational(message.frame_rate, f"{at}.frame_rate", violations)
        if message.HasField("frame_rate")
        else None,
        pixel_format=message.pixel_format,
        color=color_override(message.color, f"{at}.color", violations),
        strict=job.strict or message.strict,
        prefix=message.prefix or "frame",
        frame_index=violations.number(message.frame_index, -(1 << 40), 1 << 40, f"{at}.frame_index"),
        columns=violations.number(message.columns, 0, 100, f"{at}.columns"),
        rows=violations.number(message.rows, 0, 100, f"{at}.rows"),
        overlays=parse_overlays(message, job, pictures, at, limits, violations),
        max_duration_seconds=seconds(message.max_duration, f"{at}.max_duration", violations),
        bit_rate=message.bit_rate,
        file_name=message.file_name,
        sound=parse_sound(message, at, violations),
    )
    return _fitted(output, at, limits, violations)


def _fitted(output: OutputSpec, at: str, limits: WireLimits, violations: FieldViolations) -> OutputSpec:
    """The output with its options in the only form that encoders are given; what none of them takes is noted.

    One encoder must take all of it; which of those that do is used turns out where it is opened.
    """
    most, row = MAX_OPTIONS, FORMATS.get(output.format)
    if len(output.options) > most:  # to look for what each was meant to be would take seconds
        violations.add(f"{at}.options", f"at most {most}, are {len(output.options)}")
        return output
    rows = row.candidates(output.codec or row.default_codec) if row is not None else ()
    fitting = best_fit(output, rows, limits.allowed_encoder_options)
    if fitting is None:
        return output
    for misfit in fitting.misfits:
        violations.add(f"{at}.{misfit.field}", misfit.description)
    return msgspec.structs.replace(output, options=fitting.options, preset=fitting.preset)


def _check_limits(output: OutputSpec, video: pb.VideoTrack, at: str, violations: FieldViolations) -> None:
    """Notes a rate or a size that the format cannot hold, with any encoder."""
    row = FORMATS.get(output.format)
    if row is None:
        return
    codec = output.codec or row.default_codec
    own, sent = output.frame_rate, video.frame_rate
    over, under = (own.numerator, own.denominator) if own else (sent.numerator, sent.denominator or 1)
    if over > 0 and under > 0 and (violation := rate_fault(output.format, codec, Fraction(over, under))):
        violations.add(
            f"{at}.frame_rate", violation if own else f"{violation}, which is spec.video.frame_rate"
        )
    _check_size(output, codec, video, at, violations)


def _check_size(
    output: OutputSpec, codec: str, video: pb.VideoTrack, at: str, violations: FieldViolations
) -> None:
    """Notes a size that the codec cannot have, whichever pixel format is chosen."""
    if not (0 < video.width <= MAX_SIDE_PIXELS and 0 < video.height <= MAX_SIDE_PIXELS):
        return
    faults = []
    for steps in ((1, 1), (2, 2)):  # of 4:4:4, and of 4:2:0, which may be padded
        try:
            size = plan_geometry(video.width, video.height, output.scale, OddSizePolicy.PAD, steps)
        except OutputError:
            return  # too large: noted where it is measured
        faults.append(size_fault(codec, size.width, size.height, has_bit_rate=output.bit_rate > 0))
    if all(faults):
        violations.add(f"{at}.scale" if output.scale is not None else at, faults[-1])


def _check_format(message: pb.OutputSpec, at: str, violations: FieldViolations) -> None:
    row = FORMATS.get(message.format)
    if row is None:
        known = ", ".join(FORMATS)
        violations.add(f"{at}.format", f"{message.format[:80]!r} is unknown; expected one of {known}")
    elif message.codec and not row.candidates(message.codec):
        known = ", ".join(row.codecs)
        violations.add(
            f"{at}.codec", f"{message.format} has no codec {message.codec[:80]!r}; expected one of {known}"
        )


def _check_bit_rate(message: pb.OutputSpec, at: str, violations: FieldViolations) -> None:
    if not message.bit_rate:
        return
    row = FORMATS.get(message.format)
    codec = message.codec or (row.default_codec if row is not None else "")
    violations.number(message.bit_rate, MIN_BIT_RATE, most_bits(codec), f"{at}.bit_rate")
    is_alone = not message.HasField("crf") and message.quality != pb.QUALITY_LOSSLESS
    violations.check(is_alone, f"{at}.bit_rate", "must be 0 beside crf or quality lossless")
    encoders = row.candidates(codec) if row is not None else ()
    violations.check(
        not encoders or any(encoder.bit_rate_options is not None for encoder in encoders),
        f"{at}.bit_rate",
        f"must be 0: {message.codec or message.format} has no rate control",
    )


def _check_words(message: pb.OutputSpec, at: str, violations: FieldViolations) -> None:
    for field, word in (("prefix", message.prefix), ("file_name", message.file_name)):
        violations.check(
            not word or _NAME.fullmatch(word) is not None,
            f"{at}.{field}",
            "must be 1 to 64 characters of [A-Za-z0-9._-], beginning with a letter, digit or _, "
            f"is {word[:80]!r}",
        )
    violations.check(
        not message.background or _RGB.fullmatch(message.background) is not None,
        f"{at}.background",
        f'must be "#rrggbb", is {message.background[:80]!r}',
    )


def _scale(message: pb.OutputSpec, at: str, violations: FieldViolations) -> Scale | None:
    if not message.HasField("scale"):
        return None
    scale = message.scale
    width = violations.number(scale.width, 0, MAX_SIDE_PIXELS, f"{at}.width")
    height = violations.number(scale.height, 0, MAX_SIDE_PIXELS, f"{at}.height")
    mode = violations.pick(SCALE_MODES, scale.mode, f"{at}.mode", ScaleMode.AUTO)
    is_known = not scale.size or scale.size in SHORT_SIDES
    named = ", ".join(SHORT_SIDES)
    violations.check(is_known, f"{at}.size", f"{scale.size[:80]!r} is unknown; expected one of {named}")
    ratio = _aspect_ratio(scale.aspect_ratio, f"{at}.aspect_ratio", violations)
    violations.check(
        not scale.size or not (width or height), f"{at}.size", "must be empty beside width and height"
    )
    violations.check(
        not ratio or not (width and height), f"{at}.aspect_ratio", "must be empty beside width and height"
    )
    violations.check(
        bool(width or height or scale.size or ratio),
        at,
        "width, height or both must be above 0, or size or aspect_ratio set",
    )
    has_both_sides = bool(width and height) or bool(ratio and (width or height)) or bool(scale.size)
    violations.check(
        mode is not ScaleMode.STRETCH or has_both_sides,
        at,
        "to stretch, width and height must both be above 0, or follow from size or aspect_ratio",
    )
    violations.check(
        mode is not ScaleMode.FIT or bool(width or height or scale.size), at, "to fit, a size must be set"
    )
    is_color = not scale.pad_color or _RGB.fullmatch(scale.pad_color) is not None
    violations.check(is_color, f"{at}.pad_color", f'must be "#rrggbb", is {scale.pad_color[:80]!r}')
    return Scale(
        width=width,
        height=height,
        mode=mode,
        size=scale.size if is_known else "",
        aspect_ratio=ratio,
        pad_color=(scale.pad_color or Scale().pad_color).lower(),
    )


def _aspect_ratio(text: str, at: str, violations: FieldViolations) -> str:
    """The ratio as it was written; empty where it is none."""
    try:
        if text:
            parse_aspect_ratio(text)
    except ValueError:
        violations.add(at, f'must be "width:height" from 1:20 to 20:1, such as "16:9", is {text[:80]!r}')
        return ""
    return text
