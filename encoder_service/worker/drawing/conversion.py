"""From a frame as it was sent to a picture as an encoder wants it: laid on its canvas, then converted."""

from __future__ import annotations

from encoder_service.spec.geometry import Geometry, plan_geometry
from encoder_service.spec.spec import Color, OutputSpec, Scale, VideoSpec
from encoder_service.worker.drawing.canvas import Canvas, canvas_format, parse_background
from encoder_service.worker.drawing.painter import Painter
from encoder_service.worker.libav.pictures import Converter, Picture, PictureFormat, describe
from encoder_service.worker.writer import SourceFrame

__all__ = ["Conversion", "canvas_format", "pad_color", "parse_background", "plan_size"]


class Conversion:
    """Converts the frames of one track to one target; holds no frame. Not thread-safe."""

    def __init__(
        self,
        video: VideoSpec,
        geometry: Geometry,
        pixel_format: str,
        color: Color,
        *,
        background: str | None = None,
        pad_color: str = "#000000",
        painter: Painter | None = None,
        threads: int = 1,
    ) -> None:
        """Plans the way to `pixel_format` and `color` at the geometry's size.

        `background` ("#rrggbb") flattens alpha, None keeps it as far as the target can. `pad_color` fills
        what the picture leaves of its canvas. `painter` draws overlays. Raises OutputError.
        """
        self._canvas = Canvas(
            video, geometry, background=background, pad_color=pad_color, painter=painter, threads=threads
        )
        self.target = PictureFormat(pixel_format, geometry.width, geometry.height, color)
        self._converter = Converter(self._canvas.format, self.target, threads=threads)

    @property
    def is_zero_copy(self) -> bool:
        """Frames reach the encoder as they lie in the spool."""
        return self._converter.is_noop and self._canvas.is_untouched

    @property
    def is_drawn(self) -> bool:
        """Frames are drawn over, or lie on a larger canvas."""
        return self._canvas.is_drawn

    def picture(self, frame: SourceFrame) -> Picture:
        """Converts one frame. The picture may lie in the frame's own memory."""
        return self._converter.convert(self._canvas.picture(frame))


def plan_size(video: VideoSpec, output: OutputSpec, pixel_format: str) -> Geometry:
    """Plans the size of an output that is coded in `pixel_format`. Raises OutputError."""
    info = describe(pixel_format)
    return plan_geometry(
        video.width,
        video.height,
        output.scale,
        video.odd_size_policy,
        (info.width_step, info.height_step),
    )


def pad_color(scale: Scale | None) -> str:
    """What surrounds a picture that is smaller than its canvas."""
    return scale.pad_color if scale is not None else Scale().pad_color
