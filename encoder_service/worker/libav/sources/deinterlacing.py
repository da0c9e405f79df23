"""Whole pictures of interlaced ones, by FFmpeg's bwdif: one for two fields; progressive ones stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import av.error
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.errors import translated

_FILTER: Final = "bwdif"
_OPTIONS: Final = "mode=send_frame:parity=auto:deint=interlaced"
_FAILED = FailureCode.CONVERSION_FAILED


def deinterlaced(pictures: Iterator[VideoFrame], stream: VideoStream) -> Iterator[VideoFrame]:
    """Yields as many pictures as it takes, one or two later. Raises OutputError."""
    graph: Graph | None = None
    for picture in pictures:
        graph = graph or _open(stream, picture)
        with translated(_FAILED, "deinterlacing"):
            graph.push(picture)
        yield from _ready(graph)
    if graph is not None:
        with translated(_FAILED, "deinterlacing"):
            graph.push(None)
        yield from _ready(graph)


def _open(stream: VideoStream, first: VideoFrame) -> Graph:
    with translated(_FAILED, "deinterlacing"):
        graph = Graph()
        source = graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=stream.time_base
        )
        graph.link_nodes(source, graph.add(_FILTER, _OPTIONS), graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        with translated(_FAILED, "deinterlacing"):
            try:
                picture = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
        if not isinstance(picture, VideoFrame):  # pragma: no cover -- the graph takes pictures alone
            raise OutputError(_FAILED, "deinterlacing gave no picture")
        yield picture
