"""Pictures of an upload's frames, for both kinds of client."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

from telecine.channel import calls
from telecine.clients.plan import id_of
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.fields import refused
from telecine.request.options import PreviewFormat, chosen
from telecine.results import reading
from telecine.results.values import Preview

_FORMATS = {
    PreviewFormat.WEBP: pb.PREVIEW_FORMAT_WEBP,
    PreviewFormat.JPEG: pb.PREVIEW_FORMAT_JPEG,
}
_MAX_FRAME = 2**63 - 1
_MIN_SIDE, _MAX_SIDE = 64, 1280

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)


class Viewing:
    """What `Client` has for looking at an upload."""

    def preview(
        self,
        job_id: str,
        frame: int | None = None,
        *,
        max_side: int = 640,
        format: str = "webp",  # noqa: A002 - as in `Output`
    ) -> Preview:
        """Returns a small picture of one frame of an upload, while the server keeps its frames.

        Args:
            job_id: The job to look at; any process may look at any job.
            frame: From 0. None: the newest frame that is safe on the server, which is drawn at most twice a
                second, however many ask.
            max_side: Pixels that the longer side has at most, 64 to 1280; smaller frames keep their size.
            format: "webp" or "jpeg".

        Raises:
            JobNotFoundError: The server knows no such job.
            FrameNotThereError: That frame has not come (yet).
            WrongStateError: The job has ended: its frames are gone, its artifacts are there.
            QuotaExceededError: More pictures were asked for than the server draws.
        """
        request = preview_request(job_id, frame, max_side, format)
        return reading.preview(self._call(calls.GET_PREVIEW, request))

    def _call(
        self, rpc: calls.Unary[RequestT, ResponseT], request: RequestT, timeout_seconds: float | None = None
    ) -> ResponseT:
        raise NotImplementedError


class AsyncViewing:
    """What `AsyncClient` has for looking at an upload."""

    async def preview(
        self,
        job_id: str,
        frame: int | None = None,
        *,
        max_side: int = 640,
        format: str = "webp",  # noqa: A002 - as in `Output`
    ) -> Preview:
        """Returns a small picture of one frame of an upload, while the server keeps its frames.

        Args:
            job_id: The job to look at; any process may look at any job.
            frame: From 0. None: the newest frame that is safe on the server, which is drawn at most twice a
                second, however many ask.
            max_side: Pixels that the longer side has at most, 64 to 1280; smaller frames keep their size.
            format: "webp" or "jpeg".

        Raises:
            JobNotFoundError: The server knows no such job.
            FrameNotThereError: That frame has not come (yet).
            WrongStateError: The job has ended: its frames are gone, its artifacts are there.
            QuotaExceededError: More pictures were asked for than the server draws.
        """
        request = preview_request(job_id, frame, max_side, format)
        return reading.preview(await self._call(calls.GET_PREVIEW, request))

    async def _call(
        self, rpc: calls.Unary[RequestT, ResponseT], request: RequestT, timeout_seconds: float | None = None
    ) -> ResponseT:
        raise NotImplementedError


def preview_request(job_id: str, frame: int | None, max_side: int, format_: str) -> pb.GetPreviewRequest:
    """Raises InvalidRequestError for what no server takes."""
    chosen_format = chosen(PreviewFormat, format_, "format")
    if not _MIN_SIDE <= max_side <= _MAX_SIDE:
        raise refused("max_side", max_side, f"{_MIN_SIDE} to {_MAX_SIDE} pixels")
    if frame is not None and not 0 <= frame <= _MAX_FRAME:
        raise refused("frame", frame, "None, or a frame from 0 on")
    return pb.GetPreviewRequest(
        job_id=id_of(job_id), frame_index=frame, max_side=max_side, format=_FORMATS[chosen_format]
    )
