"""Encodes the upload machine's messages as bytes, and decodes the server's answers into its events."""

from __future__ import annotations

from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import ProtocolError
from telecine.machine import host_id
from telecine.results import reading
from telecine.upload.chunks import chunk_message
from telecine.upload.events import (
    Accepted,
    Acknowledged,
    Event,
    Outgoing,
    Result,
    SendChunk,
    SendFinish,
    SendKeepAlive,
    SendSpec,
)
from telecine.upload.ring import RingMemory


class MessageCodec:
    """The codec of one connection. `encode` and `decode` may run in different threads."""

    def __init__(self, spec: pb.JobSpec, *, shares_memory: bool) -> None:
        """`shares_memory`: use the memory that a server on this machine offers."""
        self._spec = spec
        self._shares_memory = shares_memory
        self.ring: RingMemory | None = None
        """Open once the server has accepted, if both share memory."""

    def encode(self, message: Outgoing) -> bytes:
        """The serialised EncodeRequest; a chunk for the ring is put there before it is announced."""
        match message:
            case SendChunk(is_in_ring=True) if self.ring is not None:
                size_bytes, crc32c = self.ring.lay(message.offset, message.pieces)
                chunk = pb.Chunk(
                    track=pb.TRACK_VIDEO, offset=message.offset, crc32c=crc32c, ring_bytes=size_bytes
                )
                return pb.EncodeRequest(chunk=chunk).SerializeToString()
            case SendChunk():
                return chunk_message(message.offset, message.pieces, is_audio=message.is_audio)
            case SendSpec():
                mine = host_id() if self._shares_memory else ""
                return pb.EncodeRequest(spec=self._spec, host_id=mine).SerializeToString()
            case SendFinish():
                finish = pb.Finish(
                    total_frames=message.total_frames,
                    total_bytes=message.total_bytes,
                    total_samples=message.total_samples,
                    total_audio_bytes=message.total_audio_bytes,
                    warnings=[pb.Warning(code=each.code, message=each.message) for each in message.warnings],
                )
                return pb.EncodeRequest(finish=finish).SerializeToString()
            case SendKeepAlive():
                return pb.EncodeRequest(keep_alive=pb.KeepAlive()).SerializeToString()

    def forget_ring(self) -> None:
        """Releases the ring, and the unacknowledged frames in it: the connection is over.

        Without this, a traceback that refers to the connection would keep the memory.
        """
        self.ring = None

    def decode(self, response: pb.EncodeResponse) -> Event:
        """The event that the answer stands for; opens the memory that the server offers.

        Raises ProtocolError for a message that this SDK has not asked for or does not know.
        """
        if response.WhichOneof("message") != "accepted":
            return _event(response)
        accepted = response.accepted
        if accepted.HasField("ring"):
            self.ring = RingMemory.open(accepted.ring.path, accepted.ring.size_bytes, accepted.ring.nonce)
        return Accepted(
            persisted_bytes=reading.video_offset(accepted.persisted),
            max_chunk_bytes=accepted.max_chunk_bytes,
            max_job_bytes=accepted.max_job_bytes,
            frame_bytes=accepted.frame_bytes,
            state=reading.job_state(accepted.state),
            ring_bytes=self.ring.size_bytes if self.ring is not None else 0,
            keep_alive_seconds=accepted.keep_alive_seconds,
            persisted_audio_bytes=reading.audio_offset(accepted.persisted),
            max_audio_bytes=accepted.max_audio_bytes,
        )


def _event(response: pb.EncodeResponse) -> Event:
    match response.WhichOneof("message"):
        case "acknowledged":
            acknowledged = response.acknowledged
            return Acknowledged(
                reading.video_offset(acknowledged.persisted),
                acknowledged.is_complete,
                reading.audio_offset(acknowledged.persisted),
            )
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
