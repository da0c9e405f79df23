"""Turns the overlays of a protobuf output into the service's own types; every wrong field is named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping

from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.config import EncoderConfig
from encoder_service.spec.overlays.fonts import find_font, list_fonts
from encoder_service.spec.overlays.overlay import (
    OF_FRAMES,
    OF_JOBS,
    ImageOverlay,
    Length,
    Overlay,
    Position,
    TextOverlay,
    field_names,
)
from encoder_service.spec.overlays.picture_header import find_fault
from encoder_service.spec.sizes import MAX_SIDE_PIXELS
from encoder_service.wire.enums import POSITIONS
from encoder_service.wire.fields import Faults

MAX_TEXT_CHARS = 2000
MAX_SECONDS = 1e6
_FONTS_NAMED = 20

_COLOR = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def pictures_of(message: pb.JobSpec) -> dict[str, bytes]:
    """The images that a spec holds, by their SHA-256."""
    images = (overlay.image.image for output in message.outputs for overlay in output.overlays)
    return {hashlib.sha256(image).hexdigest(): image for image in images if image}


def parse_overlays(
    message: pb.OutputSpec, job: pb.JobSpec, pictures: Mapping[str, bytes], at: str, config: EncoderConfig,
    faults: Faults,
) -> tuple[Overlay, ...]:  # fmt: skip
    """Returns an output's overlays; what is wrong goes to `faults`. `pictures`: those of `pictures_of`."""
    count, most = len(message.overlays), config.max_overlays_per_output
    faults.check(count <= most, f"{at}.overlays", f"must be at most {most}, are {count}")
    found = []
    for index, overlay in enumerate(message.overlays[:most]):
        where = f"{at}.overlays[{index}]"
        kind = overlay.WhichOneof("kind")
        if kind == "text":
            content: TextOverlay | ImageOverlay = _text(overlay.text, job, f"{where}.text", config, faults)
            usual = Position.BOTTOM
        elif kind == "image":
            content = _image(overlay.image, pictures, f"{where}.image", config, faults)
            usual = Position.BOTTOM_RIGHT
        else:
            faults.add(where, "must have a text or an image")
            continue
        found.append(_overlay(overlay, content, usual, where, faults))
    return tuple(found)


def _overlay(
    message: pb.Overlay, kind: TextOverlay | ImageOverlay, usual: Position, at: str, faults: Faults
) -> Overlay:
    position = (
        usual if not message.position else faults.pick(POSITIONS, message.position, f"{at}.position", usual)
    )
    opacity = message.opacity if message.HasField("opacity") else 1.0
    faults.check(0 <= opacity <= 1, f"{at}.opacity", f"must be 0 to 1, is {opacity:g}")
    x, y = (_length(message, name, at, faults, least=-1.0) for name in ("x", "y"))
    faults.check((x is None) == (y is None), at, "x and y must both be set, or none of them")
    start = seconds(message.start, f"{at}.start", faults)
    end = seconds(message.end, f"{at}.end", faults) if message.HasField("end") else None
    faults.check(end is None or end > start, f"{at}.end", f"must come after the start, {start:g} s")
    return Overlay(
        kind=kind,
        position=position,
        x=x,
        y=y,
        margin=_length(message, "margin", at, faults) or Overlay(kind, position).margin,
        opacity=opacity,
        start_seconds=start,
        end_seconds=end,
    )


def _text(
    message: pb.TextOverlay, job: pb.JobSpec, at: str, config: EncoderConfig, faults: Faults
) -> TextOverlay:
    usual = TextOverlay("")
    text, font = message.text, message.font or usual.font
    is_right = 1 <= len(text) <= MAX_TEXT_CHARS and "\0" not in text
    faults.check(
        is_right, f"{at}.text", f"must be 1 to {MAX_TEXT_CHARS} characters without a zero, is {len(text)}"
    )
    _check_fields(text[:MAX_TEXT_CHARS], job.metadata, f"{at}.text", faults)
    if len(font) > 1024 or find_font(font, config.font_directories) is None:
        # Listing them goes through directories: once is enough, however many overlays are wrong.
        is_listed = any(fault.field.endswith(".font") for fault in faults.found)
        known = "those above" if is_listed else ", ".join(list_fonts(config.font_directories)[:_FONTS_NAMED])
        faults.add(f"{at}.font", f"{font[:80]!r} is no font of this server; expected one of {known}")
    return TextOverlay(
        text=text,
        font=font,
        size=_length(message, "size", at, faults) or usual.size,
        color=_color(message.color, f"{at}.color", faults) or usual.color,
        outline_width=_length(message, "outline_width", at, faults) or usual.outline_width,
        outline_color=_color(message.outline_color, f"{at}.outline_color", faults) or usual.outline_color,
        box_color=_color(message.box_color, f"{at}.box_color", faults),
        box_padding=_length(message, "box_padding", at, faults) or usual.box_padding,
    )


def _check_fields(text: str, metadata: Collection[str], at: str, faults: Faults) -> None:
    try:
        names = field_names(text)
    except ValueError as error:
        faults.add(at, f"has {error}")
        return
    known = (*OF_FRAMES, *OF_JOBS, *metadata)
    for name in names:
        listed = ", ".join(known)[:400]
        faults.check(name in known, at, f"has no value for {{{name[:80]}}}; known fields are {listed}")


def _image(
    message: pb.ImageOverlay, pictures: Mapping[str, bytes], at: str, config: EncoderConfig, faults: Faults
) -> ImageOverlay:
    limit = config.max_overlay_image_bytes
    width = _length(message, "width", at, faults)
    faults.check(width is None or width.value > 0, f"{at}.width", "must be above 0")
    image, sha256 = message.image, message.image_sha256
    if bool(image) == bool(sha256):
        faults.add(f"{at}.image", "must be set, or image_sha256 instead")
    elif sha256:
        is_right = _SHA256.fullmatch(sha256) is not None
        image = pictures.get(sha256, b"") if is_right else b""
        faults.check(bool(image), f"{at}.image_sha256", "must be that of an image in another overlay")
    faults.check(len(image) <= limit, f"{at}.image", f"must be at most {limit} bytes, is {len(image)}")
    if message.image and (wrong := find_fault(message.image)):
        faults.add(f"{at}.image", wrong)
    return ImageOverlay(hashlib.sha256(image).hexdigest(), len(image), width)


def _length(
    message: pb.Overlay | pb.TextOverlay | pb.ImageOverlay,
    field: str,
    at: str,
    faults: Faults,
    least: float = 0.0,
) -> Length | None:
    """A length; None where it is unset. `least` of 0 allows none below zero."""
    value: pb.Length = getattr(message, field)
    which = value.WhichOneof("value")
    if which is None:
        return None
    number, most = (value.pixels, float(MAX_SIDE_PIXELS)) if which == "pixels" else (value.fraction, 1.0)
    low = -most if least < 0 else 0.0
    faults.check(
        low <= number <= most, f"{at}.{field}.{which}", f"must be {low:g} to {most:g}, is {number:g}"
    )
    return Length(number, is_fraction=which == "fraction")


def _color(text: str, at: str, faults: Faults) -> str:
    faults.check(
        not text or _COLOR.fullmatch(text) is not None,
        at,
        f'must be "#rrggbb" or "#rrggbbaa", is {text[:80]!r}',
    )
    return text.lower()


def seconds(message: Duration, at: str, faults: Faults) -> float:
    """A duration; what is below zero or without reason is noted."""
    value = message.seconds + message.nanos / 1e9
    faults.check(0 <= value <= MAX_SECONDS, at, f"must be 0 to {MAX_SECONDS:g} seconds, is {value:g}")
    return value
