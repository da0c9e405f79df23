"""A picture over frames: a watermark, a logo."""

from __future__ import annotations

import hashlib

import numpy as np

from encoder_service.evidence.facts import DrawnOverlay
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.overlay_layout import image_size, place
from encoder_service.spec.overlays.overlay import ImageOverlay, Overlay
from encoder_service.spec.overlays.picture_header import MAX_PIXELS
from encoder_service.worker import pillow
from encoder_service.worker.drawing.blend import Stamp, make_stamp
from encoder_service.worker.drawing.colors import to_frames
from encoder_service.worker.drawing.overlay_warnings import warn_of_gray_picture, warn_of_place
from encoder_service.worker.libav.pictures import PictureFormat
from encoder_service.worker.writer import WriterContext


class ImageLayer:
    """One image overlay; see `Layer`."""

    def __init__(
        self, overlay: Overlay, image: ImageOverlay, context: WriterContext, layout: PictureFormat
    ) -> None:
        """Decodes, resizes and converts the image. Raises OutputError."""
        data = _read(image, context)
        picture = pillow.read_overlay(data, MAX_PIXELS)
        if picture.ignored_profile:
            context.note(
                WarningCode.OVERLAY_PROFILE_IGNORED,
                f"the image's colour profile cannot be used ({picture.ignored_profile}); taken for sRGB",
            )
        pixels = picture.pixels
        rows, columns = pixels.shape[:2]
        width, height = image_size(overlay, image, (columns, rows), (layout.width, layout.height))
        if pixels.shape[:2] != (height, width):
            pixels = pillow.resize_overlay(pixels, width, height)
        self._image = image
        self._width, self._height = width, height
        self._left, self._top = place(overlay, (width, height), (layout.width, layout.height))
        warn_of_place(context, "image", (self._left, self._top), (width, height), layout)
        warn_of_gray_picture(context, pixels, layout)
        values = pixels.astype(np.float32) / np.float32(255)
        alpha = values[..., 3:] * np.float32(overlay.opacity)
        drawing = np.concatenate([to_frames(values[..., :3], layout.color) * alpha, alpha], axis=-1)
        self._stamp = make_stamp(drawing, self._left, self._top, layout)

    def stamp(self, frame: int) -> Stamp | None:
        """The image, ready to be drawn."""
        return self._stamp

    def report(self, first_frame: int, end_frame: int | None) -> DrawnOverlay:
        """The overlay as the manifest reports it: where it lies, and from when to when."""
        return DrawnOverlay(
            kind="image",
            left=self._left,
            top=self._top,
            width=self._width,
            height=self._height,
            first_frame=first_frame,
            end_frame=end_frame,
            sha256=self._image.sha256,
        )


def _read(image: ImageOverlay, context: WriterContext) -> bytes:
    try:
        data = (context.material.pictures / image.sha256).read_bytes()
    except OSError as error:
        raise OutputError(
            FailureCode.SPOOL_DAMAGED, f"the overlay's image cannot be read: {error.strerror}"
        ) from error
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise OutputError(FailureCode.SPOOL_DAMAGED, "the overlay's image is not the one that was sent")
    return data
