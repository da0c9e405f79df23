"""What of a video file its raw frames do not carry, said for people: nothing is left out in silence."""

from __future__ import annotations

from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_HDR10_TYPES = ("mastering_display_metadata", "content_light_level")
"""FFmpeg's names; PyAV writes them in capitals."""
_EVEN_RATIO = 1.5
"""Between the longest and the shortest picture; rounding to a container's clock stays far below it."""


def losses_at_opening(
    container: InputContainer, stream: VideoStream, first: VideoFrame, *, is_on_its_side: bool
) -> list[str]:
    """What is known before the second frame is decoded."""
    losses = []
    if tracks := len(container.streams.audio):
        losses.append("its sound is left out" + (f" ({tracks} tracks)" if tracks > 1 else ""))
    if len(container.streams.subtitles):
        losses.append("its subtitles are left out")
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if aspect > 0 and aspect != 1:
        shown = (round(first.width * aspect), first.height)
        width, height = reversed(shown) if is_on_its_side else shown
        losses.append(
            f"its pixels are not square ({aspect.numerator}:{aspect.denominator}) and are taken as square; "
            f"scale={width}x{height},scale_mode=stretch gives the picture that players show"
        )
    if first.interlaced_frame:
        losses.append("it is interlaced; both fields stay in one picture, which is shown as progressive")
    if any(name.upper() in first.side_data for name in _HDR10_TYPES):
        losses.append(
            "its HDR10 metadata is left out; options.x265-params with master-display and max-cll sets it"
        )
    return losses


class Timing:
    """Sees whether all pictures are shown equally long, as those of an output are."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._shortest = self._longest = 0

    def see(self, pts: int | None) -> None:
        """Takes the next picture's time."""
        if pts is None:
            return
        shown = pts - self._last if self._last is not None else 0
        self._last = pts
        if shown > 0:
            self._shortest = min(self._shortest or shown, shown)
            self._longest = max(self._longest, shown)

    def losses(self) -> list[str]:
        """What is lost by showing every picture equally long."""
        if self._longest <= self._shortest * _EVEN_RATIO:
            return []
        return ["its pictures come at uneven times (variable frame rate) and are shown equally long"]
