"""Decides how an output becomes a video stream: encoder options, pixel format, alpha, size and colour."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from encoder_service.options.table import RULES
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.encoders import EncoderRow
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow
from encoder_service.spec.geometry import Geometry
from encoder_service.spec.limits import size_fault
from encoder_service.spec.spec import (
    AlphaMode,
    Color,
    ColorRange,
    OutputSpec,
    PixelFormat,
    Quality,
    VideoSpec,
)
from encoder_service.worker.color import output_color
from encoder_service.worker.drawing.conversion import parse_background, plan_size
from encoder_service.worker.libav.encoding import pixel_formats_of
from encoder_service.worker.libav.pictures import describe

_FLATTENED = {PixelFormat.RGBA: PixelFormat.RGB24, PixelFormat.RGBA64LE: PixelFormat.RGB48LE}
_PARAMETER_SEPARATOR = ":"
_MIN_TIMESCALE = 10_000


class Remark(msgspec.Struct, frozen=True):
    """Something to report: a fallback (an error where the output is strict) or a mere note."""

    code: WarningCode
    message: str


class VideoPlan(msgspec.Struct, frozen=True):
    """How one encoder makes one output."""

    row: EncoderRow
    pixel_format: str
    color: Color
    geometry: Geometry
    keeps_alpha: bool
    background: str | None
    """What alpha is flattened over; None: nothing to flatten."""
    frame_rate: Fraction
    options: dict[str, str]
    threads: int
    is_exact: bool
    """The artifact decodes to the very values that were sent."""
    fallbacks: tuple[Remark, ...]

    @property
    def decoder(self) -> str:
        """The decoder that sees everything that was encoded; empty: the usual one."""
        return self.row.alpha_decoder if self.keeps_alpha else ""


def candidates(video: VideoSpec, output: OutputSpec, row: FormatRow) -> tuple[EncoderRow, ...]:
    """The encoders to try, best first. Those for RGB alone come first where RGB is to be kept."""
    found = row.candidates(output.codec or row.default_codec)
    wants_rgb = (
        any(
            entry.is_rgb_only and output.pixel_format in RULES[entry.encoder].pixel_formats for entry in found
        )
        if output.pixel_format
        else output.quality == Quality.LOSSLESS and _source_format(video, output) == PixelFormat.RGB24
    )
    special = tuple(entry for entry in found if entry.is_rgb_only)
    usual = tuple(entry for entry in found if not entry.is_rgb_only)
    return special + usual if wants_rgb else usual


def plan_video(
    video: VideoSpec, output: OutputSpec, format_row: FormatRow, row: EncoderRow, *, threads: int, cores: int
) -> VideoPlan:
    """Plans one output with one encoder, on `threads` of `cores` cores. Raises OutputError."""
    fallbacks: list[Remark] = []
    keeps_alpha = _decide_alpha(video, output, format_row, row, fallbacks)
    source_format = (
        video.pixel_format if keeps_alpha else _FLATTENED.get(video.pixel_format, video.pixel_format)
    )
    pixel_format = _choose_pixel_format(source_format, output, row, keeps_alpha, fallbacks)
    color = output_color(
        video.color,
        output.color,
        is_rgb=describe(pixel_format).is_rgb,
        only_range=_only_range(video, pixel_format),
    )
    geometry = plan_size(video, output, pixel_format)
    if fault := size_fault(row.codec, geometry.width, geometry.height, has_bit_rate=output.bit_rate > 0):
        raise OutputError(FailureCode.UNSUPPORTED_SIZE, fault)
    options = resolve_options(
        output, row, pixel_format, keeps_alpha=keeps_alpha, threads=threads, cores=cores
    )
    if geometry.width <= row.narrow_columns:
        _merge(options, row.narrow_options)
    is_exact = _is_exact(video, output, row, source_format, pixel_format, color, geometry)
    if output.quality == Quality.LOSSLESS and not is_exact:
        fallbacks.append(
            Remark(
                WarningCode.LOSSLESS_NOT_EXACT,
                f"{row.encoder} cannot keep these frames exactly; highest quality taken",
            )
        )
    rate = output.frame_rate or video.frame_rate
    return VideoPlan(
        row=row,
        pixel_format=pixel_format,
        color=color,
        geometry=geometry,
        keeps_alpha=keeps_alpha,
        background=None if keeps_alpha or not video.pixel_format.has_alpha else output.background,
        frame_rate=Fraction(rate.numerator, rate.denominator),
        options=options,
        threads=max(1, int(threads * row.threads_per_core)),
        is_exact=is_exact,
        fallbacks=tuple(fallbacks),
    )


def _only_range(video: VideoSpec, pixel_format: str) -> ColorRange | None:
    # swscale makes gray of full range alone; gray frames go into gray as they are.
    if not describe(pixel_format).is_gray:
        return None
    return video.color.range if describe(video.pixel_format).is_gray else ColorRange.FULL


def _source_format(video: VideoSpec, output: OutputSpec) -> PixelFormat:
    if output.alpha == AlphaMode.FLATTEN:
        return _FLATTENED.get(video.pixel_format, video.pixel_format)
    return video.pixel_format


def _decide_alpha(
    video: VideoSpec, output: OutputSpec, format_row: FormatRow, row: EncoderRow, fallbacks: list[Remark]
) -> bool:
    can_keep = format_row.can_carry_alpha and row.can_carry_alpha
    if output.pixel_format:
        can_keep = can_keep and describe(output.pixel_format).has_alpha
    if output.alpha == AlphaMode.KEEP and video.pixel_format.has_alpha and not can_keep:
        raise OutputError(
            FailureCode.ALPHA_UNSUPPORTED,
            f"{row.codec} in {format_row.name} cannot carry alpha; ask for alpha auto or flatten",
        )
    if output.alpha == AlphaMode.FLATTEN or not video.pixel_format.has_alpha:
        parse_background(output.background)
        return False
    if not can_keep:
        parse_background(output.background)
        fallbacks.append(
            Remark(
                WarningCode.ALPHA_FLATTENED,
                f"{row.codec} in {format_row.name} has no alpha; flattened over {output.background}",
            )
        )
    return can_keep


def _choose_pixel_format(
    source: PixelFormat, output: OutputSpec, row: EncoderRow, keeps_alpha: bool, fallbacks: list[Remark]
) -> str:
    formats = row.pixel_formats
    if output.pixel_format:
        known = pixel_formats_of(row.encoder)
        if known and output.pixel_format not in known:
            raise OutputError(
                FailureCode.INVALID_PIXEL_FORMAT,
                f"{row.encoder} does not take {output.pixel_format!r}; it takes {', '.join(known)}",
            )
        return output.pixel_format
    if source in formats.same:
        return formats.same[source]
    if keeps_alpha:
        return formats.deep_alpha if formats.deep_alpha and source.bits > 8 else formats.alpha
    if output.quality == Quality.LOSSLESS and source in formats.lossless:
        return formats.lossless[source]
    if source.bits > 8 and formats.deep:
        return formats.deep
    if source.bits > 8 and describe(formats.default).bits <= 8:
        fallbacks.append(
            Remark(
                WarningCode.BIT_DEPTH_REDUCED,
                f"{row.encoder} is given 8 bits of {source.bits}; name a pixel_format to choose otherwise",
            )
        )
    return formats.default


def _is_exact(
    video: VideoSpec,
    output: OutputSpec,
    row: EncoderRow,
    source: PixelFormat,
    pixel_format: str,
    color: Color,
    geometry: Geometry,
) -> bool:
    is_lossless = row.is_always_lossless or (
        row.is_lossless_possible
        and output.quality == Quality.LOSSLESS
        and output.crf is None
        and not output.bit_rate
        and not output.options
    )
    holds = pixel_format in {row.pixel_formats.same.get(source), row.pixel_formats.lossless.get(source)}
    info = describe(pixel_format)
    is_same_coding = info.is_rgb or (
        color.range == video.color.range and (info.is_gray or color.matrix == video.color.matrix)
    )
    return is_lossless and holds and not geometry.is_resampled and is_same_coding


def resolve_options(
    output: OutputSpec, row: EncoderRow, pixel_format: str, *, keeps_alpha: bool, threads: int, cores: int
) -> dict[str, str]:
    """Resolves quality, crf, preset and options, later ones winning, to what the encoder is given.

    Raises OutputError with code INVALID_OPTION for a crf or preset that the encoder does not have.
    """
    numbers = row.qualities[output.quality]
    options = dict(row.fixed_options)
    if keeps_alpha:
        _merge(options, row.alpha_options)
    _merge(options, _rate_control(output, row))
    preset = output.preset or row.presets_by_pixel_format.get(pixel_format, numbers.preset)
    if output.preset and not row.preset_option:
        raise OutputError(FailureCode.INVALID_OPTION, f"{row.encoder} has no preset; leave it empty")
    if preset:
        options[row.preset_option] = preset
    if row.threads_parameter and threads < cores:
        option, key = row.threads_parameter
        _merge(options, {option: f"{key}={threads}"})
    _merge(options, output.options)
    return options


def _rate_control(output: OutputSpec, row: EncoderRow) -> dict[str, str]:
    """A bit rate, a rate factor, or what the named quality has instead."""
    numbers = row.qualities[output.quality]
    if output.bit_rate:
        if row.bit_rate_options is None:
            raise OutputError(
                FailureCode.INVALID_OPTION, f"{row.encoder} has no rate control; leave bit_rate 0"
            )
        return numbers.options | row.bit_rate_options | {"b": str(output.bit_rate)}
    crf = output.crf if output.crf is not None else numbers.crf
    if output.crf is not None:
        _check_crf(output.crf, row)
    options = {row.crf_option: f"{crf:g}"} if crf is not None and row.crf_option else {}
    if output.crf is None or output.quality != Quality.LOSSLESS:
        options |= numbers.options
    return options


def _check_crf(crf: float, row: EncoderRow) -> None:
    low, high = row.crf_range
    if not row.crf_option:
        raise OutputError(FailureCode.INVALID_OPTION, f"{row.encoder} has no rate factor; leave crf unset")
    if not low <= crf <= high:
        raise OutputError(FailureCode.INVALID_OPTION, f"crf {crf:g}: {row.encoder} takes {low:g} to {high:g}")


def _merge(options: dict[str, str], more: dict[str, str]) -> None:
    # x265-params and its like hold lists of parameters: a later one is added to the list.
    for name, value in more.items():
        if name.endswith("-params") and options.get(name):
            options[name] = options[name] + _PARAMETER_SEPARATOR + value
        else:
            options[name] = value


def muxer_options(format_row: FormatRow, frame_rate: Fraction, loop_count: int = 0) -> dict[str, str]:
    """The muxer's options; with exact timestamps its clocks hold the frame rate exactly."""
    options = dict(format_row.muxer_options)
    if format_row.loop_option:
        options[format_row.loop_option] = str(loop_count)
    if format_row.has_exact_timestamps:
        timescale = frame_rate.numerator
        while timescale < _MIN_TIMESCALE:
            timescale *= 2
        options["video_track_timescale"] = options["movie_timescale"] = str(timescale)
    return options
