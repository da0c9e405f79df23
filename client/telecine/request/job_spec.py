"""Turns what a caller asks for into the contract's `JobSpec`, or says what is wrong with it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import msgspec

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import InvalidRequestError
from telecine.request.frame_layout import FrameLayout
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
_INT32_MAX = 2**31 - 1


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
            color=_color(options.color),
            frame_rate=_rational(options.fps),
            odd_size_policy=_ODD_SIZES[chosen(OddSizePolicy, options.odd_size, "odd_size")],  # type: ignore[arg-type] # NewType of int
            expected_frames=options.expected_frames,
        ),
        outputs=[_output(output, index, overlays) for index, output in enumerate(options.outputs)],
        metadata={str(key): _metadata_text(value) for key, value in options.metadata.items()},
        priority=options.priority,
        delivery=pb.DELIVERY_REFERENCES,
        strict=options.strict,
        webhooks=[_webhook(hook, index) for index, hook in enumerate(options.webhooks)],
        skip_unavailable=options.skip_unavailable,
    )
    if options.deadline_unix_nano:
        spec.deadline.FromNanoseconds(options.deadline_unix_nano)
    return spec


def _webhook(hook: Webhook | str, index: int) -> pb.Webhook:
    if isinstance(hook, str):
        hook = Webhook(hook)
    where = f"webhooks[{index}].events"
    events = [_named(_WEBHOOK_EVENTS, event, where) for event in hook.events]
    return pb.Webhook(url=hook.url, events=events)  # type: ignore[arg-type] # NewType of int


def _metadata_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()


def _rational(rate: Fraction) -> pb.Rational:
    if max(rate.numerator, rate.denominator) > _INT32_MAX:
        raise InvalidRequestError(f"fps {rate} has no 32-bit numerator and denominator; round it")
    return pb.Rational(numerator=rate.numerator, denominator=rate.denominator)


def _color(color: Color | None) -> pb.Color | None:
    if color is None:
        return None
    return pb.Color(
        primaries=_named(_PRIMARIES, color.primaries, "color.primaries"),  # type: ignore[arg-type] # NewType of int
        transfer=_named(_TRANSFERS, color.transfer, "color.transfer"),  # type: ignore[arg-type] # NewType of int
        matrix=_named(_MATRICES, color.matrix, "color.matrix"),  # type: ignore[arg-type] # NewType of int
        range=_named(_RANGES, color.range, "color.range"),  # type: ignore[arg-type] # NewType of int
    )


def _named(table: Mapping[str, int], name: str | None, field_name: str) -> int:
    if name is None:
        return 0
    if name not in table:
        raise InvalidRequestError(f"{field_name} is {name!r}; expected one of {', '.join(map(repr, table))}")
    return table[name]


def _output(output: Output, index: int, overlays: OverlayMessages) -> pb.OutputSpec:
    from telecine.request.rates import exact_frame_rate

    where = f"outputs[{index}]"
    return pb.OutputSpec(
        name=output.name,
        format=output.format,
        codec=output.codec,
        quality=_QUALITIES[chosen(Quality, output.quality, f"{where}.quality")],  # type: ignore[arg-type] # NewType of int
        crf=output.crf,
        preset=output.preset,
        options={str(key): str(value) for key, value in output.options.items()},
        scale=_scale(output.scale, where),
        loop_count=output.loop_count,
        alpha=_ALPHA_MODES[chosen(AlphaMode, output.alpha, f"{where}.alpha")],  # type: ignore[arg-type] # NewType of int
        background=output.background,
        frame_rate=None if output.fps is None else _rational(exact_frame_rate(output.fps)),
        pixel_format=output.pixel_format,
        color=_color(output.color),
        strict=output.strict,
        prefix=output.prefix,
        frame_index=output.frame_index,
        columns=output.columns,
        rows=output.rows,
        overlays=[
            overlays.message(overlay, f"{where}.overlays[{number}]")
            for number, overlay in enumerate(output.overlays)
        ],
        max_duration=duration(output.max_duration_seconds, f"{where}.max_duration_seconds")
        if output.max_duration_seconds
        else None,
        bit_rate=_bit_rate(output.bit_rate, f"{where}.bit_rate"),
    )


def _scale(scale: Scale | tuple[int, int] | str | None, where: str) -> pb.Scale | None:
    if scale is None:
        return None
    if isinstance(scale, str):
        scale = Scale(aspect_ratio=scale) if ":" in scale else Scale(size=scale)
    elif not isinstance(scale, Scale):
        scale = Scale(*scale)
    return pb.Scale(
        width=scale.width,
        height=scale.height,
        mode=_SCALE_MODES[chosen(ScaleMode, scale.mode, f"{where}.scale.mode")],  # type: ignore[arg-type] # NewType of int
        size=scale.size,
        aspect_ratio=scale.aspect_ratio,
        pad_color=scale.pad_color,
    )


def _bit_rate(value: int | str, where: str) -> int:
    """Bits per second; "800k" and "2.5M" count in thousands."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)", str(value).strip())
    if found is None:
        raise InvalidRequestError(
            f'{where} is {value!r}; expected bits per second, such as 2_000_000 or "2M"'
        )
    return round(float(found[1]) * _UNITS[found[2]])
