"""The upload machine with a second track: whatever is lost, each byte of both arrives once, in order."""

from __future__ import annotations

import random

import pytest
from telecine import exceptions as errors
from telecine.request.options import RetryPolicy
from telecine.results.values import JobState
from telecine.upload import events as says
from telecine.upload.machine import Phase, Upload

FRAME_BYTES, SAMPLE_BYTES = 10, 4
POLICY = RetryPolicy(give_up_after_seconds=1e6)
GONE = errors.UnavailableError("gone")


def machine() -> Upload:
    return Upload(FRAME_BYTES, POLICY, 64, 30.0, SAMPLE_BYTES)


def accepted(video: int = 0, audio: int = 0, state: JobState = JobState.RECEIVING) -> says.Accepted:
    return says.Accepted(video, 7, 0, FRAME_BYTES, state, persisted_audio_bytes=audio)


def opened(video: int = 0, audio: int = 0, state: JobState = JobState.RECEIVING) -> Upload:
    up = machine()
    assert up.step(0.0) == says.Connect(1)
    assert up.next_message(1) == says.SendSpec()
    up.received(1, accepted(video, audio, state), 0.0)
    return up


@pytest.mark.parametrize("seed", range(40))
def test_each_byte_of_both_tracks_arrives_once_whatever_is_lost(seed: int) -> None:
    dice, up, now = random.Random(seed), machine(), 0.0
    tracks = {False: bytes(dice.randbytes(20 * FRAME_BYTES)), True: bytes(dice.randbytes(40 * SAMPLE_BYTES))}
    kept = {False: bytearray(), True: bytearray()}
    pushed, connection, finish = {False: 0, True: 0}, 0, None
    while finish is None:
        now += 1.0
        if isinstance(step := up.step(now), says.Connect):
            connection = step.connection
            assert up.next_message(connection) == says.SendSpec()
            up.received(connection, accepted(len(kept[False]), len(kept[True])), now)
        elif isinstance(step, says.Wait) and up.phase is Phase.WAITING:
            now += step.seconds
        is_audio = dice.random() < 0.5
        rest = tracks[is_audio][pushed[is_audio] :][: dice.randrange(1, 30)]
        if rest and up.room(len(rest)) >= len(rest):
            (up.push_audio if is_audio else up.push)(rest)
            pushed[is_audio] += len(rest)
        if up.total_frames is None and all(pushed[key] == len(tracks[key]) for key in tracks):
            up.finish()
        for _ in range(dice.randrange(4)):
            message = up.next_message(connection)
            if isinstance(message, says.SendChunk):
                assert message.offset == len(kept[message.is_audio])
                kept[message.is_audio] += b"".join(message.pieces)
            elif isinstance(message, says.SendFinish):
                finish = message
        if up.phase is Phase.SENDING and dice.random() < 0.7:
            up.received(connection, says.Acknowledged(len(kept[False]), False, len(kept[True])), now)
        if up.phase is Phase.SENDING and finish is None and dice.random() < 0.15:
            lost = dice.randrange(2) == 1
            up.lost(connection, GONE, now, 0.0)
            for key in kept if lost else ():  # what was not acknowledged may be gone
                safe = up.acknowledged_bytes if not key else up.pushed_audio_bytes - up._sound.size_bytes
                del kept[key][safe:]
    assert {key: bytes(value) for key, value in kept.items()} == tracks
    assert (finish.total_frames, finish.total_bytes) == (20, 200)
    assert (finish.total_samples, finish.total_audio_bytes) == (40, 160)


def test_a_new_process_sends_only_what_is_missing_of_each_track() -> None:
    up = opened(15, 6)
    up.push(bytes(range(20)))
    up.push_audio(bytes(range(8)))
    assert up.next_message(1) == says.SendChunk(6, [bytes([6, 7])], is_audio=True)
    message = up.next_message(1)
    assert isinstance(message, says.SendChunk)
    assert (message.offset, b"".join(message.pieces), message.is_audio) == (15, bytes(range(15, 20)), False)


def test_a_finished_job_is_attached_to_without_sending_sound() -> None:
    up = opened(20, 8, JobState.ENCODING)
    up.push(bytes(20))
    up.push_audio(bytes(8))
    up.finish()
    assert up.next_message(1) is None
    other = opened(20, 8, JobState.ENCODING)
    other.push(bytes(20))
    with pytest.raises(errors.TotalsMismatchError):
        other.push_audio(bytes(12))


def test_sound_that_is_missing_cut_or_too_much_is_an_error() -> None:
    up = opened()
    up.push(bytes(10))
    with pytest.raises(errors.InvalidFramesError, match="no sound"):
        up.finish()
    up.push_audio(bytes(3))
    with pytest.raises(errors.InvalidFramesError, match="no whole samples"):
        up.finish()
    up.push_audio(bytes(1))
    up.finish()
    with pytest.raises(errors.OutOfOrderError):
        up.push_audio(bytes(4))


def test_a_server_that_forgot_or_invents_sound_is_reported() -> None:
    up = opened()
    up.push_audio(bytes(8))
    up.next_message(1)
    up.received(1, says.Acknowledged(0, False, 9), 0.0)
    assert isinstance(up.error, errors.ProtocolError)
    up = opened()
    up.push_audio(bytes(4))
    up.next_message(1)
    up.received(1, says.Acknowledged(0, False, 4), 0.0)
    up.lost(1, GONE, 0.0, 0.0)
    step = up.step(100.0)
    assert isinstance(step, says.Connect)
    up.next_message(step.connection)
    up.received(step.connection, accepted(0, 0), 100.0)
    assert isinstance(up.error, errors.LostDataError)
