"""A small picture of one frame of an upload, for people who watch it come in."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from pathlib import Path

from encoder_service.evidence.chunk_sums import DamagedFramesError
from encoder_service.evidence.facts import Failed
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import OutputSpec, Scale, ScaleMode, VideoSpec
from encoder_service.worker import pillow
from encoder_service.worker.images.pixels import FramePixels, PixelLimits, Pixels
from encoder_service.worker.images.webp_frame import WebpSettings, encode_lossy_still
from encoder_service.worker.process.source import SpoolSource
from encoder_service.worker.writer import WriterContext
from encoder_service.worker_protocol import MAX_PREVIEW_BYTES, DrawPreview, Pictured, PreviewFormat
from service_host.status.disclosure import for_clients, of_os_error

_QUALITIES = (80, 60, 40, 20, 5)
"""The first whose file is small enough; noise at 1280 pixels exceeds the bound at 80."""
_WEBP_METHOD = 2
"""Of 0 to 6: a quarter of the time of 4, for a tenth more bytes."""
_FURTHER_NICENESS = 5
"""Below the outputs: nobody waits for a preview but the one who looks."""


def draw_preview(order: DrawPreview) -> Pictured | Failed:
    """Draws it as a poster of the same frame would be. Never raises."""
    with suppress(OSError):
        os.nice(_FURTHER_NICENESS)
    code: FailureCode
    try:
        pixels = _pixels(order)
        height, width = pixels.shape[:2]
        return Pictured(_encoded(pixels, order.format), width, height)
    except OutputError as error:
        code, message = FailureCode.ENCODING_FAILED, str(error)
    except DamagedFramesError as error:
        code, message = FailureCode.SPOOL_DAMAGED, str(error)
    except MemoryError:
        code, message = FailureCode.OUT_OF_MEMORY, "the worker has no memory left"
    except OSError as error:
        code, message = FailureCode.IO_ERROR, of_os_error(error)
    except Exception as error:  # noqa: BLE001 - the worker must answer, whatever a library does
        traceback.print_exc()
        code, message = FailureCode.INTERNAL, f"{type(error).__name__}: {error}"
    return Failed(code, for_clients(message), is_retryable=False)


def preview_size(video: VideoSpec, max_side: int) -> tuple[int, int]:
    """Width and height: the aspect ratio is kept, and nothing is made larger."""
    longer = max(video.width, video.height)
    if longer <= max_side:
        return video.width, video.height
    sides = (max(1, round(side * max_side / longer)) for side in (video.width, video.height))
    width, height = sides
    return width, height


def _pixels(order: DrawPreview) -> Pixels:
    video = order.video
    width, height = preview_size(video, order.max_side)
    row = FORMATS["poster"]
    output = OutputSpec("preview", row.name, scale=Scale(width, height, ScaleMode.STRETCH))
    with SpoolSource(Path(order.spool_path), video.frame_bytes) as source:
        source.extend(order.frame + 1)
        context = WriterContext(
            video=video,
            output=output,
            directory=Path(os.devnull),
            threads=1,
            source=source,
            warn=lambda _code, _message: None,
            log=lambda _line: None,
        )
        encoder = row.candidates(row.default_codec)[0]
        source.skip_to(order.frame)
        return FramePixels(context, encoder, PixelLimits()).array(source.frame(order.frame))


def _encoded(pixels: Pixels, format_: PreviewFormat) -> bytes:
    for quality in _QUALITIES:
        if format_ is PreviewFormat.JPEG:
            image = pillow.encode_jpeg(pixels, quality)
        else:
            image = encode_lossy_still(pixels, WebpSettings(quality, _WEBP_METHOD, is_lossless=False))
        if len(image) <= MAX_PREVIEW_BYTES:
            return image
    raise OutputError(FailureCode.ARTIFACT_TOO_LARGE, f"the picture has more than {MAX_PREVIEW_BYTES} bytes")
