"""The upload machine: decides what an upload sends, keeps, waits for and gives up on; does no I/O.

Theory of operation
===================

The machine is informed of what happened, and asked what to do next. A shell (blocking or asyncio) owns the
connection, the clock and the dice, and serialises all calls. Rule 1: everything that moves the machine
from one phase to another stands in this file. Rule 2: a message that the table below has no row for
ends the job with ProtocolError. Rule 3: an event of an older connection changes nothing.

    phase      left on                          to
    -------    -----------------------------    ---------------------------------------------
    WAITING    step() when the wait is over     OPENING, with a new connection number
    OPENING    Accepted                         SENDING, or FOLLOWING if the frames are all there
    SENDING    Acknowledged(is_complete)        FOLLOWING
    FOLLOWING  Result                           ENDED
    OPENING,   lost() that resuming can fix     WAITING
    SENDING,   lost() that it cannot, or for    ENDED, with an error
    FOLLOWING  longer than the policy allows

Offsets count bytes of their track: the frames, and the sound where the job has any. Bytes are kept until
they are acknowledged and sent again, from the server's persisted offset, on each new connection.
"""

from __future__ import annotations

from enum import StrEnum

from telecine import exceptions as errors
from telecine.request.source_warnings import SourceWarning
from telecine.results.outcome import job_error
from telecine.results.values import Artifact, JobState, JobWarning, OutputProgress
from telecine.retry import Backoff, Decision, RetryPolicy
from telecine.upload.events import (
    Accepted,
    Acknowledged,
    Connect,
    Disconnect,
    Event,
    Outgoing,
    Result,
    SendChunk,
    SendFinish,
    SendKeepAlive,
    SendSpec,
    Step,
    Wait,
)
from telecine.upload.retained import RetainedBytes

CHUNK_BYTES = 1 << 20
"""Chunks of 512 KiB to 1 MiB travel fastest."""
MAX_RING_CHUNK_BYTES = 4 << 20
"""Chunks in shared memory may be larger: only their place travels."""


_HOPELESS = {JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}


class Phase(StrEnum):
    """Where the machine stands."""

    WAITING = "waiting"
    OPENING = "opening"
    SENDING = "sending"
    FOLLOWING = "following"
    ENDED = "ended"


_ATTACHED = {Phase.SENDING, Phase.FOLLOWING}


class Upload:
    """One job's upload. Not thread-safe: its shell serialises all calls."""

    def __init__(
        self,
        frame_bytes: int,
        policy: RetryPolicy,
        retained_limit_bytes: int,
        idle_timeout_seconds: float = 30.0,
        sample_bytes: int = 0,
    ) -> None:
        """`idle_timeout_seconds`: without any answer for this long a connection counts as lost.

        `sample_bytes`: of one sample of all channels; 0: the job has no sound.
        """
        self.phase = Phase.WAITING
        self.connection = 0
        """Number of the newest connection; anything from another one is ignored."""
        self.job_id = ""
        self.is_handed_off = False
        """All frames and the end of the upload are safe in the service."""
        self.result: Result | None = None
        self.error: errors.TelecineError | None = None
        """Why it ended without a result."""
        self.outputs: dict[str, OutputProgress] = {}
        self.warnings: dict[JobWarning, None] = {}
        self.total_frames: int | None = None
        """None until `finish`."""
        self._source_warnings: tuple[SourceWarning, ...] = ()
        self._bytes = RetainedBytes()
        self._sound = RetainedBytes()
        self._sample_bytes = sample_bytes
        self._max_audio_bytes = 0
        self._server_sound_bytes = 0
        self._frame_bytes = frame_bytes
        self._idle_timeout_seconds = idle_timeout_seconds
        self._backoff = Backoff(policy)
        self._retained_limit_bytes = retained_limit_bytes
        self._max_chunk_bytes = CHUNK_BYTES
        self._ring_bytes = 0
        self._max_job_bytes = 0
        self._server_total_bytes = 0
        self._wake_at_seconds = 0.0
        self._heard_at_seconds = 0.0
        self._is_spec_sent = False
        self._is_finish_sent = False
        self._keep_alive_seconds = 0.0
        self._said_at_seconds = 0.0
        self._has_said = False  # anything, since the server was last heard
        self.owes_keep_alive = False
        """The shell wakes its sender: `next_message` has a sign of life to send."""

    # --- the application's side ------------------------------------------------------------------

    @property
    def pushed_bytes(self) -> int:
        """Bytes taken over from the application."""
        return self._bytes.end

    @property
    def acknowledged_bytes(self) -> int:
        """Bytes that are safe in the service."""
        return self._bytes.acknowledged

    @property
    def retained_bytes(self) -> int:
        """Bytes kept in memory."""
        return self._bytes.size_bytes + self._sound.size_bytes

    @property
    def pushed_audio_bytes(self) -> int:
        """Bytes of the sound taken over from the application."""
        return self._sound.end

    @property
    def has_ended(self) -> bool:
        """Whether `result` or `error` is set: nothing will change any more."""
        return self.phase is Phase.ENDED

    @property
    def is_answered(self) -> bool:
        """A connection has been accepted and is open, or there will be none."""
        return self.phase not in {Phase.WAITING, Phase.OPENING}

    @property
    def has_ring(self) -> bool:
        """This connection shares memory with the server."""
        return self._ring_bytes > 0 and self.phase is Phase.SENDING

    def room(self, wanted_bytes: int) -> int:
        """How many of the next bytes may be pushed now; 0: none before an acknowledgement."""
        size = min(wanted_bytes, CHUNK_BYTES)
        kept = self.retained_bytes
        # A piece is always taken by an empty machine.
        return size if kept == 0 or kept + size <= self._retained_limit_bytes else 0

    def ring_room(self, wanted_bytes: int) -> int:
        """How many of the next bytes may be put into the ring now and pushed from there."""
        if not self.has_ring:
            return 0
        until_end = self._ring_bytes - self._bytes.end % self._ring_bytes
        size = min(self.room(wanted_bytes), until_end)
        return size if size <= self._ring_bytes - self._bytes.size_bytes else 0

    def push(self, piece: bytes | memoryview) -> None:
        """Takes the next bytes of the track, no more than there is `room` for; they must not change.

        Raises OutOfOrderError after `finish`, TooLargeError beyond the server's limit, and the error that
        ended the job.
        """
        self._take(piece, self._bytes, self._max_job_bytes, "frames were", "job")

    def push_audio(self, piece: bytes | memoryview) -> None:
        """Takes the next bytes of the sound, no more than there is `room` for; they must not change.

        Raises as `push` does.
        """
        self._take(piece, self._sound, self._max_audio_bytes, "sound was", "sound")

    def _take(
        self, piece: bytes | memoryview, track: RetainedBytes, limit_bytes: int, what: str, whole: str
    ) -> None:
        self.raise_error()
        if self.total_frames is not None:
            raise errors.OutOfOrderError(f"{what} pushed after finish()")
        end = track.end + len(piece)
        if limit_bytes and end > limit_bytes:
            raise errors.TooLargeError(
                f"the {whole} has more than the {limit_bytes} bytes that the server allows",
                metadata={"limit_bytes": str(limit_bytes), "actual_bytes": str(end)},
            )
        if self.is_handed_off:
            track.skip(len(piece))  # an earlier run has sent all of it
        else:
            track.append(piece)
        self._check_totals()
        self.raise_error()

    def finish(self, warnings: tuple[SourceWarning, ...] = ()) -> None:
        """No more bytes will come; `warnings`: what they do not carry.

        Raises InvalidFramesError when a frame is incomplete or none came.
        """
        self.raise_error()
        frames, rest = divmod(self._bytes.end, self._frame_bytes)
        if rest:
            raise errors.InvalidFramesError(
                f"{rest} bytes are left over after {frames} frames of {self._frame_bytes} bytes"
            )
        if not frames:
            raise errors.InvalidFramesError("no frame was pushed; a job has at least one")
        if self._sample_bytes and not self._sound.end:
            raise errors.InvalidFramesError("no sound was pushed; a declared track has at least one sample")
        if self._sample_bytes and self._sound.end % self._sample_bytes:
            raise errors.InvalidFramesError(
                f"{self._sound.end} bytes of sound are no whole samples of {self._sample_bytes} bytes"
            )
        self.total_frames, self._source_warnings = frames, warnings
        self._check_totals()
        self.raise_error()

    def cancelled(self, error: errors.TelecineError) -> None:
        """The application has cancelled the job; changes nothing once the job has ended."""
        if self.phase is not Phase.ENDED:
            self._end(error)

    def raise_error(self) -> None:
        """Raises why the job can no longer succeed, if so."""
        error = self.error
        if error is None and self.result is not None and self.result.job.state in _HOPELESS:
            error = job_error(self.result.job)
        if error is not None:
            raise error

    # --- the connection's side -------------------------------------------------------------------

    def step(self, now_seconds: float) -> Step:
        """What to do now. Call it again when the wait is over or something has happened."""
        if self.phase is Phase.ENDED:
            return None
        if self.phase is Phase.WAITING:
            if now_seconds < self._wake_at_seconds:
                return Wait(self._wake_at_seconds - now_seconds)
            self.phase = Phase.OPENING
            self.connection += 1
            self._is_spec_sent = self._is_finish_sent = False
            self._heard_at_seconds = now_seconds
            return Connect(self.connection)
        idle_at = self._heard_at_seconds + self._idle_timeout_seconds
        if now_seconds < idle_at:
            return Wait(idle_at - now_seconds)
        error = errors.UnavailableError(f"no answer for {self._idle_timeout_seconds:g} s")
        return Disconnect(self.connection, error)

    def next_message(self, connection: int) -> Outgoing | None:
        """What to send next on that connection; None: nothing for now. Each message is returned once."""
        if connection != self.connection:
            return None
        if self.phase is Phase.OPENING and not self._is_spec_sent:
            self._is_spec_sent = True
            return SendSpec()
        message = self._next_of_clip() if self.phase is Phase.SENDING else None
        if message is None and self.owes_keep_alive and self.phase in _ATTACHED:
            message = SendKeepAlive()
        if message is not None:
            self._has_said, self.owes_keep_alive = True, False
        return message

    def is_current(self, connection: int) -> bool:
        """That connection is the newest, and in use."""
        return connection == self.connection and self.phase not in {Phase.WAITING, Phase.ENDED}

    def received(self, connection: int, event: Event, now_seconds: float) -> bool:
        """Takes a message from the server; returns whether progress is worth reporting."""
        if not self.is_current(connection):
            return False
        self._heard(now_seconds)
        if (self.phase is Phase.OPENING) != isinstance(event, Accepted):
            self._end(errors.ProtocolError(f"the server sent {type(event).__name__} while {self.phase}"))
            return True
        match event:
            case Accepted():
                self._accepted(event)
            case Acknowledged():
                return self._acknowledged(event)
            case OutputProgress():
                return self._progressed(event)
            case JobWarning():
                is_new = event not in self.warnings
                self.warnings[event] = None
                return is_new
            case Artifact():
                self._backoff.progressed()  # the result has them all
            case Result():
                self.result = event
                self._end(None)
        return True

    def lost(
        self, connection: int, error: errors.TelecineError, now_seconds: float, random_fraction: float
    ) -> Decision | None:
        """The connection is gone; returns what was decided, None: nothing, it was an older one.

        An orderly end without a result is reported with UnavailableError.
        """
        if not self.is_current(connection):
            return None
        decision = self._backoff.decide(error, now_seconds, random_fraction)
        if not decision.is_again:
            self._end(error)
            return decision
        self._bytes.rewind()
        self._sound.rewind()
        self.phase = Phase.WAITING
        self._wake_at_seconds = now_seconds + decision.delay_seconds
        return decision

    # --- inside ----------------------------------------------------------------------------------

    def _accepted(self, event: Accepted) -> None:
        if event.frame_bytes not in {0, self._frame_bytes}:
            self._end(
                errors.ProtocolError(
                    f"the server counts {event.frame_bytes} bytes a frame, this SDK {self._frame_bytes}"
                )
            )
            return
        has_all = event.state is not JobState.RECEIVING
        for track, persisted in (
            (self._bytes, event.persisted_bytes),
            (self._sound, event.persisted_audio_bytes),
        ):
            if persisted < track.acknowledged and not has_all:
                self._end(
                    errors.LostDataError(
                        f"the server has {persisted} bytes, after it had acknowledged {track.acknowledged}"
                    )
                )
                return
        best = MAX_RING_CHUNK_BYTES if event.ring_bytes else CHUNK_BYTES
        self._max_chunk_bytes = min(best, event.max_chunk_bytes or best)
        self._max_job_bytes = event.max_job_bytes
        self._max_audio_bytes = event.max_audio_bytes
        self._ring_bytes = event.ring_bytes
        self._keep_alive_seconds = event.keep_alive_seconds
        self._bytes.rewind()
        self._sound.rewind()
        self._acknowledge(self._bytes, event.persisted_bytes)
        self._acknowledge(self._sound, event.persisted_audio_bytes)
        self.phase = Phase.SENDING
        if has_all:
            self._server_total_bytes = event.persisted_bytes
            self._server_sound_bytes = event.persisted_audio_bytes
            self._bytes.skip(0)
            self._sound.skip(0)
            self._complete()
        self._check_totals()

    def _heard(self, now_seconds: float) -> None:
        """The server sends something at least once a second, which makes it the clock of keep-alives."""
        self._heard_at_seconds = now_seconds
        if self._has_said or self.phase is Phase.OPENING:
            self._said_at_seconds, self._has_said = now_seconds, False
        is_quiet = now_seconds - self._said_at_seconds >= self._keep_alive_seconds
        self.owes_keep_alive = self._keep_alive_seconds > 0 and is_quiet

    def _next_of_clip(self) -> Outgoing | None:
        if self._sound.unsent_bytes:  # little beside the frames, which are not kept waiting by it
            return SendChunk(*self._sound.take(min(CHUNK_BYTES, self._max_chunk_bytes)), is_audio=True)
        if self._bytes.unsent_bytes:
            return self._next_chunk()
        if self.total_frames is not None and not self._is_finish_sent:
            self._is_finish_sent = True
            samples = self._sound.end // self._sample_bytes if self._sample_bytes else 0
            return SendFinish(
                self.total_frames, self._bytes.end, self._source_warnings, samples, self._sound.end
            )
        return None

    def _next_chunk(self) -> SendChunk | None:
        """None: the ring is full of bytes that are not acknowledged."""
        room, ring = self._max_chunk_bytes, self._ring_bytes
        if ring:
            sent = self._bytes.sent
            room = min(room, ring - (sent - self._bytes.acknowledged), ring - sent % ring)
        return SendChunk(*self._bytes.take(room), is_in_ring=ring > 0) if room > 0 else None

    def _acknowledged(self, event: Acknowledged) -> bool:
        is_news = False
        for track, persisted in (
            (self._bytes, event.persisted_bytes),
            (self._sound, event.persisted_audio_bytes),
        ):
            if persisted > track.sent:
                self._end(
                    errors.ProtocolError(
                        f"the server acknowledged {persisted} bytes when {track.sent} were sent"
                    )
                )
                return True
            is_news = self._acknowledge(track, persisted) or is_news
        if event.is_complete and self.phase is Phase.SENDING:
            self._complete()
            is_news = True
        return is_news

    def _acknowledge(self, track: RetainedBytes, offset: int) -> bool:
        if offset <= track.acknowledged:
            return False
        track.acknowledge(offset)
        self._backoff.progressed()
        return True

    def _progressed(self, event: OutputProgress) -> bool:
        if self.outputs.get(event.output) == event:
            return False
        self.outputs[event.output] = event
        self._backoff.progressed()
        return True

    def _complete(self) -> None:
        self.is_handed_off = True
        self.phase = Phase.FOLLOWING
        self._backoff.progressed()

    def _check_totals(self) -> None:
        """A job that the server knows from before must be pushed in full."""
        is_finished = self.total_frames is not None
        for track, known in (
            (self._bytes, self._server_total_bytes),
            (self._sound, self._server_sound_bytes),
        ):
            pushed, safe = track.end, track.acknowledged
            is_short = is_finished and pushed < safe
            is_other = known > 0 and (pushed > known or (is_finished and pushed != known))
            if is_short or is_other:
                self._end(
                    errors.TotalsMismatchError(
                        f"the server has {known or safe} bytes of this job from before, not {pushed}"
                    )
                )
                return

    def _end(self, error: errors.TelecineError | None) -> None:
        self.phase = Phase.ENDED
        self.error = self.error or error
        self.is_handed_off = self.is_handed_off or error is None
        self._bytes.clear()
        self._sound.clear()
