"""Decodes a video file to its end, as any reader would, and reports what was found."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import msgspec
from av.codec.context import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.color import tags_from_codes
from encoder_service.worker.libav.decoding import moving_streams
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.opening import open_input
from encoder_service.worker.libav.pictures import Picture, describe

_BROKEN = FailureCode.VERIFICATION_FAILED
_ALPHA_DECODERS = {"vp9": "libvpx-vp9", "vp8": "libvpx"}
"""FFmpeg's own decoders leave Matroska's side channel of alpha out."""


class VideoFacts(msgspec.Struct, frozen=True):
    """What a reader finds in a video file."""

    frame_count: int
    width: int
    height: int
    duration_seconds: float
    """From the first frame's beginning to the last one's end, as the timestamps say."""
    color: ColorTags
    has_alpha: bool


def decode_video(path: Path) -> VideoFacts:
    """Decodes every frame of the one video stream. Raises OutputError with code VERIFICATION_FAILED."""
    with translated(_BROKEN, f"decoding {path.name}"), open_input(path) as container:
        streams = [stream for stream in moving_streams(container) if isinstance(stream, VideoStream)]
        if not streams:
            raise OutputError(_BROKEN, f"{path.name} has no video stream")
        stream = streams[0]
        stream.thread_type = "AUTO"
        context = stream.codec_context
        color = tags_from_codes(
            context.color_primaries, context.color_trc, context.colorspace, context.color_range
        )
        count, sizes, first, last, formats = 0, set(), Fraction(0), Fraction(0), set()
        for picture in _pictures(container, stream):
            sizes.add((picture.width, picture.height))
            formats.add(picture.format.name)
            if picture.pts is not None and picture.time_base is not None:
                last = picture.pts * Fraction(picture.time_base)
                first = last if count == 0 else first
            count += 1
    if len(sizes) != 1:
        raise OutputError(_BROKEN, f"{path.name} has frames of {len(sizes)} sizes")
    width, height = sizes.pop()
    # The last frame is shown as long as the others are on average.
    shown = (last - first) * Fraction(count, count - 1) if count > 1 else Fraction(0)
    has_alpha = all(describe(name).has_alpha for name in formats)
    return VideoFacts(count, width, height, float(shown), color, has_alpha)


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[Picture]:
    decoder = _ALPHA_DECODERS.get(stream.codec_context.name)
    if decoder is None or stream.metadata.get("alpha_mode") != "1":
        yield from container.decode(stream)
        return
    own = CodecContext.create(decoder, "r")
    if not isinstance(own, VideoCodecContext):
        raise OutputError(_BROKEN, f"{decoder} is no video decoder")
    for packet in container.demux(stream):
        yield from own.decode(packet)
