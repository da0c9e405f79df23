"""The upload machine against a model of the server, under every interleaving of losses and answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from telecine import exceptions as errors
from telecine.request.options import RetryPolicy
from telecine.results.values import JobInfo, JobState, JobWarning, OutputProgress, OutputState, Problem
from telecine.upload import events as says
from telecine.upload import machine as upload

FRAME_BYTES = 10
LIMIT_BYTES = 64
POLICY = RetryPolicy(give_up_after_seconds=60.0)
IDLE_SECONDS = 5.0


def job(state: JobState = JobState.SUCCEEDED, problem: Problem | None = None) -> JobInfo:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return JobInfo("j", state, now, now, 0, 0, (), (), problem, 0)


def accepted(offset: int = 0, state: JobState = JobState.RECEIVING, chunk: int = 25) -> says.Accepted:
    return says.Accepted(offset, chunk, 0, FRAME_BYTES, state)


def machine(limit_bytes: int = LIMIT_BYTES, policy: RetryPolicy = POLICY) -> upload.Upload:
    return upload.Upload(FRAME_BYTES, policy, limit_bytes, IDLE_SECONDS)


def opened(offset: int = 0, state: JobState = JobState.RECEIVING) -> upload.Upload:
    up = machine()
    assert up.step(0.0) == says.Connect(1)
    assert up.next_message(1) == says.SendSpec()
    up.received(1, accepted(offset, state), 0.0)
    return up


def sent_bytes(up: upload.Upload, connection: int = 1) -> list[tuple[int, bytes]]:
    chunks = []
    while isinstance(message := up.next_message(connection), says.SendChunk):
        chunks.append((message.offset, b"".join(message.pieces)))
    return chunks


UNAVAILABLE = errors.UnavailableError("gone")


class ModelServer:
    """Persists what it was sent, in order, whenever it likes; forgets the rest with the connection."""

    def __init__(self) -> None:
        self.persisted = bytearray()
        self.ring = bytearray()
        self.is_finished = False
        self.inbox: list[says.Outgoing] = []

    def receive(self, message: says.Outgoing) -> None:
        self.inbox.append(message)

    def lay(self, message: says.SendChunk) -> None:
        """The client writes into the ring when it sends, and the server reads when it gets round to it."""
        start = message.offset % len(self.ring)
        data = b"".join(message.pieces)
        assert start + len(data) <= len(self.ring), "a chunk ran over the end of the ring"
        self.ring[start : start + len(data)] = data

    def ring_bytes(self, message: says.SendChunk) -> bytes:
        start = message.offset % len(self.ring)
        return bytes(self.ring[start : start + sum(map(len, message.pieces))])

    def persist_one(self) -> None:
        if not self.inbox:
            return
        message = self.inbox.pop(0)
        if isinstance(message, says.SendChunk):
            assert message.offset == len(self.persisted), "a byte was doubled or left out"
            self.persisted += self.ring_bytes(message) if message.is_in_ring else b"".join(message.pieces)
        elif isinstance(message, says.SendFinish):
            assert message.total_bytes == len(self.persisted)
            assert message.total_frames * FRAME_BYTES == message.total_bytes
            self.is_finished = True


class UploadSurvivesEverything(RuleBasedStateMachine):
    @initialize(max_chunk=st.integers(1, 40), ring_bytes=st.sampled_from([0, 1, 7, 30, 64, 100]))
    def start(self, max_chunk: int, ring_bytes: int) -> None:
        self.up = machine()
        self.server = ModelServer()
        self.ring_bytes = ring_bytes
        self.max_chunk = max_chunk
        self.pushed = bytearray()
        self.now = 0.0
        self.connected: int | None = None

    @precondition(lambda self: self.up.total_frames is None)
    @rule(data=st.binary(min_size=1, max_size=30))
    def push(self, data: bytes) -> None:
        if self.up.error is not None:
            with pytest.raises(type(self.up.error)):
                self.up.push(data)
            return
        size = self.up.ring_room(len(data)) or self.up.room(len(data))
        if size:
            self.up.push(data[:size])
            self.pushed += data[:size]

    @precondition(lambda self: self.up.total_frames is None)
    @rule()
    def finish(self) -> None:
        if self.up.error is not None:
            with pytest.raises(type(self.up.error)):
                self.up.finish()
            return
        padding = -len(self.pushed) % FRAME_BYTES or (0 if self.pushed else FRAME_BYTES)
        if padding and self.up.room(padding) < padding:
            return
        if padding:
            self.up.push(bytes(padding))
            self.pushed += bytes(padding)
        self.up.finish()

    @rule(seconds=st.floats(0, 7))
    def step(self, seconds: float) -> None:
        self.now += seconds
        match self.up.step(self.now):
            case says.Connect(connection):
                self.connected = connection
                self.server.inbox.clear()
            case says.Disconnect(connection, error):
                self.lose(connection, error)
            case _:
                pass

    @rule()
    def send(self) -> None:
        if self.connected is None:
            return
        message = self.up.next_message(self.connected)
        if isinstance(message, says.SendSpec):
            state = JobState.QUEUED if self.server.is_finished else JobState.RECEIVING
            self.server.ring = bytearray(self.ring_bytes)
            event = says.Accepted(
                len(self.server.persisted), self.max_chunk, 0, FRAME_BYTES, state, self.ring_bytes
            )
            self.up.received(self.connected, event, self.now)
        elif message is not None:
            if isinstance(message, says.SendChunk) and message.is_in_ring:
                self.server.lay(message)
            self.server.receive(message)

    @rule()
    def persist(self) -> None:
        if self.connected is not None:
            self.server.persist_one()

    @rule()
    def acknowledge(self) -> None:
        if self.connected is not None and self.up.phase is not upload.Phase.OPENING:
            event = says.Acknowledged(len(self.server.persisted), self.server.is_finished)
            self.up.received(self.connected, event, self.now)

    @rule(fraction=st.floats(0, 1))
    def cut(self, fraction: float) -> None:
        if self.connected is not None:
            self.lose(self.connected, UNAVAILABLE, fraction)

    @rule()
    def a_ghost_speaks(self) -> None:
        self.up.received(self.up.connection - 1, says.Acknowledged(10**6, True), self.now)
        self.up.lost(self.up.connection - 1, errors.ServiceFaultError("old"), self.now, 0.5)

    def lose(self, connection: int, error: errors.TelecineError, fraction: float = 0.5) -> None:
        self.connected = None
        self.server.inbox.clear()
        self.up.lost(connection, error, self.now, fraction)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.up.retained_bytes <= LIMIT_BYTES

    @invariant()
    def what_is_persisted_is_what_was_pushed(self) -> None:
        assert bytes(self.server.persisted) == bytes(self.pushed[: len(self.server.persisted)])
        assert self.up.acknowledged_bytes <= len(self.server.persisted)

    @invariant()
    def only_a_lost_connection_ends_it(self) -> None:
        """And only after longer than the policy allows; each further push then raises what ended it."""
        assert self.up.error is None or isinstance(self.up.error, errors.UnavailableError)

    def teardown(self) -> None:
        """From wherever it is, an undisturbed rest of the way brings everything across."""
        if not hasattr(self, "up") or self.up.error is not None:
            return
        for _ in range(2000):
            if self.up.is_handed_off:
                break
            if self.up.total_frames is None:
                self.finish()
            self.step(0.0 if self.connected else 10.0)
            self.send()
            self.persist()
            self.acknowledge()
        assert self.up.is_handed_off
        assert bytes(self.server.persisted) == bytes(self.pushed)
        assert self.up.retained_bytes == 0


def test_a_push_after_its_patience_is_over_raises_what_ended_it() -> None:
    """Silence, connection after connection, while the application goes on pushing."""
    model = UploadSurvivesEverything()
    model.start(max_chunk=25, ring_bytes=0)
    while model.up.error is None:
        model.push(b"x" * 10)
        model.step(5.0)
        model.send()
    model.push(b"y")
    model.finish()
    assert model.now >= POLICY.give_up_after_seconds
    model.teardown()


UploadSurvivesEverything.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestUploadSurvivesEverything = UploadSurvivesEverything.TestCase


def test_nothing_is_sent_before_the_job_is_accepted() -> None:
    up = machine()
    up.push(b"x" * 10)
    up.step(0.0)
    assert up.next_message(1) == says.SendSpec()
    assert up.next_message(1) is None


def test_small_pieces_travel_together_and_large_ones_are_cut_at_the_servers_limit() -> None:
    up = opened()
    for piece in (b"a" * 10, b"b" * 10, b"c" * 10, b"d" * 30):
        up.push(piece)
    assert sent_bytes(up) == [
        (0, b"a" * 10 + b"b" * 10),
        (20, b"c" * 10),
        (30, b"d" * 25),
        (55, b"d" * 5),
    ]


def test_a_new_process_that_pushes_the_same_frames_sends_only_what_is_missing() -> None:
    up = opened(offset=15)
    up.push(b"0123456789")
    up.push(b"abcdefghij")
    assert sent_bytes(up) == [(15, b"fghij")]


def test_a_finished_job_is_attached_to_without_sending_a_byte() -> None:
    up = machine()
    up.push(b"x" * 20)
    up.finish()
    up.step(0.0)
    up.next_message(1)
    up.received(1, accepted(20, JobState.ENCODING), 0.0)
    assert up.next_message(1) is None
    assert up.is_handed_off
    assert up.retained_bytes == 0


def test_other_frames_under_a_finished_jobs_id_are_an_error() -> None:
    up = opened(offset=20, state=JobState.ENCODING)
    up.push(b"x" * 20)
    with pytest.raises(errors.TotalsMismatchError, match="20 bytes of this job from before, not 30"):
        up.push(b"x" * 10)


def test_fewer_frames_than_the_server_has_are_an_error() -> None:
    up = opened(offset=20)
    up.push(b"x" * 10)
    with pytest.raises(errors.TotalsMismatchError):
        up.finish()


def test_a_server_that_forgot_acknowledged_bytes_is_reported() -> None:
    up = opened()
    up.push(b"x" * 20)
    sent_bytes(up)
    up.received(1, says.Acknowledged(20, False), 0.0)
    up.lost(1, UNAVAILABLE, 0.0, 0.0)
    up.step(0.0)
    up.received(2, accepted(10), 0.0)
    assert isinstance(up.error, errors.LostDataError)


def test_an_acknowledgement_of_what_was_never_sent_is_a_protocol_error() -> None:
    up = opened()
    up.received(1, says.Acknowledged(1, False), 0.0)
    assert isinstance(up.error, errors.ProtocolError)


def test_a_message_before_accepted_is_a_protocol_error() -> None:
    up = machine()
    up.step(0.0)
    up.received(1, says.Acknowledged(0, False), 0.0)
    assert isinstance(up.error, errors.ProtocolError)


def test_silence_disconnects_and_reconnects() -> None:
    up = opened()
    assert up.step(4.0) == says.Wait(1.0)
    up.received(1, says.Acknowledged(0, False), 4.0)
    assert up.step(8.0) == says.Wait(1.0)
    step = up.step(9.0)
    assert isinstance(step, says.Disconnect)
    up.lost(1, step.error, 9.0, 0.0)
    assert up.step(9.0) == says.Connect(2)


def test_it_gives_up_when_nothing_moves_forward_for_too_long() -> None:
    up, now = opened(), 0.0
    up.push(b"x" * 10)
    while not up.has_ended:
        up.lost(up.connection, UNAVAILABLE, now, 1.0)
        now += 5.0
        if up.step(now) is not None:
            up.received(up.connection, accepted(0), now)
    assert 60.0 <= now <= 70.0
    assert up.error is UNAVAILABLE
    with pytest.raises(errors.UnavailableError):
        up.push(b"y")


def test_progress_resets_its_backoff() -> None:
    up, now = opened(), 0.0
    for frame in range(100):
        up.push(b"x" * 10)
        sent_bytes(up, up.connection)
        up.received(up.connection, says.Acknowledged(10 * (frame + 1), False), now)
        up.lost(up.connection, UNAVAILABLE, now, 1.0)
        now += 5.0
        up.step(now)
        up.received(up.connection, accepted(10 * (frame + 1)), now)
    assert up.error is None


def test_the_servers_retry_delay_is_not_undercut() -> None:
    up = opened()
    up.lost(1, errors.SpoolFullError("full", retry_delay_seconds=7.0), 0.0, 0.0)
    assert up.step(6.9) == says.Wait(pytest.approx(0.1))
    assert up.step(7.0) == says.Connect(2)


def test_an_error_that_resuming_cannot_fix_ends_the_job() -> None:
    up = opened()
    error = errors.JobSpecConflictError("other")
    up.lost(1, error, 0.0, 0.0)
    assert up.step(100.0) is None
    with pytest.raises(errors.JobSpecConflictError):
        up.finish()


def test_progress_and_warnings_that_are_repeated_after_a_reconnect_are_reported_once() -> None:
    up = opened(10, JobState.ENCODING)
    progress = OutputProgress("mp4", OutputState.ENCODING, 1)
    warning = JobWarning("ODD_SIZE_PADDED", "padded", "mp4")
    assert up.received(1, progress, 0.0)
    assert up.received(1, warning, 0.0)
    assert not up.received(1, progress, 0.0)
    assert not up.received(1, warning, 0.0)


def test_the_result_ends_it_and_later_messages_change_nothing() -> None:
    up = opened(10, JobState.SUCCEEDED)
    up.received(1, says.Result(job(), b"{}"), 0.0)
    up.lost(1, UNAVAILABLE, 0.0, 0.0)
    assert up.result is not None
    assert up.error is None
    assert up.step(0.0) is None


def test_pushing_into_a_cancelled_job_says_so() -> None:
    up = opened()
    cancelled = job(JobState.CANCELLED, Problem("JOB_CANCELLED", "by CancelJob"))
    up.received(1, says.Result(cancelled, b""), 0.0)
    with pytest.raises(errors.JobCancelledError):
        up.push(b"x")


def test_half_a_frame_cannot_be_finished() -> None:
    up = opened()
    up.push(b"x" * 15)
    with pytest.raises(errors.InvalidFramesError, match="5 bytes are left over"):
        up.finish()


def test_a_job_without_frames_cannot_be_finished() -> None:
    with pytest.raises(errors.InvalidFramesError, match="no frame"):
        opened().finish()
