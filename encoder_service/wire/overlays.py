"""Turns the overlays of a protobuf output into the service's own types; every wrong field is named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping

from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

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
from encoder_service.wire.fields import FieldViolations
from encoder_service.wire.limits import WireLimits

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
    message: pb.OutputSpec, job: pb.JobSpec, pictures: Mapping[str, bytes], at: str, limits: WireLimits,
    violations: FieldViolations,
) -> tuple[Overlay, ...]:  # fmt: skip
    """Returns an output's overlays; wrong fields go to `violations`. `pictures`: those of `pictures_of`."""
    count, most = len(message.overlays), limits.max_overlays_per_output
    violations.check(count <= most, f"{at}.overlays", f"must be at most {most}, are {count}")
    found = []
    for index, overlay in enumerate(message.overlays[:most]):
        where = f"{at}.overlays[{index}]"
        kind = overlay.WhichOneof("kind")
        if kind == "text":
            content: TextOverlay | ImageOverlay = _text(
                overlay.text, job, f"{where}.text", limits, violations
            )
            usual = Position.BOTTOM
        elif kind == "image":
            content = _image(overlay.image, pictures, f"{where}.image", limits, violations)
            usual = Position.BOTTOM_RIGHT
        else:
            violations.add(where, "must have a text or an image")
            continue
        found.append(_overlay(overlay, content, usual, where, violations))
    return tuple(found)


def _overlay(
    message: pb.Overlay,
    kind: TextOverlay | ImageOverlay,
    usual: Position,
    at: str,
    violations: FieldViolations,
) -> Overlay:
    position = (
        usual
        if not message.position
        else violations.pick(POSITIONS, message.position, f"{at}.position", usual)
    )
    opacity = message.opacity if message.HasField("opacity") else 1.0
    violations.check(0 <= opacity <= 1, f"{at}.opacity", f"must be 0 to 1, is {opacity:g}")
    x, y = (_length(message, name, at, violations, least=-1.0) for name in ("x", "y"))
    violations.check((x is None) == (y is None), at, "x and y must both be set, or none of them")
    start = seconds(message.start, f"{at}.start", violations)
    end = seconds(message.end, f"{at}.end", violations) if message.HasField("end") else None
    violations.check(end is None or end > start, f"{at}.end", f"must come after the start, {start:g} s")
    return Overlay(
        kind=kind,
        position=position,
        x=x,
        y=y,
        margin=_length(message, "margin", at, violations) or Overlay(kind, position).margin,
        opacity=opacity,
        start_seconds=start,
        end_seconds=end,
    )


def _text(
    message: pb.TextOverlay, job: pb.JobSpec, at: str, limits: WireLimits, violations: FieldViolations
) -> TextOverlay:
    usual = TextOverlay("")
    text, font = message.text, message.font or usual.font
    is_right = 1 <= len(text) <= MAX_TEXT_CHARS and "\0" not in text
    violations.check(
        is_right, f"{at}.text", f"must be 1 to {MAX_TEXT_CHARS} characters without a zero, is {len(text)}"
    )
    _check_fields(text[:MAX_TEXT_CHARS], job.metadata, f"{at}.text", violations)
    if len(font) > 1024 or find_font(font, limits.font_directories) is None:
        # Listing them goes through directories: once is enough, however many overlays are wrong.
        is_listed = any(violation.field.endswith(".font") for violation in violations.found)
        known = "those above" if is_listed else ", ".join(list_fonts(limits.font_directories)[:_FONTS_NAMED])
        violations.add(f"{at}.font", f"{font[:80]!r} is no font of this server; expected one of {known}")
    return TextOverlay(
        text=text,
        font=font,
        size=_length(message, "size", at, violations) or usual.size,
        color=_color(message.color, f"{at}.color", violations) or usual.color,
        outline_width=_length(message, "outline_width", at, violations) or usual.outline_width,
        outline_color=_color(message.outline_color, f"{at}.outline_color", violations) or usual.outline_color,
        box_color=_color(message.box_color, f"{at}.box_color", violations),
        box_padding=_length(message, "box_padding", at, violations) or usual.box_padding,
    )


def _check_fields(text: str, metadata: Collection[str], at: str, violations: FieldViolations) -> None:
    try:
        names = field_names(text)
    except ValueError as error:
        violations.add(at, f"has {error}")
        return
    known = (*OF_FRAMES, *OF_JOBS, *metadata)
    for name in names:
        listed = ", ".join(known)[:400]
        violations.check(name in known, at, f"has no value for {{{name[:80]}}}; known fields are {listed}")


def _image(
    message: pb.ImageOverlay,
    pictures: Mapping[str, bytes],
    at: str,
    limits: WireLimits,
    violations: FieldViolations,
) -> ImageOverlay:
    limit = limits.max_overlay_image_bytes
    width = _length(message, "width", at, violations)
    violations.check(width is None or width.value > 0, f"{at}.width", "must be above 0")
    image, sha256 = message.image, message.image_sha256
    if bool(image) == bool(sha256):
        violations.add(f"{at}.image", "must be set, or image_sha256 instead")
    elif sha256:
        is_right = _SHA256.fullmatch(sha256) is not None
        image = pictures.get(sha256, b"") if is_right else b""
        violations.check(bool(image), f"{at}.image_sha256", "must be that of an image in another overlay")
    violations.check(len(image) <= limit, f"{at}.image", f"must be at most {limit} bytes, is {len(image)}")
    if message.image and (wrong := find_fault(message.image)):
        violations.add(f"{at}.image", wrong)
    return ImageOverlay(hashlib.sha256(image).hexdigest(), len(image), width)


def _length(
    message: pb.Overlay | pb.TextOverlay | pb.ImageOverlay,
    field: str,
    at: str,
    violations: FieldViolations,
    least: float = 0.0,
) -> Length | None:
    """A length; None where it is unset. `least` of 0 allows none below zero."""
    value: pb.Length = getattr(message, field)
    which = value.WhichOneof("value")
    if which is None:
        return None
    number, most = (value.pixels, float(MAX_SIDE_PIXELS)) if which == "pixels" else (value.fraction, 1.0)
    low = -most if least < 0 else 0.0
    violations.check(
        low <= number <= most, f"{at}.{field}.{which}", f"must be {low:g} to {most:g}, is {number:g}"
    )
    return Length(number, is_fraction=which == "fraction")


def _color(text: str, at: str, violations: FieldViolations) -> str:
    violations.check(
        not text or _COLOR.fullmatch(text) is not None,
        at,
        f'must be "#rrggbb" or "#rrggbbaa", is {text[:80]!r}',
    )
    return text.lower()


def seconds(message: Duration, at: str, violations: FieldViolations) -> float:
    """A duration; what is below zero or without reason is noted."""
    value = message.seconds + message.nanos / 1e9
    violations.check(0 <= value <= MAX_SECONDS, at, f"must be 0 to {MAX_SECONDS:g} seconds, is {value:g}")
    return value
