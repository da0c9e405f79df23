"""Puts the upload machine's messages into bytes, and the server's answers into its events."""

from __future__ import annotations

from telecine import reading
from telecine.chunking import chunk_message
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import ProtocolError
from telecine.upload_events import (
    Accepted,
    Acknowledged,
    Event,
    Outgoing,
    Result,
    SendChunk,
    SendFinish,
    SendSpec,
)


def outgoing_bytes(message: Outgoing, spec: pb.JobSpec) -> bytes:
    """The serialised EncodeRequest."""
    match message:
        case SendChunk():
            return chunk_message(message.offset, message.pieces)
        case SendSpec():
            return pb.EncodeRequest(spec=spec).SerializeToString()
        case SendFinish():
            finish = pb.Finish(total_frames=message.total_frames, total_bytes=message.total_bytes)
            return pb.EncodeRequest(finish=finish).SerializeToString()


def incoming_event(response: pb.EncodeResponse) -> Event:
    """What the server said. Raises ProtocolError for what this SDK has not asked for or does not know."""
    match response.WhichOneof("message"):
        case "accepted":
            accepted = response.accepted
            return Accepted(
                persisted_bytes=reading.video_offset(accepted.persisted),
                max_chunk_bytes=accepted.max_chunk_bytes,
                max_job_bytes=accepted.max_job_bytes,
                frame_bytes=accepted.frame_bytes,
                state=reading.job_state(accepted.state),
            )
        case "acknowledged":
            acknowledged = response.acknowledged
            return Acknowledged(reading.video_offset(acknowledged.persisted), acknowledged.is_complete)
        case "progress":
            return reading.output_progress(response.progress)
        case "warning":
            return reading.job_warning(response.warning)
        case "artifact":
            return reading.artifact(response.artifact)
        case "result":
            return Result(reading.job(response.result.job), response.result.manifest_json)
        case other:
            raise ProtocolError(f"the server sent {other or 'an empty message'}")
