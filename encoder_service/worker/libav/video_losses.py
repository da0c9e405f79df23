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
from encoder_service.worker.libav.sources.tags import tags_left_out

_HDR_TYPES = {
    "MASTERING_DISPLAY_METADATA": "HDR10",
    "CONTENT_LIGHT_LEVEL": "HDR10",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
}
_PROJECTIONS = {"STEREO3D": "two views in one picture", "SPHERICAL": "a view all around"}


class SourceLoss(msgspec.Struct, frozen=True):
    """One thing that is not carried over."""

    code: WarningCode
    message: str


def losses_at_opening(container: InputContainer, stream: VideoStream, first: VideoFrame) -> list[SourceLoss]:
    """What is known before the second frame is decoded."""
    known = [*_streams_left_out(container, stream), *_tags(container, stream), *_side_data(first)]
    return with_interlaced(known, int(first.interlaced_frame))


def _tags(container: InputContainer, stream: VideoStream) -> Iterator[SourceLoss]:
    if names := tags_left_out(container, stream):
        yield SourceLoss(WarningCode.SOURCE_METADATA_DROPPED, f"its tags are left out: {names}")


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


def pixels_kept(aspect: Fraction, shown: tuple[int, int]) -> SourceLoss:
    """That pixels which are not square are taken as square; `shown` is the size that players show."""
    return SourceLoss(
        WarningCode.SOURCE_PIXELS_NOT_SQUARE,
        f"its pixels are not square ({aspect.numerator}:{aspect.denominator}) and are taken as square; "
        f"scale={shown[0]}x{shown[1]},scale_mode=stretch gives the picture that players show",
    )


def turn_left_out(picture: VideoFrame, *, is_on_purpose: bool) -> SourceLoss:
    """That pictures are not turned as their display matrix says."""
    reason = "as was asked for" if is_on_purpose else "which is not done"
    return SourceLoss(
        WarningCode.SOURCE_ORIENTATION_IGNORED,
        f"it is left as it lies, {reason}: its display matrix turns it by {picture.rotation:g} degrees, "
        "mirrors or stretches it",
    )


def with_interlaced(losses: list[SourceLoss], count: int) -> list[SourceLoss]:
    """The losses, with `count` pictures that hold two fields each instead of what was noted before."""
    others = [loss for loss in losses if loss.code is not WarningCode.SOURCE_INTERLACED]
    if not count:
        return others
    pictures = "1 of its pictures is" if count == 1 else f"{count} of its pictures are"
    message = f"{pictures} interlaced; both fields stay in one picture, which is shown as progressive"
    return [*others, SourceLoss(WarningCode.SOURCE_INTERLACED, message)]


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
