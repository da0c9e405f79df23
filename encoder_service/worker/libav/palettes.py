"""Reduces pictures to 256 colours that are chosen for them, with FFmpeg's palettegen and paletteuse."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import msgspec
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat

from encoder_service.spec.codes import FailureCode
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.pictures import Picture, PictureFormat, Samples, wrap

_TIME_BASE = Fraction(1, 1000)
_FAILED = FailureCode.ENCODING_FAILED


class PaletteSettings(msgspec.Struct, frozen=True):
    """How colours are chosen and used."""

    max_colors: int
    """2 to 256; one of them is transparency where there is alpha."""
    dither: str
    """FFmpeg's name: "none", "bayer", "sierra2_4a" ..."""
    bayer_scale: int
    """0, coarse pattern, to 5; for dither "bayer"."""


def to_palette(frames: Sequence[Samples], settings: PaletteSettings) -> list[Picture]:
    """Chooses one palette for all frames and returns them in it, as pal8.

    Frames are RGB or RGBA of 8 bits, all of one size; half-transparent pixels become one or the other.
    Threads may do so side by side. Raises OutputError.
    """
    rows, columns, channels = frames[0].shape
    layout = PictureFormat("rgba" if channels == 4 else "rgb24", columns, rows)
    with translated(_FAILED, "choosing a palette"):
        palette = _choose(frames, layout, settings)
    with translated(_FAILED, "using a palette"):
        return _use(frames, layout, palette, settings)


def _choose(frames: Sequence[Samples], layout: PictureFormat, settings: PaletteSettings) -> Picture:
    has_alpha = layout.pixel_format == "rgba"
    graph = Graph()
    source = _source(graph, layout)
    chooser = graph.add(
        "palettegen",
        f"max_colors={settings.max_colors}:reserve_transparent={int(has_alpha)}:stats_mode=full",
    )
    sink = graph.add("buffersink")
    source.link_to(chooser)
    chooser.link_to(sink)
    graph.configure()
    for index, frame in enumerate(frames):
        source.push(_timed(_wrapped(frame, layout), index))
    source.push(None)
    return _pulled(sink)


def _use(
    frames: Sequence[Samples], layout: PictureFormat, palette: Picture, settings: PaletteSettings
) -> list[Picture]:
    graph = Graph()
    source = _source(graph, layout)
    colors = _source(graph, PictureFormat(palette.format.name, palette.width, palette.height))
    user = graph.add(
        "paletteuse",
        f"dither={settings.dither}:bayer_scale={settings.bayer_scale}:diff_mode=rectangle",
    )
    sink = graph.add("buffersink")
    source.link_to(user, 0, 0)
    colors.link_to(user, 0, 1)
    user.link_to(sink)
    graph.configure()
    colors.push(_timed(palette, 0))
    colors.push(None)
    for index, frame in enumerate(frames):
        source.push(_timed(_wrapped(frame, layout), index))
    source.push(None)
    return [_pulled(sink) for _ in frames]


def _source(graph: Graph, layout: PictureFormat) -> FilterContext:
    return graph.add_buffer(
        width=layout.width,
        height=layout.height,
        format=VideoFormat(str(layout.pixel_format)),
        time_base=_TIME_BASE,
    )


def _wrapped(frame: Samples, layout: PictureFormat) -> Picture:
    return wrap([np.ascontiguousarray(frame)], layout)


def _timed(picture: Picture, index: int) -> Picture:
    picture.pts, picture.time_base = index, _TIME_BASE
    return picture


def _pulled(sink: FilterContext) -> Picture:
    picture = sink.pull()
    if not isinstance(picture, av.VideoFrame):
        raise TypeError(f"a filter gave {type(picture).__name__}")
    return picture
