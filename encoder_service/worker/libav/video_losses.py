"""What of a video file its raw frames do not carry, by code and in words: nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import msgspec
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from encoder_service.spec.codes import WarningCode

_HDR_TYPES = {
    "MASTERING_DISPLAY_METADATA": "HDR10",
    "CONTENT_LIGHT_LEVEL": "HDR10",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
}
_PROJECTIONS = {"STEREO3D": "two views in one picture", "SPHERICAL": "a view all around"}
_EVEN_RATIO = 1.5
"""Between the longest and the shortest picture; rounding to a container's clock stays far below it."""


class SourceLoss(msgspec.Struct, frozen=True):
    """One thing that is not carried over."""

    code: WarningCode
    message: str


def losses_at_opening(
    container: InputContainer, stream: VideoStream, first: VideoFrame, *, is_on_its_side: bool
) -> list[SourceLoss]:
    """What is known before the second frame is decoded."""
    return [
        *_streams_left_out(container, stream),
        *_shape(stream, first, is_on_its_side=is_on_its_side),
        *_side_data(first),
    ]


def is_cover(stream: Stream) -> bool:
    """Whether a video stream is a still picture beside the film: cover art, thumbnails."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _streams_left_out(container: InputContainer, stream: VideoStream) -> Iterator[SourceLoss]:
    streams = container.streams
    if tracks := len(streams.audio):
        more = f" ({tracks} tracks)" if tracks > 1 else ""
        yield SourceLoss(WarningCode.SOURCE_SOUND_DROPPED, f"its sound is left out{more}")
    if tracks := len(streams.subtitles):
        more = f" ({tracks} tracks)" if tracks > 1 else ""
        yield SourceLoss(WarningCode.SOURCE_SUBTITLES_DROPPED, f"its subtitles are left out{more}")
    if count := len(container.chapters()):
        yield SourceLoss(WarningCode.SOURCE_CHAPTERS_DROPPED, f"its {count} chapters are left out")
    others = {
        "video streams": sum(1 for each in streams.video if each is not stream and not is_cover(each)),
        "cover pictures": sum(1 for each in streams.video if each is not stream and is_cover(each)),
        "data streams": len(streams.data),
        "attachments": len(streams.attachments),
    }
    named = [f"{count} {kind if count > 1 else kind[:-1]}" for kind, count in others.items() if count]
    if named:
        yield SourceLoss(WarningCode.SOURCE_STREAMS_DROPPED, f"left out beside its film: {', '.join(named)}")


def _shape(stream: VideoStream, first: VideoFrame, *, is_on_its_side: bool) -> Iterator[SourceLoss]:
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if aspect > 0 and aspect != 1:
        shown = (_even(first.width * aspect), _even(first.height))
        width, height = reversed(shown) if is_on_its_side else shown
        yield SourceLoss(
            WarningCode.SOURCE_PIXELS_NOT_SQUARE,
            f"its pixels are not square ({aspect.numerator}:{aspect.denominator}) and are taken as square; "
            f"scale={width}x{height},scale_mode=stretch gives the picture that players show",
        )
    if first.interlaced_frame:
        yield SourceLoss(
            WarningCode.SOURCE_INTERLACED,
            "it is interlaced; both fields stay in one picture, which is shown as progressive",
        )


def _even(side: Fraction | int) -> int:
    """The nearest number of pixels that every codec takes: advice must not cause a warning itself."""
    return max(2, 2 * round(Fraction(side) / 2))


def _side_data(first: VideoFrame) -> Iterator[SourceLoss]:
    if kinds := sorted({name for kind, name in _HDR_TYPES.items() if kind in first.side_data}):
        yield SourceLoss(
            WarningCode.SOURCE_HDR_DROPPED,
            f"its {' and '.join(kinds)} metadata is left out; options.x265-params with master-display and "
            "max-cll sets that of HDR10",
        )
    if "A53_CC" in first.side_data:
        yield SourceLoss(WarningCode.SOURCE_SUBTITLES_DROPPED, "its closed captions are left out")
    for kind, what in _PROJECTIONS.items():
        if kind in first.side_data:
            yield SourceLoss(
                WarningCode.SOURCE_PROJECTION_DROPPED,
                f"that it shows {what} is left out; it is taken as flat",
            )


class Timing:
    """Sees whether all pictures are shown equally long, as those of an output are."""

    def __init__(self, *, states_last: bool) -> None:
        """`states_last`: the container says how long the last picture is shown, as animations do."""
        self._states_last = states_last
        self._last: int | None = None
        self._last_shown = 0
        self._shortest = self._longest = 0

    def see(self, pts: int | None, duration: int | None = None) -> None:
        """Takes the next picture's time."""
        if pts is None:
            return
        if self._last is not None:
            self._take(pts - self._last)
        self._last, self._last_shown = pts, duration or 0

    def losses(self) -> list[SourceLoss]:
        """What is lost by showing every picture equally long."""
        if self._states_last:
            self._take(self._last_shown)
        if self._longest <= self._shortest * _EVEN_RATIO:
            return []
        return [
            SourceLoss(
                WarningCode.SOURCE_TIMING_CHANGED,
                "its pictures come at uneven times (variable frame rate) and are shown equally long",
            )
        ]

    def _take(self, shown: int) -> None:
        if shown > 0:
            self._shortest = min(self._shortest or shown, shown)
            self._longest = max(self._longest, shown)
