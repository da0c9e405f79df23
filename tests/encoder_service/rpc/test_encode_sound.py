"""Sound on the Encode stream of a real service: in any order, killed, resumed, refused, verified."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import grpc
import grpc.aio
import numpy as np
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.evidence.manifest import decode_manifest
from encoder_service.worker.verification.verify import verify
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

CLIP = raw.clip()
RATE = 48_000
SAMPLES = RATE * raw.FRAMES // 24
SOUND = np.random.default_rng(5).integers(-20_000, 20_000, (SAMPLES, 2), np.int16).astype("<i2").tobytes()


def sounding(job_id: str, *outputs: pb.OutputSpec | str, **fields: object) -> pb.JobSpec:
    """A spec of the drawn clip with a stereo track."""
    job = raw.spec(job_id, *(outputs or ("mp4", "wav")), **fields)
    job.audio.CopyFrom(pb.AudioTrack(sample_rate=RATE, channels=2, sample_format="s16", layout="stereo"))
    return job


def sound_chunks(data: bytes = SOUND, size: int = 30_011, offset: int = 0) -> Iterator[pb.EncodeRequest]:
    """The sound in pieces that end within samples."""
    for start in range(offset, len(data), size):
        piece = data[start : start + size]
        yield pb.EncodeRequest(
            chunk=pb.Chunk(
                track=pb.TRACK_AUDIO, offset=start, data=piece, crc32c=int(google_crc32c.value(piece))
            )
        )


def finish(samples: int = SAMPLES, size: int = len(SOUND)) -> pb.EncodeRequest:
    """The totals of both tracks."""
    request = raw.finish(CLIP)
    request.finish.total_samples, request.finish.total_audio_bytes = samples, size
    return request


def mixed(order: str, video_offset: int = 0, audio_offset: int = 0) -> list[pb.EncodeRequest]:
    """What is left of both tracks, sound "first", "last" or "between" the frames."""
    pictures = list(raw.chunks(CLIP, 20_000, video_offset))
    sounds = list(sound_chunks(offset=audio_offset))
    if order == "first":
        return sounds + pictures
    if order == "last":
        return pictures + sounds
    tracks = [pictures[::-1], sounds[::-1]]
    dice, found = random.Random(3), []
    while any(tracks):
        track = dice.choice([each for each in tracks if each])
        found.append(track.pop())
    return found


async def encode(server: ServerProcess, job: pb.JobSpec, *requests: pb.EncodeRequest) -> raw.Heard:
    """Sends these after the spec and reads to the end."""
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        accepted = await stream.open(job)
        if accepted.state == pb.JOB_STATE_RECEIVING:
            await stream.write(*requests)
        return await stream.rest()


async def refused(
    server: ServerProcess, job: pb.JobSpec, *requests: pb.EncodeRequest
) -> grpc.aio.AioRpcError:
    """How that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await encode(server, job, *requests)
    return failed.value


def made(heard: raw.Heard) -> dict[str, str]:
    """The hash of each artifact."""
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED, heard.result.job
    return {path: header.sha256 for path, header in heard.headers.items()}


async def test_sound_may_come_first_last_or_between_and_makes_the_same_artifacts(
    server: ServerProcess,
) -> None:
    found = {}
    for order in ("first", "last", "between"):
        heard = await encode(server, sounding(f"order-{order}"), *mixed(order), finish())
        found[order] = made(heard)
        assert heard.accepted is not None
        assert heard.accepted.max_audio_bytes > 0
        assert heard.result is not None
        manifest = decode_manifest(heard.result.manifest_json)
        assert manifest.audio is not None
        assert manifest.audio.hash is not None
        assert (manifest.audio.hash.algorithm, manifest.audio.hash.hex) == (
            "sha256",
            hashlib.sha256(SOUND).hexdigest(),
        )
        assert manifest.audio.sample_count == SAMPLES
        wav = next(output for output in manifest.outputs if output.format == "wav")
        assert wav.sound is not None
        assert wav.sound.pcm_sha256 == manifest.audio.hash.hex, "sample for sample what was sent"
        assert not manifest.warnings
    assert found["first"] == found["last"] == found["between"]
    server.assert_tidy()


async def test_a_flipped_bit_in_either_track_is_found_by_verify(
    server: ServerProcess, tmp_path: Path
) -> None:
    await encode(server, sounding("verified", "mkv", "wav"), *mixed("between"), finish())
    directory = server.job_directory("verified")
    assert verify(directory).is_sound, verify(directory)
    for name in ("mkv.mkv", "wav.wav"):
        whole = (directory / name).read_bytes()
        spoiled = bytearray(whole)
        spoiled[len(spoiled) * 2 // 3] ^= 4
        (directory / name).write_bytes(spoiled)
        codes = {finding.code for finding in verify(directory).findings}
        assert "HASH_DIFFERS" in codes
        (directory / name).write_bytes(whole)
    assert verify(directory).is_sound


@pytest.mark.parametrize("order", ["first", "last", "between"])
async def test_a_killed_service_goes_on_with_both_tracks(tmp_path: Path, order: str) -> None:
    server = ServerProcess(tmp_path / "data").start()
    try:
        undisturbed = made(await encode(server, sounding("whole"), *mixed(order), finish()))
        job, requests = sounding("killed"), mixed(order)
        async with (
            grpc.aio.insecure_channel(server.address) as channel,
            raw.RawClient(channel).stream() as stream,
        ):
            await stream.open(job)
            await stream.write(*requests[: len(requests) // 2])
            await stream.until(lambda heard: heard.acknowledged[-1] > 0 or order == "first")
            server.kill()
        server.start()
        async with (
            grpc.aio.insecure_channel(server.address) as channel,
            raw.RawClient(channel).stream() as stream,
        ):
            accepted = await stream.open(job)
            offsets = {entry.track: entry.persisted_bytes for entry in accepted.persisted}
            rest = mixed(order, offsets[pb.TRACK_VIDEO], offsets[pb.TRACK_AUDIO])
            await stream.write(*rest, finish())
            again = made(await stream.rest())
        assert again == undisturbed
        server.assert_tidy()
    finally:
        assert server.stop() == 0
        server.assert_no_orphans()


async def test_a_killed_worker_makes_the_same_sound_again(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", {"workers": "1"}).start()
    try:
        undisturbed = made(await encode(server, sounding("whole"), *mixed("between"), finish()))
        pictures, sounds = list(raw.chunks(CLIP)), list(sound_chunks())
        async with (
            grpc.aio.insecure_channel(server.address) as channel,
            raw.RawClient(channel).stream() as stream,
        ):
            await stream.open(sounding("killed"))
            await stream.write(*pictures, *sounds[:2])
            await stream.until(lambda heard: any(each.frames_encoded for each in heard.progress))
            for worker in server.workers():
                worker.kill()
            await stream.write(*sounds[2:], finish())
            assert made(await stream.rest()) == undisturbed
    finally:
        assert server.stop() == 0


async def test_each_error_of_sound_is_refused_with_its_reason(server: ServerProcess) -> None:
    silent = raw.spec("silent")
    error = await refused(server, silent, next(sound_chunks()))
    assert (raw.reason(error), raw.fields(error)) == ("INVALID_FIELD", ["chunk.track"])
    error = await refused(server, raw.spec("silent-2"), *raw.chunks(CLIP), finish())
    assert (raw.reason(error), raw.fields(error)) == ("INVALID_FIELD", ["finish.total_samples"])
    error = await refused(server, sounding("none"), *raw.chunks(CLIP), raw.finish(CLIP))
    assert (raw.reason(error), raw.fields(error)) == ("INVALID_FIELD", ["finish.total_samples"])
    everything = mixed("last")
    error = await refused(server, sounding("short"), *everything, finish(SAMPLES + 1, len(SOUND) + 4))
    assert raw.reason(error) == "TOTALS_MISMATCH"
    error = await refused(server, sounding("odd"), *everything, finish(SAMPLES, len(SOUND) - 1))
    assert raw.reason(error) == "TOTALS_MISMATCH"
    second = list(sound_chunks())[1]
    error = await refused(server, sounding("gap"), second)
    assert raw.reason(error) == "WRONG_OFFSET"
    spoiled = next(sound_chunks())
    spoiled.chunk.crc32c ^= 1
    error = await refused(server, sounding("spoiled"), spoiled)
    assert error.code() is grpc.StatusCode.DATA_LOSS
    ring = next(sound_chunks())
    ring.chunk.ring_bytes, ring.chunk.data = 100, b""
    error = await refused(server, sounding("ring"), ring)
    assert raw.fields(error) == ["chunk.ring_bytes"]
    other = sounding("silent-2")
    error = await refused(server, other)
    assert raw.reason(error) in {"JOB_SPEC_CONFLICT", "OUT_OF_ORDER"} or raw.fields(error)


async def test_sound_beyond_its_limits_is_refused_and_counts_against_the_quota(tmp_path: Path) -> None:
    settings = dict.fromkeys(("max_frame_bytes", "max_job_bytes", "spool_quota_bytes"), "1000000")
    settings["max_audio_seconds"] = "0.5"
    server = ServerProcess(tmp_path / "data", settings).start()
    try:
        error = await refused(server, sounding("long"), *sound_chunks())
        assert raw.reason(error) == "TOO_LARGE"
        assert "max_audio_seconds" in str(error.details())
        fits = list(sound_chunks(SOUND[: RATE * 2]))
        async with (
            grpc.aio.insecure_channel(server.address) as channel,
            raw.RawClient(channel).stream() as stream,
        ):
            await stream.open(sounding("full"))
            await stream.write(*fits)
            await stream.until(lambda heard: heard.acknowledged[-1] >= 0)
        many = [raw.chunk(at, bytes(16_384)) for at in range(0, 950_000, 16_384)]
        error = await refused(server, sounding("full"), *many)
        assert raw.reason(error) == "SPOOL_FULL"
    finally:
        assert server.stop() == 0
