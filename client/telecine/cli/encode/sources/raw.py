"""Raw frames from a pipe, as `ffmpeg -f rawvideo` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from telecine.cli.encode.sources.source import Source
from telecine.cli.show.failures import SourceError
from telecine.request.frame_layout import FrameLayout


def open_raw(stream: BinaryIO, layout: FrameLayout, name: str) -> Source:
    """Reads frames until the pipe `name` ends. Iterating raises SourceError when it ends inside a frame."""
    return Source(
        description=f"raw frames from {name} ({layout})",
        width=layout.width,
        height=layout.height,
        frames=_frames(stream, layout, name),
        frame_bytes=layout.frame_bytes,
        pixel_format=layout.pixel_format,
    )


def _frames(stream: BinaryIO, layout: FrameLayout, name: str) -> Iterator[bytes]:
    count = 0
    while data := _read_exactly(stream, layout.frame_bytes):
        if len(data) < layout.frame_bytes:
            raise SourceError(
                f"{name} ended inside frame {count}: {len(data)} of {layout.frame_bytes} bytes",
                f"{layout} is not what the sender sends; check --size and --pix-fmt",
            )
        count += 1
        yield data


def _read_exactly(stream: BinaryIO, size_bytes: int) -> bytes:
    """Reads a whole frame, or what is left; pipes give short reads."""
    data = stream.read(size_bytes)
    while 0 < len(data) < size_bytes:
        more = stream.read(size_bytes - len(data))
        if not more:
            break
        data += more
    return data
