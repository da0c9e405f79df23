"""Turns what a caller asks for into the contract's `JobSpec`, or says what is wrong with it."""

from __future__ import annotations

import math
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from google.protobuf.duration_pb2 import Duration

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.fields import INT32_MAX, flag, instance, number, refused, text, whole, words
from telecine.request.frame_layout import FrameLayout
from telecine.request.metadata import metadata_texts
from telecine.request.options import (
    AlphaMode,
    Color,
    OddSizePolicy,
    Output,
    Quality,
    Scale,
    ScaleMode,
    Webhook,
    chosen,
)
from telecine.request.overlay_messages import OverlayMessages, duration
from telecine.request.rates import FrameRate, exact_frame_rate
from telecine.request.sound import AudioFormat, sound_message

_PRIMARIES = {"bt709": 1, "bt470bg": 2, "smpte170m": 3, "bt2020": 4, "smpte432": 5}
_TRANSFERS = {
    "bt709": 1,
    "iec61966-2-1": 2,
    "smpte170m": 3,
    "smpte2084": 4,
    "arib-std-b67": 5,
    "linear": 6,
}
_MATRICES = {"gbr": 1, "bt709": 2, "bt470bg": 3, "smpte170m": 4, "bt2020nc": 5}
_RANGES = {"tv": 1, "pc": 2}
_QUALITIES = {Quality.DRAFT: 1, Quality.STANDARD: 2, Quality.HIGH: 3, Quality.LOSSLESS: 4}
_ALPHA_MODES = {AlphaMode.AUTO: 0, AlphaMode.KEEP: 1, AlphaMode.FLATTEN: 2}
_SCALE_MODES = {
    ScaleMode.AUTO: 0,
    ScaleMode.FIT: 1,
    ScaleMode.STRETCH: 2,
    ScaleMode.FILL: 3,
    ScaleMode.PAD: 4,
}
_ODD_SIZES = {OddSizePolicy.PAD: 1, OddSizePolicy.CROP: 2, OddSizePolicy.ERROR: 3}
PIXEL_FORMAT_NUMBERS = {
    "gray": 1,
    "rgb24": 2,
    "rgba": 3,
    "yuv420p": 4,
    "nv12": 5,
    "yuv444p": 6,
    "rgb48le": 7,
    "p010le": 8,
    "rgba64le": 9,
    "gray16le": 10,
    "yuv420p10le": 11,
}
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_WEBHOOK_EVENTS = {"job.received": 1, "output.ended": 2, "job.ended": 3}
_MAX_BIT_RATE = 10**12
MAX_FRAMES = 1 << 40
"""More than any clip has; what the server takes for a number of frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """Everything about a job but the layout of its frames."""

    fps: Fraction
    outputs: tuple[Output, ...]
    job_id: str = ""
    """Empty: `new_job_id()`."""
    color: Color | None = None
    odd_size: OddSizePolicy | str = OddSizePolicy.PAD
    metadata: Mapping[str, object] = field(default_factory=dict)
    priority: int = 0
    deadline_unix_nano: int = 0
    """0: none."""
    expected_frames: int = 0
    """0: not known."""
    strict: bool = False
    skip_unavailable: bool = False
    webhooks: Sequence[Webhook | str] = ()
    audio: AudioFormat | None = None
    """None: the clip is silent."""


def new_job_id() -> str:
    """A fresh id: 32 hex digits."""
    return uuid.uuid4().hex


def deadline_after(seconds: float | None) -> int:
    """Unix nanoseconds of a deadline that many seconds from now; 0 for None."""
    return 0 if seconds is None else time.time_ns() + round(seconds * 1e9)


def job_spec(options: JobOptions, layout: FrameLayout) -> pb.JobSpec:
    """The contract's spec. Bytes of artifacts are fetched apart, so it asks for references only.

    Raises InvalidRequestError for what can be seen to be wrong here; the server checks the rest.
    """
    overlays = OverlayMessages()
    spec = pb.JobSpec(
        job_id=options.job_id or new_job_id(),
        video=pb.VideoTrack(
            width=layout.width,
            height=layout.height,
            pixel_format=PIXEL_FORMAT_NUMBERS[layout.pixel_format],  # type: ignore[arg-type] # NewType of int
            color=_color(options.color, "color"),
            frame_rate=_rational(options.fps, "fps"),
            odd_size_policy=_ODD_SIZES[chosen(OddSizePolicy, options.odd_size, "odd_size")],  # type: ignore[arg-type] # NewType of int
            expected_frames=options.expected_frames,
        ),
        outputs=[_output(output, index, overlays) for index, output in enumerate(options.outputs)],
        metadata=metadata_texts(options.metadata).texts,
        priority=options.priority,
        delivery=pb.DELIVERY_REFERENCES,
        strict=options.strict,
        webhooks=[_webhook(hook, index) for index, hook in enumerate(options.webhooks)],
        skip_unavailable=options.skip_unavailable,
        audio=options.audio.message() if options.audio is not None else None,
    )
    if options.deadline_unix_nano:
        spec.deadline.FromNanoseconds(options.deadline_unix_nano)
    return spec


def _webhook(hook: Webhook | str, index: int) -> pb.Webhook:
    where = f"webhooks[{index}]"
    if isinstance(hook, str):
        hook = Webhook(hook)
    hook = instance(hook, Webhook, where, "a URL or a Webhook")
    events = [
        _named(_WEBHOOK_EVENTS, event, f"{where}.events") for event in words(hook.events, f"{where}.events")
    ]
    return pb.Webhook(url=text(hook.url, f"{where}.url"), events=events)  # type: ignore[arg-type] # NewType of int


def _rational(rate: Fraction, where: str) -> pb.Rational:
    if max(rate.numerator, rate.denominator) > INT32_MAX:
        raise refused(where, str(rate), "a 32-bit numerator and denominator; round it")
    return pb.Rational(numerator=rate.numerator, denominator=rate.denominator)


def _color(color: Color | None, where: str) -> pb.Color | None:
    if color is None:
        return None
    color = instance(color, Color, where, 'a Color, such as Color(matrix="bt709")')
    return pb.Color(
        primaries=_named(_PRIMARIES, color.primaries, f"{where}.primaries"),  # type: ignore[arg-type] # NewType of int
        transfer=_named(_TRANSFERS, color.transfer, f"{where}.transfer"),  # type: ignore[arg-type] # NewType of int
        matrix=_named(_MATRICES, color.matrix, f"{where}.matrix"),  # type: ignore[arg-type] # NewType of int
        range=_named(_RANGES, color.range, f"{where}.range"),  # type: ignore[arg-type] # NewType of int
    )


def _named(table: Mapping[str, int], name: str | None, field_name: str) -> int:
    if name is None:
        return 0
    if not isinstance(name, str) or name not in table:
        raise refused(field_name, name, f"one of {', '.join(map(repr, table))}")
    return table[name]


def _output(output: Output, index: int, overlays: OverlayMessages) -> pb.OutputSpec:
    where = f"outputs[{index}]"
    return pb.OutputSpec(
        name=text(output.name, f"{where}.name"),
        format=text(output.format, f"{where}.format"),
        codec=text(output.codec, f"{where}.codec"),
        quality=_QUALITIES[chosen(Quality, output.quality, f"{where}.quality")],  # type: ignore[arg-type] # NewType of int
        crf=None if output.crf is None else number(output.crf, f"{where}.crf", -1000, 1000),
        preset=text(output.preset, f"{where}.preset", 'text, such as "veryfast" or "4"'),
        options=_encoder_options(output.options, f"{where}.options"),
        scale=_scale(output.scale, f"{where}.scale"),
        loop_count=whole(output.loop_count, f"{where}.loop_count"),
        alpha=_ALPHA_MODES[chosen(AlphaMode, output.alpha, f"{where}.alpha")],  # type: ignore[arg-type] # NewType of int
        background=text(output.background, f"{where}.background"),
        frame_rate=None if output.fps is None else _rate_of(output.fps, f"{where}.fps"),
        pixel_format=text(output.pixel_format, f"{where}.pixel_format"),
        color=_color(output.color, f"{where}.color"),
        strict=flag(output.strict, f"{where}.strict"),
        prefix=text(output.prefix, f"{where}.prefix"),
        frame_index=whole(output.frame_index, f"{where}.frame_index", -MAX_FRAMES, MAX_FRAMES),
        columns=whole(output.columns, f"{where}.columns"),
        rows=whole(output.rows, f"{where}.rows"),
        overlays=[
            overlays.message(overlay, f"{where}.overlays[{place}]")
            for place, overlay in enumerate(words(output.overlays, f"{where}.overlays"))
        ],
        max_duration=_longest(output.max_duration_seconds, f"{where}.max_duration_seconds"),
        bit_rate=_bit_rate(output.bit_rate, f"{where}.bit_rate"),
        file_name=text(output.file_name, f"{where}.file_name"),
        sound=sound_message(output.sound, f"{where}.sound"),
    )


def _rate_of(rate: FrameRate, where: str) -> pb.Rational:
    return _rational(exact_frame_rate(rate, where), where)


def _encoder_options(options: Mapping[str, str | int | float | bool], where: str) -> dict[str, str]:
    if not isinstance(options, Mapping):
        raise refused(where, options, 'a mapping of names to values, such as {"tune": "film"}')
    return {text(name, where): _option(value, f"{where}[{name!r}]") for name, value in options.items()}


def _option(value: object, where: str) -> str:
    if isinstance(value, str):
        return text(value, where)
    if isinstance(value, bool):
        return str(int(value))
    found = number(value, where, -math.inf)
    return str(int(found)) if found == int(found) else str(found)


def _longest(seconds: float, where: str) -> Duration | None:
    return duration(seconds, where) if number(seconds, where) else None


def _scale(scale: Scale | tuple[int, int] | str | None, where: str) -> pb.Scale | None:
    if scale is None:
        return None
    if isinstance(scale, str):
        scale = Scale(aspect_ratio=scale) if ":" in scale else Scale(size=scale)
    elif isinstance(scale, tuple | list) and 2 <= len(scale) <= 3:
        scale = Scale(*scale)
    scale = instance(scale, Scale, where, 'a Scale, (width, height), a name ("720p") or a ratio ("16:9")')
    return pb.Scale(
        width=whole(scale.width, f"{where}.width"),
        height=whole(scale.height, f"{where}.height"),
        mode=_SCALE_MODES[chosen(ScaleMode, scale.mode, f"{where}.mode")],  # type: ignore[arg-type] # NewType of int
        size=text(scale.size, f"{where}.size"),
        aspect_ratio=text(scale.aspect_ratio, f"{where}.aspect_ratio"),
        pad_color=text(scale.pad_color, f"{where}.pad_color"),
    )


def _bit_rate(value: int | str, where: str) -> int:
    """Bits per second; "800k" and "2.5M" count in thousands."""
    expected = 'bits per second, such as 2_000_000 or "2M"'
    if not isinstance(value, str):
        return round(number(value, where, 0, _MAX_BIT_RATE))
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([kMG]?)", value.strip())
    bits = round(float(found[1]) * _UNITS[found[2]]) if found else -1
    if not 0 <= bits <= _MAX_BIT_RATE:
        raise refused(where, value, expected)
    return bits
