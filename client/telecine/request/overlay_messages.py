"""Turns overlays into the contract's messages; an image that stands in several of them travels once."""

from __future__ import annotations

import hashlib
import io
import operator
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.fields import number, refused, text
from telecine.request.options import chosen
from telecine.request.orientation import upright
from telecine.request.overlays import ImageOverlay, Length, Overlay, Position, TextOverlay

_POSITIONS = {position: number for number, position in enumerate(Position, 1)}


class OverlayMessages:
    """Makes the messages of one job."""

    def __init__(self) -> None:
        self._sent: set[str] = set()

    def message(self, overlay: Overlay, where: str) -> pb.Overlay:
        """One overlay. Raises InvalidRequestError, also for a file that cannot be read."""
        if not isinstance(overlay, TextOverlay | ImageOverlay):
            raise refused(where, overlay, "a TextOverlay or an ImageOverlay")
        message = pb.Overlay(
            position=_POSITIONS[chosen(Position, overlay.position, f"{where}.position")],  # type: ignore[arg-type] # NewType of int
            x=length(overlay.x, f"{where}.x"),
            y=length(overlay.y, f"{where}.y"),
            margin=length(overlay.margin, f"{where}.margin"),
            opacity=number(overlay.opacity, f"{where}.opacity", 0, 1),
            start=duration(overlay.start_seconds, f"{where}.start_seconds"),
            end=None
            if overlay.end_seconds is None
            else duration(overlay.end_seconds, f"{where}.end_seconds"),
        )
        if isinstance(overlay, TextOverlay):
            message.text.CopyFrom(_text(overlay, where))
        else:
            message.image.CopyFrom(self._image(overlay, where))
        return message

    def _image(self, overlay: ImageOverlay, where: str) -> pb.ImageOverlay:
        data = _bytes(overlay, where)
        digest = hashlib.sha256(data).hexdigest()
        message = pb.ImageOverlay(width=length(overlay.width, f"{where}.width"))
        if digest in self._sent:
            message.image_sha256 = digest
        else:
            message.image = data
            self._sent.add(digest)
        return message


def length(value: Length | None, where: str) -> pb.Length | None:
    """A length; None where it is left to the server. Raises InvalidRequestError."""
    if value is None:
        return None
    try:
        return _length(value)
    except (TypeError, ValueError, OverflowError):
        raise refused(
            where, value, 'whole pixels (12 or "12px") or a fraction from -1 to 1 (0.05 or "5%")'
        ) from None


def _length(value: Length) -> pb.Length:
    if isinstance(value, str):
        text = value.strip()
        if text.endswith("%"):
            return _length(float(text[:-1]) / 100)
        return pb.Length(pixels=float(text.removesuffix("px")))
    if isinstance(value, bool):
        raise TypeError(value)
    if hasattr(value, "__index__"):
        return pb.Length(pixels=operator.index(value))
    value = float(value)
    if not -1 <= value <= 1:
        raise ValueError(value)
    return pb.Length(fraction=value)


def duration(seconds: float, where: str) -> Duration:
    """Seconds, to the microsecond, up to 1000000. Raises InvalidRequestError for what is no time."""
    seconds = number(seconds, where, 0, 1e6)
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    return Duration(seconds=whole, nanos=micros * 1000)


def _text(overlay: TextOverlay, where: str) -> pb.TextOverlay:
    return pb.TextOverlay(
        text=text(overlay.text, f"{where}.text"),
        font=text(overlay.font, f"{where}.font"),
        size=length(overlay.size, f"{where}.size"),
        color=text(overlay.color, f"{where}.color"),
        outline_width=length(overlay.outline_width, f"{where}.outline_width"),
        outline_color=text(overlay.outline_color, f"{where}.outline_color"),
        box_color=text(overlay.box_color, f"{where}.box_color"),
        box_padding=length(overlay.box_padding, f"{where}.box_padding"),
    )


def _bytes(overlay: ImageOverlay, where: str) -> bytes:
    image = overlay.image
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | Path):
        try:
            return Path(image).read_bytes()
        except (OSError, ValueError) as error:
            raise refused(f"{where}.image", str(image), f"a file that can be read ({error})") from error
    if hasattr(image, "save"):
        buffer = io.BytesIO()
        upright(image).save(buffer, "PNG", exif=b"")  # or it would be turned once more
        return buffer.getvalue()
    raise refused(f"{where}.image", image, "a file's bytes, its path, or an image of Pillow")
