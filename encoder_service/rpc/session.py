"""The order of an Encode stream: a pure table of states and events; what has no row is refused.

A refused event leaves the session as it was: sessions are frozen, `advance` returns a new one.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from encoder_service import errors


class SessionState(StrEnum):
    """Where a stream stands."""

    OPENED = "opened"
    """Nothing has come yet; the spec must."""
    RECEIVING = "receiving"
    """The job takes bytes: chunks, then finish."""
    FOLLOWING = "following"
    """All bytes are here; the stream waits for the job's end."""
    DETACHED = "detached"
    """The client ended its side before it finished; what was acknowledged stays."""
    DELIVERING = "delivering"
    """The job has ended; artifacts and result go out."""
    CLOSED = "closed"
    """Nothing may follow."""


class Attached(msgspec.Struct, frozen=True):
    """The spec was accepted and the job takes bytes from `persisted_bytes` on."""

    persisted_bytes: int
    frame_bytes: int
    is_complete: bool
    """All bytes are here already (a job that is attached to again)."""
    persisted_audio_bytes: int = 0
    sample_bytes: int = 0
    """Of one sample of all channels. 0: the job has no audio track."""


class ChunkCame(msgspec.Struct, frozen=True):
    """A chunk with a right checksum."""

    offset: int
    size_bytes: int


class AudioChunkCame(msgspec.Struct, frozen=True):
    """A chunk of the audio track, which the job has declared, with a right checksum."""

    offset: int
    size_bytes: int


class FinishCame(msgspec.Struct, frozen=True):
    """The client has sent all."""

    total_frames: int
    total_bytes: int
    total_samples: int = 0
    total_audio_bytes: int = 0


class KeepAliveCame(msgspec.Struct, frozen=True):
    """The client says that it is there."""


class HalfClosed(msgspec.Struct, frozen=True):
    """The client ended its side."""


class JobEnded(msgspec.Struct, frozen=True):
    """The job is in a final state."""


class Delivered(msgspec.Struct, frozen=True):
    """The result was sent."""


Event = Attached | ChunkCame | AudioChunkCame | FinishCame | KeepAliveCame | HalfClosed | JobEnded | Delivered


class Session(msgspec.Struct, frozen=True):
    """One stream's state and the offset of the next byte."""

    state: SessionState = SessionState.OPENED
    next_offset: int = 0
    """What was persisted when the stream attached, plus what came on it."""
    frame_bytes: int = 0
    next_audio_offset: int = 0
    """The same of the audio track."""
    sample_bytes: int = 0
    """0: the job has no audio track."""

    def advance(self, event: Event) -> Session:
        """Returns the session after an event. Raises ServiceError, with nothing changed."""
        target = ROWS.get((self.state, type(event)))
        if target is None:
            raise errors.out_of_order(_REFUSALS.get((self.state, type(event)), _refusal(self.state, event)))
        match event:
            case Attached():
                state = SessionState.FOLLOWING if event.is_complete else target
                return Session(
                    state,
                    event.persisted_bytes,
                    event.frame_bytes,
                    event.persisted_audio_bytes,
                    event.sample_bytes,
                )
            case ChunkCame():
                if event.offset != self.next_offset:
                    raise errors.wrong_offset(self.next_offset, event.offset)
                return msgspec.structs.replace(self, next_offset=self.next_offset + event.size_bytes)
            case AudioChunkCame():
                if event.offset != self.next_audio_offset:
                    raise errors.wrong_offset(self.next_audio_offset, event.offset)
                following = self.next_audio_offset + event.size_bytes
                return msgspec.structs.replace(self, next_audio_offset=following)
            case FinishCame():
                self._check_totals(event)
                self._check_audio_totals(event)
        return msgspec.structs.replace(self, state=target)

    def _check_totals(self, finish: FinishCame) -> None:
        if finish.total_frames < 1:
            raise errors.invalid_field("finish.total_frames", "must be at least 1: a clip has frames")
        if finish.total_bytes != finish.total_frames * self.frame_bytes:
            raise errors.totals_mismatch(
                f"finish.total_bytes is {finish.total_bytes}; {finish.total_frames} frames of "
                f"{self.frame_bytes} bytes make {finish.total_frames * self.frame_bytes}"
            )
        if finish.total_bytes != self.next_offset:
            raise errors.totals_mismatch(
                f"finish.total_bytes is {finish.total_bytes}; {self.next_offset} bytes were received"
            )

    def _check_audio_totals(self, finish: FinishCame) -> None:
        samples, size_bytes = finish.total_samples, finish.total_audio_bytes
        if not self.sample_bytes:
            if samples or size_bytes:
                raise errors.invalid_field(
                    "finish.total_samples", "must be 0: the job has declared no audio track (spec.audio)"
                )
            return
        if samples < 1:
            raise errors.invalid_field(
                "finish.total_samples", "must be at least 1: the job has declared an audio track (spec.audio)"
            )
        if size_bytes != samples * self.sample_bytes:
            raise errors.totals_mismatch(
                f"finish.total_audio_bytes is {size_bytes}; {samples} samples of {self.sample_bytes} bytes "
                f"make {samples * self.sample_bytes}"
            )
        if size_bytes != self.next_audio_offset:
            raise errors.totals_mismatch(
                f"finish.total_audio_bytes is {size_bytes}; {self.next_audio_offset} bytes of sound were "
                "received"
            )


_S = SessionState

ROWS: dict[tuple[SessionState, type[Event]], SessionState] = {
    (_S.OPENED, Attached): _S.RECEIVING,
    (_S.RECEIVING, ChunkCame): _S.RECEIVING,
    (_S.RECEIVING, AudioChunkCame): _S.RECEIVING,
    (_S.RECEIVING, FinishCame): _S.FOLLOWING,
    (_S.RECEIVING, KeepAliveCame): _S.RECEIVING,
    (_S.RECEIVING, HalfClosed): _S.DETACHED,
    (_S.RECEIVING, JobEnded): _S.DELIVERING,
    (_S.FOLLOWING, FinishCame): _S.FOLLOWING,
    (_S.FOLLOWING, KeepAliveCame): _S.FOLLOWING,
    (_S.FOLLOWING, HalfClosed): _S.FOLLOWING,
    (_S.FOLLOWING, JobEnded): _S.DELIVERING,
    (_S.DETACHED, JobEnded): _S.DELIVERING,
    (_S.DELIVERING, FinishCame): _S.DELIVERING,
    (_S.DELIVERING, KeepAliveCame): _S.DELIVERING,
    (_S.DELIVERING, HalfClosed): _S.DELIVERING,
    (_S.DELIVERING, Delivered): _S.CLOSED,
}
"""(state, event) to the next state. A `finish` that comes again (its answer was lost) is harmless."""

_REFUSALS: dict[tuple[SessionState, type[Event]], str] = {
    (_S.OPENED, ChunkCame): "a chunk came before the spec; the first message must be the spec",
    (_S.OPENED, AudioChunkCame): "a chunk came before the spec; the first message must be the spec",
    (_S.OPENED, FinishCame): "finish came before the spec; the first message must be the spec",
    (_S.OPENED, KeepAliveCame): "keep_alive came before the spec; the first message must be the spec",
    (_S.OPENED, HalfClosed): "the stream ended before the spec; the first message must be the spec",
    (_S.RECEIVING, Attached): "the spec came again; it is sent once, first",
    (_S.FOLLOWING, Attached): "the spec came again; it is sent once, first",
    (_S.DELIVERING, Attached): "the spec came again; it is sent once, first",
    (_S.FOLLOWING, ChunkCame): "a chunk came after finish; the job has all its bytes",
    (_S.FOLLOWING, AudioChunkCame): "a chunk came after finish; the job has all its bytes",
    (_S.DELIVERING, ChunkCame): "a chunk came after the job had ended",
    (_S.DELIVERING, AudioChunkCame): "a chunk came after the job had ended",
}


def _refusal(state: SessionState, event: Event) -> str:
    return f"{type(event).__name__} is not allowed while the stream is {state}"
