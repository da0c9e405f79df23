"""GetPreview: what a request may ask for, and the answer."""

from __future__ import annotations

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service import errors
from encoder_service.errors import FieldViolation
from encoder_service.jobs.job import Job
from encoder_service.previews.cache import Preview, PreviewKey
from encoder_service.rpc import replies
from encoder_service.worker_protocol import PreviewFormat

MIN_SIDE_PIXELS, MAX_SIDE_PIXELS, DEFAULT_SIDE_PIXELS = 64, 1280, 640
NEWEST = -1

_FORMATS = {
    pb.PREVIEW_FORMAT_UNSPECIFIED: PreviewFormat.WEBP,
    pb.PREVIEW_FORMAT_WEBP: PreviewFormat.WEBP,
    pb.PREVIEW_FORMAT_JPEG: PreviewFormat.JPEG,
}


def check_preview(request: pb.GetPreviewRequest) -> None:
    """Raises ServiceError INVALID_FIELD that names every wrong field."""
    wrong = []
    if request.HasField("frame_index") and request.frame_index < 0:
        wrong.append(FieldViolation("frame_index", f"must not be below 0, is {request.frame_index}"))
    if request.max_side and not MIN_SIDE_PIXELS <= request.max_side <= MAX_SIDE_PIXELS:
        expected = f"must be 0 or {MIN_SIDE_PIXELS} to {MAX_SIDE_PIXELS}"
        wrong.append(FieldViolation("max_side", f"{expected}, is {request.max_side}"))
    if request.format not in _FORMATS:
        wrong.append(FieldViolation("format", f"must be WEBP (1) or JPEG (2), is {request.format}"))
    if wrong:
        raise errors.invalid_fields(wrong)


def preview_key(job: Job, request: pb.GetPreviewRequest) -> PreviewKey:
    """What a checked request asks for."""
    return PreviewKey(
        job,
        request.frame_index if request.HasField("frame_index") else NEWEST,
        request.max_side or DEFAULT_SIDE_PIXELS,
        _FORMATS[request.format],
    )


def preview_response(job: Job, preview: Preview) -> pb.GetPreviewResponse:
    """The picture, and where the job stands now."""
    return pb.GetPreviewResponse(
        image=preview.image,
        media_type=preview.format.media_type,
        frame_index=preview.frame,
        width=preview.width,
        height=preview.height,
        persisted_frames=job.frames_ready,
        state=replies.JOB_STATES[job.state],
        made_at=replies.timestamp(preview.made_at_unix_nano),
    )
