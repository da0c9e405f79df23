"""Decodes a video file to its end, as any reader would, and tells what was found."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import msgspec

from encoder_service.color import tags_from_codes
from encoder_service.libav.errors import translated
from encoder_service.outputs.writer import OutputError
from encoder_service.work import ColorTags

_BROKEN = "VERIFICATION_FAILED"


class VideoFacts(msgspec.Struct, frozen=True):
    """What a reader finds."""

    frame_count: int
    width: int
    height: int
    duration_seconds: float
    """From the first frame's beginning to the last one's end, as the timestamps say."""
    color: ColorTags


def decode_video(path: Path) -> VideoFacts:
    """Decodes every frame of the one video stream. Raises OutputError with code VERIFICATION_FAILED."""
    with translated(_BROKEN, f"decoding {path.name}"), av.open(str(path)) as container:
        if not container.streams.video:
            raise OutputError(_BROKEN, f"{path.name} has no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        context = stream.codec_context
        color = tags_from_codes(
            context.color_primaries, context.color_trc, context.colorspace, context.color_range
        )
        count, sizes, first, last = 0, set(), Fraction(0), Fraction(0)
        for picture in container.decode(stream):
            sizes.add((picture.width, picture.height))
            if picture.pts is not None and picture.time_base is not None:
                last = picture.pts * Fraction(picture.time_base)
                first = last if count == 0 else first
            count += 1
    if len(sizes) != 1:
        raise OutputError(_BROKEN, f"{path.name} has frames of {len(sizes)} sizes")
    width, height = sizes.pop()
    # The last frame is shown as long as the others are on average.
    shown = (last - first) * Fraction(count, count - 1) if count > 1 else Fraction(0)
    return VideoFacts(count, width, height, float(shown), color)
