"""The encoder's rpcs by name, with the types that go in and come out; shared by both kinds of channel."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from google.protobuf.message import Message

from telecine.encoder.v1 import encoder_pb2 as pb

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)

_SERVICE = "/telecine.encoder.v1.EncoderService/"
ENCODE_PATH = f"{_SERVICE}Encode"
DOWNLOAD_PATH = f"{_SERVICE}DownloadArtifact"
WATCH_PATH = f"{_SERVICE}WatchJob"

REQUEST_ID_KEY = "x-request-id"


@dataclass(frozen=True, slots=True)
class Unary(Generic[RequestT, ResponseT]):
    """One unary rpc; every one of them may be repeated."""

    path: str
    response: type[ResponseT]


GET_JOB: Unary[pb.GetJobRequest, pb.GetJobResponse] = Unary(f"{_SERVICE}GetJob", pb.GetJobResponse)
LIST_JOBS: Unary[pb.ListJobsRequest, pb.ListJobsResponse] = Unary(f"{_SERVICE}ListJobs", pb.ListJobsResponse)
CANCEL_JOB: Unary[pb.CancelJobRequest, pb.CancelJobResponse] = Unary(
    f"{_SERVICE}CancelJob", pb.CancelJobResponse
)
DELETE_JOB: Unary[pb.DeleteJobRequest, pb.DeleteJobResponse] = Unary(
    f"{_SERVICE}DeleteJob", pb.DeleteJobResponse
)
GET_MANIFEST: Unary[pb.GetManifestRequest, pb.GetManifestResponse] = Unary(
    f"{_SERVICE}GetManifest", pb.GetManifestResponse
)
GET_PREVIEW: Unary[pb.GetPreviewRequest, pb.GetPreviewResponse] = Unary(
    f"{_SERVICE}GetPreview", pb.GetPreviewResponse
)
GET_CAPABILITIES: Unary[pb.GetCapabilitiesRequest, pb.GetCapabilitiesResponse] = Unary(
    f"{_SERVICE}GetCapabilities", pb.GetCapabilitiesResponse
)


def current_request_id() -> str:
    """The id bound to the caller's logging context, or a fresh one."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return bound if isinstance(bound, str) and bound else uuid.uuid4().hex


def call_metadata(request_id: str) -> tuple[tuple[str, str], ...]:
    """What travels with every call."""
    return ((REQUEST_ID_KEY, request_id),)
