"""The order of an Encode stream: what has a row in the table moves it, everything else changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from telecine.errors.v1 import error_reason_pb2 as reasons

from encoder_service.errors import ServiceError
from encoder_service.rpc.session import (
    ROWS,
    Attached,
    AudioChunkCame,
    ChunkCame,
    Delivered,
    Event,
    FinishCame,
    HalfClosed,
    JobEnded,
    Session,
    SessionState,
)

FRAME_BYTES = 12
ATTACHED = Attached(persisted_bytes=0, frame_bytes=FRAME_BYTES, is_complete=False)

offsets = st.integers(-(1 << 40), 1 << 40)
events = st.one_of(
    st.builds(Attached, st.integers(0, 1 << 40), st.integers(1, 1 << 20), st.booleans()),
    st.builds(ChunkCame, offsets, st.integers(1, 1 << 20)),
    st.builds(AudioChunkCame, offsets, st.integers(1, 1 << 20)),
    st.builds(FinishCame, offsets, offsets),
    st.sampled_from([HalfClosed(), JobEnded(), Delivered()]),
)
sessions = st.builds(Session, st.sampled_from(SessionState), st.integers(0, 1 << 40), st.integers(1, 1 << 20))


@given(sessions, events)
def test_what_has_no_row_is_refused_and_changes_nothing(session: Session, event: Event) -> None:
    before = Session(session.state, session.next_offset, session.frame_bytes)
    if (session.state, type(event)) in ROWS:
        return
    with pytest.raises(ServiceError) as refused:
        session.advance(event)
    assert refused.value.reason == reasons.ERROR_REASON_OUT_OF_ORDER
    assert session == before


@given(sessions, events)
def test_a_step_goes_where_its_row_says_or_is_refused_with_a_reason(session: Session, event: Event) -> None:
    try:
        after = session.advance(event)
    except ServiceError:
        return
    target = ROWS[session.state, type(event)]
    if isinstance(event, Attached) and event.is_complete:
        target = SessionState.FOLLOWING
    assert after.state == target
    if isinstance(event, ChunkCame):
        assert after.next_offset == session.next_offset + event.size_bytes


def test_a_chunk_at_another_offset_reports_the_expected_one() -> None:
    session = Session().advance(ATTACHED).advance(ChunkCame(0, 100))
    with pytest.raises(ServiceError) as refused:
        session.advance(ChunkCame(64, 100))
    assert refused.value.reason == reasons.ERROR_REASON_WRONG_OFFSET
    assert refused.value.metadata == {"expected_offset": "100"}


@pytest.mark.parametrize(
    ("frames", "size", "reason"),
    [
        (0, 0, reasons.ERROR_REASON_INVALID_FIELD),
        (-1, -FRAME_BYTES, reasons.ERROR_REASON_INVALID_FIELD),
        (2, 2 * FRAME_BYTES + 1, reasons.ERROR_REASON_TOTALS_MISMATCH),
        (3, 3 * FRAME_BYTES, reasons.ERROR_REASON_TOTALS_MISMATCH),
        (1, FRAME_BYTES, reasons.ERROR_REASON_TOTALS_MISMATCH),
    ],
)
def test_wrong_totals_are_refused_and_the_stream_goes_on(frames: int, size: int, reason: int) -> None:
    session = Session().advance(ATTACHED).advance(ChunkCame(0, 2 * FRAME_BYTES))
    with pytest.raises(ServiceError) as refused:
        session.advance(FinishCame(frames, size))
    assert refused.value.reason == reason
    assert session.advance(FinishCame(2, 2 * FRAME_BYTES)).state is SessionState.FOLLOWING


@pytest.mark.parametrize(
    ("samples", "size", "reason"),
    [
        (0, 0, reasons.ERROR_REASON_INVALID_FIELD),
        (-1, -4, reasons.ERROR_REASON_INVALID_FIELD),
        (2, 9, reasons.ERROR_REASON_TOTALS_MISMATCH),
        (3, 12, reasons.ERROR_REASON_TOTALS_MISMATCH),
    ],
)
def test_totals_of_sound_are_held_against_what_came(samples: int, size: int, reason: int) -> None:
    attached = Attached(0, FRAME_BYTES, is_complete=False, sample_bytes=4)
    session = Session().advance(attached).advance(AudioChunkCame(0, 5)).advance(ChunkCame(0, FRAME_BYTES))
    session = session.advance(AudioChunkCame(5, 3))
    with pytest.raises(ServiceError) as refused:
        session.advance(FinishCame(1, FRAME_BYTES, samples, size))
    assert refused.value.reason == reason
    with pytest.raises(ServiceError) as gap:
        session.advance(AudioChunkCame(9, 1))
    assert gap.value.metadata == {"expected_offset": "8"}
    assert session.advance(FinishCame(1, FRAME_BYTES, 2, 8)).state is SessionState.FOLLOWING
    silent = Session().advance(ATTACHED).advance(ChunkCame(0, FRAME_BYTES))
    with pytest.raises(ServiceError) as undeclared:
        silent.advance(FinishCame(1, FRAME_BYTES, 2, 8))
    assert undeclared.value.reason == reasons.ERROR_REASON_INVALID_FIELD


def test_finish_may_come_again_after_its_answer_was_lost() -> None:
    session = Session().advance(Attached(2 * FRAME_BYTES, FRAME_BYTES, is_complete=True))
    assert session.state is SessionState.FOLLOWING
    assert session.advance(FinishCame(2, 2 * FRAME_BYTES)).state is SessionState.FOLLOWING


class AnyStream(RuleBasedStateMachine):
    """Whatever comes in whatever order: the next offset is the sum of what was taken, and never falls."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session()
        self.taken = 0

    @rule(event=events)
    def come(self, event: Event) -> None:
        """Anything."""
        self.step(event)

    @rule(size=st.integers(1, 1000))
    def come_right(self, size: int) -> None:
        """The next chunk."""
        self.step(ChunkCame(self.session.next_offset, size))

    @rule()
    def attach(self) -> None:
        """The spec."""
        self.step(ATTACHED)

    def step(self, event: Event) -> None:
        """Advances, if that is allowed."""
        try:
            self.session = self.session.advance(event)
        except ServiceError:
            return
        if isinstance(event, Attached):
            self.taken = event.persisted_bytes
        elif isinstance(event, ChunkCame):
            self.taken += event.size_bytes

    @invariant()
    def offset_is_what_was_taken(self) -> None:
        """No byte is counted twice or skipped."""
        assert self.session.next_offset == self.taken


test_any_stream = AnyStream.TestCase
