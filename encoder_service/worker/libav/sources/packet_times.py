"""When the pictures of a video file are shown, as its packets state it: read without decoding one."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av.error
import msgspec
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

_VP8_IS_SHOWN = 0x10
"""In the first byte of a VP8 frame; others are there for later frames to refer to."""


class PictureTimes(msgspec.Struct, frozen=True):
    """Times of all pictures, in the order in which they are shown."""

    ticks: list[int]
    """Empty: the file states none, as bare streams of a codec."""
    tick_seconds: Fraction
    """The unit of `ticks`."""
    last_ticks: int = 0
    """How long the last picture is shown; 0: not stated, or not to be believed."""


def picture_times(container: InputContainer, stream: VideoStream) -> PictureTimes:
    """Reads the container to its end, or to where it is damaged: decoding finds and reports that."""
    found: list[tuple[int, int]] = []
    first_key: int | None = None
    is_vp8 = stream.codec_context.codec.canonical_name == "vp8"
    try:
        for packet in container.demux(stream):
            if packet.pts is None or not packet.size:
                continue
            if first_key is None and packet.is_keyframe:
                first_key = packet.pts
            if not packet.is_discard and (not is_vp8 or _is_shown(packet)):
                found.append((packet.pts, packet.duration or 0))
    except av.error.FFmpegError:
        pass
    # What is shown before the first key picture of a cut stream refers to pictures that are not there.
    found = sorted(each for each in found if first_key is None or each[0] >= first_key)
    tick_seconds = Fraction(stream.time_base or 0)
    if not found or tick_seconds <= 0:
        return PictureTimes([], Fraction(0))
    last_ticks = max(0, found[-1][1]) if _are_true(found) else 0
    return PictureTimes([pts for pts, _ in found], tick_seconds, last_ticks)


def _are_true(found: list[tuple[int, int]]) -> bool:
    """Whether most durations are what passes until the next picture: some files make up one for all."""
    checks = [abs(later - pts - duration) <= 1 for (pts, duration), (later, _) in pairwise(found)]
    return 2 * sum(checks) >= len(checks)


def _is_shown(packet: Packet[VideoStream]) -> bool:
    return bool(memoryview(packet)[0] & _VP8_IS_SHOWN)
