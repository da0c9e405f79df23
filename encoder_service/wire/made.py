"""Checks what a spec asks to be made: pictures, overlays, contact sheets, and all frames of a job."""

from __future__ import annotations

from collections.abc import Mapping

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS, WriterKind
from encoder_service.spec.made_pixels import Size, makings, most_frames, picture_size, sheet_size, text_pixels
from encoder_service.spec.overlay_layout import image_size
from encoder_service.spec.overlays.overlay import (
    OF_FRAMES,
    ImageOverlay,
    Overlay,
    TextOverlay,
    field_names,
    fill,
)
from encoder_service.spec.overlays.picture_header import read_header
from encoder_service.spec.sizes import MAX_SIDE_PIXELS
from encoder_service.spec.spec import OutputSpec, VideoSpec
from encoder_service.wire.fields import FieldViolations
from encoder_service.wire.limits import WireLimits

MAX_FILLED_CHARS = 10_000
"""Of an overlay's text with its fields filled in: one field may hold 64 KiB, and stand there often."""
_MAY_BE_TURNED = (b"Exif", b"eXIf", b"EXIF", b"Orientation")
"""Stand in pictures that may say that they lie on their side."""
_MAX_SHEET_SIDE = 65_500
"""libjpeg's limit."""
_LONGEST_FIELD = "0" * 20
"""Number or time of a frame."""


def check_made(
    output: OutputSpec, job: pb.JobSpec, pictures: Mapping[str, bytes], at: str, limits: WireLimits,
    violations: FieldViolations,
) -> None:  # fmt: skip
    """Notes pictures and overlays that would cost a worker more memory than anybody may ask for."""
    video = job.video
    if not (0 < video.width <= MAX_SIDE_PIXELS and 0 < video.height <= MAX_SIDE_PIXELS):
        return
    if any(violation.field.startswith(f"{at}.scale") for violation in violations.found):
        return
    try:
        size = picture_size(output.scale, video.width, video.height)
    except OutputError as error:
        violations.add(f"{at}.scale", str(error))
        return
    width, height = size
    # Frames that were sent as large may be encoded as large.
    most = max(limits.max_output_pixels, video.width * video.height)
    violations.check(
        width * height <= most,
        f"{at}.scale",
        f"comes to {width} x {height}, {width * height} pixels; max_output_pixels is {most} here",
    )
    _check_sheet(output, size, video.expected_frames, at, limits, violations)
    _check_overlays(output, job, size, pictures, at, limits, violations)


def _check_sheet(
    output: OutputSpec, size: Size, frames: int, at: str, limits: WireLimits, violations: FieldViolations
) -> None:
    row = FORMATS.get(output.format)
    if row is None or row.writer is not WriterKind.CONTACT_SHEET:
        return
    if any(violation.field in {f"{at}.columns", f"{at}.rows"} for violation in violations.found):
        return
    grid = f"{output.columns or 'any'} columns and {output.rows or 'any'} rows"
    try:
        width, height = sheet_size(size, output.columns, output.rows, max(0, frames))
    except ValueError as error:
        violations.add(f"{at}.columns", str(error))
        return
    most = limits.max_output_pixels
    violations.check(
        width * height <= most and max(width, height) <= _MAX_SHEET_SIDE,
        f"{at}.rows",
        f"{grid} come to a contact sheet of {width} x {height}, {width * height} pixels; max_output_pixels "
        f"is {most} here, and a side has at most {_MAX_SHEET_SIDE}; ask for more columns or fewer rows",
    )


def _check_overlays(
    output: OutputSpec, job: pb.JobSpec, size: Size, pictures: Mapping[str, bytes], at: str,
    limits: WireLimits, violations: FieldViolations,
) -> None:  # fmt: skip
    total = 0
    for index, overlay in enumerate(output.overlays):
        where = f"{at}.overlays[{index}]"
        if any(violation.field.startswith(where) for violation in violations.found):
            continue
        if isinstance(overlay.kind, TextOverlay):
            filled = _filled(overlay.kind.text, job, f"{where}.text.text", violations)
            pixels, what, kind = (
                text_pixels(overlay.kind, filled, size[1]),
                "size, outline and padding",
                "text",
            )
        else:
            width, height = _drawn_size(overlay, overlay.kind, pictures, size)
            pixels, what, kind = width * height, f"width comes to {width} x {height} and", "image"
        limit = limits.max_overlay_pixels
        violations.check(
            pixels <= limit,
            f"{where}.{kind}",
            f"with its {what} takes {pixels} pixels; max_overlay_pixels is {limit}",
        )
        # What lies outside of the picture is not kept.
        total += min(pixels, size[0] * size[1])
    most = limits.max_drawn_pixels
    violations.check(
        total <= most,
        f"{at}.overlays",
        f"take {total} pixels of pictures of {size[0]} x {size[1]}; max_drawn_pixels is {most} here",
    )


def _filled(text: str, job: pb.JobSpec, at: str, violations: FieldViolations) -> str:
    """The text at its longest; one that is too long is noted, and counts as empty."""
    values = {**job.metadata, "job_id": job.job_id, **dict.fromkeys(OF_FRAMES, _LONGEST_FIELD)}
    length = len(fill(text, dict.fromkeys(values, "")))
    length += sum(len(values[name]) for name in field_names(text))
    if length > MAX_FILLED_CHARS:
        violations.add(
            at,
            f"has {length} characters with its fields filled in; the limit is {MAX_FILLED_CHARS} characters",
        )
        return ""
    return fill(text, values)


def _drawn_size(overlay: Overlay, image: ImageOverlay, pictures: Mapping[str, bytes], canvas: Size) -> Size:
    """The size at which a picture is drawn; the larger one where it may have to be turned upright."""
    data = pictures.get(image.sha256, b"")
    header = read_header(data)
    if header is None or not (header.width and header.height):
        # Its first bytes do not say: no picture comes to more.
        return canvas if image.width is None else image_size(overlay, image, (1, 1 << 30), canvas)
    shapes = [(header.width, header.height)]
    if any(mark in data for mark in _MAY_BE_TURNED):
        shapes.append((header.height, header.width))
    sizes = [image_size(overlay, image, shape, canvas) for shape in shapes]
    return max(sizes, key=lambda size: size[0] * size[1])


def check_total(
    outputs: tuple[OutputSpec, ...], video: VideoSpec, limits: WireLimits, violations: FieldViolations
) -> None:
    """Notes a clip of which all outputs together make more than this service makes for one job."""
    if violations.found:
        return
    most = limits.most_made_pixels
    longest = most_frames(outputs, video, most)
    frames = max(1, video.expected_frames)
    if longest is None or frames <= longest:
        return
    total = sum(making.total(frames) for making in makings(outputs, video))
    violations.add(
        "spec.video.expected_frames" if longest else "spec.outputs",
        f"{frames} frames come to {total} pixels in {len(outputs)} outputs; max_job_output_pixels is {most} "
        f"here, at most {longest} frames; ask for smaller or fewer outputs, or send the clip in parts",
    )
