"""Draws an output's overlays over its frames: each is rendered once, or once for each text it shows."""

from __future__ import annotations

from typing import Protocol

from encoder_service.evidence.facts import DrawnOverlay
from encoder_service.spec.overlay_layout import shown_frames
from encoder_service.spec.overlays.overlay import Overlay, TextOverlay
from encoder_service.worker.drawing.blend import Stamp
from encoder_service.worker.drawing.image_layer import ImageLayer
from encoder_service.worker.drawing.text_layer import TextLayer
from encoder_service.worker.libav.pictures import PictureFormat, Samples
from encoder_service.worker.writer import WriterContext


class Layer(Protocol):
    """One overlay, ready for frames of one layout. Safe to use from several threads."""

    def stamp(self, frame: int) -> Stamp | None:
        """What a frame gets; None: nothing is seen."""
        ...

    def report(self, first_frame: int, end_frame: int | None) -> DrawnOverlay:
        """Where it lies on the first frame that shows it."""
        ...


class Painter:
    """Draws on frames of one layout. Safe to use from several threads; draws the same for the same frame."""

    def __init__(self, context: WriterContext, layout: PictureFormat) -> None:
        """Reads fonts and images, and warns of what cannot be shown. Raises OutputError."""
        rate = context.output.frame_rate or context.video.frame_rate
        self._layers: list[tuple[int, int | None, Layer]] = []
        for overlay in context.output.overlays:
            first, end = shown_frames(overlay, rate)
            layer = _layer(overlay, context, layout, first)
            self._layers.append((first, end, layer))
            context.drew(layer.report(first, end))

    def is_drawing(self, frame: int) -> bool:
        """Whether anything is drawn over a frame."""
        return any(first <= frame and (end is None or frame < end) for first, end, _ in self._layers)

    def draw(self, planes: list[Samples], frame: int) -> None:
        """Draws over the planes of a frame, which must be writable. Raises OutputError."""
        for first, end, layer in self._layers:
            if first <= frame and (end is None or frame < end):
                stamp = layer.stamp(frame)
                if stamp is not None:
                    stamp.draw(planes)


def open_painter(context: WriterContext, layout: PictureFormat) -> Painter | None:
    """A painter for an output's frames; None where it has no overlays. Raises OutputError."""
    return Painter(context, layout) if context.output.overlays else None


def _layer(overlay: Overlay, context: WriterContext, layout: PictureFormat, first_frame: int) -> Layer:
    if isinstance(overlay.kind, TextOverlay):
        return TextLayer(overlay, overlay.kind, context, layout, first_frame)
    return ImageLayer(overlay, overlay.kind, context, layout)
