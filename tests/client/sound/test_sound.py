"""What callers hold as sound becomes the samples that are meant, or one clear error; jobs carry it."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import telecine
from telecine import Audio, Output, Sound
from telecine.exceptions import InvalidFramesError, InvalidRequestError, OutOfOrderError
from telecine.request.sound import AudioFormat
from telecine.sound.reader import open_sound, require_at_once

from tests.encoder_service.server_process import ServerProcess

RATE = 48_000
FRAMES = np.zeros((12, 32, 32, 3), np.uint8)
NOISE = np.random.default_rng(11).integers(-20_000, 20_000, (RATE // 2, 2), np.int16)
"""Half a second of stereo, as long as the frames at 24 a second; samples first."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running encoder service."""
    server = ServerProcess(tmp_path_factory.mktemp("encoder") / "data").start()
    yield server
    assert server.stop() == 0


async def _awaited() -> AsyncIterator[np.ndarray]:
    for piece in ():
        yield piece


def sent(audio: object) -> tuple[AudioFormat, bytes]:
    """The track and the bytes that would be sent."""
    reader = open_sound(audio)
    return reader.track, b"".join(reader.blocks())


def wav_bytes(samples: np.ndarray) -> bytes:
    """A WAV file of integers, samples first, by Python's own writer."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def float_wav(samples: np.ndarray) -> bytes:
    """A WAV file of floats with a chunk of its own before the samples."""
    data = samples.astype("<f4").tobytes()
    form = struct.pack(
        "<HHIIHH", 3, samples.shape[1], RATE, RATE * 4 * samples.shape[1], 4 * samples.shape[1], 32
    )
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def av_frames(form: str) -> list[av.AudioFrame]:
    """The noise as frames of PyAV."""
    samples = NOISE.T if form.endswith("p") else NOISE.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), form, "stereo")
    frame.sample_rate = RATE
    return [frame]


@pytest.mark.parametrize(
    "audio",
    [
        Audio(NOISE, RATE, "stereo"),
        Audio(NOISE.T, RATE, "stereo"),
        Audio(np.asfortranarray(NOISE), RATE, "stereo", axes="NC"),
        Audio(iter([NOISE[:10], NOISE[10:11], NOISE[11:]]), RATE, "stereo"),
        Audio([NOISE[:777], NOISE[777:]], RATE, "stereo", "s16"),
        wav_bytes(NOISE),
        av_frames("s16"),
        iter(av_frames("s16p")),
        av_frames("s16p")[0],
    ],
)
def test_every_way_of_holding_the_same_sound_sends_the_same_samples(audio: object) -> None:
    track, data = sent(audio)
    assert (track.sample_rate, track.layout, track.sample_format) == (RATE, "stereo", "s16")
    assert data == NOISE.astype("<i2").tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_any_width_are_sent_as_32_bits(dtype: type) -> None:
    floats = (NOISE / 32768).astype(dtype)
    expected = floats.astype("<f4")
    assert sent(Audio(floats, RATE, "stereo")) == (AudioFormat(RATE, "stereo", "flt"), expected.tobytes())
    comfy = {"waveform": floats.T[None], "sample_rate": RATE}
    assert sent(comfy)[1] == expected.tobytes()
    assert sent(float_wav(expected))[1] == expected.tobytes()


def test_a_wav_file_of_24_bits_keeps_each_of_them(tmp_path: Path) -> None:
    values = np.arange(-300, 300, dtype=np.int32).reshape(-1, 1)
    packed = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]
    path = tmp_path / "mono.wav"
    path.write_bytes(_wav24(packed))
    track, data = sent(path)
    assert (track.layout, track.sample_format) == ("mono", "s32")
    assert np.array_equal(np.frombuffer(data, "<i4"), values[:, 0] * 256)


def test_of_a_long_wav_file_only_the_samples_are_sound() -> None:
    """EBU Tech 3306: the chunk ds64 says how long the samples are; others may follow them."""
    plain = wav_bytes(NOISE)
    form, data = plain[12:36], NOISE.astype("<i2").tobytes()
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, len(data), len(NOISE), 0)
    rest = b"LIST" + struct.pack("<I", 400) + b"x" * 400
    body = b"WAVE" + sizes + form + b"data" + b"\xff" * 4 + data + rest
    assert sent(b"RF64" + b"\xff" * 4 + body)[1] == data


def test_frames_with_channels_at_the_sides_are_5_1() -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((6, 100), np.int16), "s16p", "5.1(side)")
    frame.sample_rate = RATE
    assert sent([frame])[0] == AudioFormat(RATE, "5.1", "s16")


def test_the_axis_of_a_stream_is_that_of_its_pieces_before() -> None:
    pieces = [NOISE[:10], NOISE[10:12]]
    assert sent(Audio(iter(pieces), RATE, "stereo"))[1] == NOISE[:12].astype("<i2").tobytes()


def test_nothing_of_a_refused_piece_is_taken() -> None:
    reader = open_sound(Audio(None, RATE, "mono", "flt"))
    piece = np.zeros(200_000, np.float32)
    piece[180_000] = np.nan
    with pytest.raises(InvalidFramesError, match="sample 180000"):
        next(iter(reader.blocks_of(piece)))
    assert sum(block.nbytes for block in reader.blocks_of(np.nan_to_num(piece))) == 4 * len(piece)


def _wav24(packed: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(RATE)
        file.writeframes(packed.tobytes())
    return buffer.getvalue()


class Tensor:
    """What matters of a torch tensor on another device, whose numbers numpy does not know."""

    dtype = "torch.bfloat16"

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        self.__dlpack__ = None

    def detach(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self._values


def test_a_tensor_is_taken_off_its_device_and_out_of_its_narrow_floats() -> None:
    floats = (NOISE / 32768).astype(np.float32)
    assert sent(Audio(Tensor(floats), RATE, "stereo"))[1] == floats.tobytes()


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (Audio(np.zeros((2, 2), np.int16), RATE, "stereo"), "either way"),
        (Audio(np.zeros((3, 100), np.int16), RATE, "stereo"), "no axis of 2 channels"),
        (Audio(np.zeros(100, np.int16), RATE, "stereo"), "one channel"),
        (Audio(np.zeros((1, 2, 100), np.int16), RATE, "stereo"), "one entry of the batch"),
        (Audio(np.zeros((2, 100), np.int16), RATE, "stereo", axes="NC"), "has not 2 channels"),
        (Audio(np.zeros((2, 100), np.uint8), RATE, "stereo"), "uint8"),
        (Audio(np.zeros((2, 100), np.int64), RATE, "stereo"), "int64"),
        (Audio(np.full((2, 100), np.nan), RATE, "stereo"), "sample 0 of channel 0"),
        (Audio([NOISE, NOISE.astype(float)], RATE, "stereo"), "declared as s16"),
        (Audio(iter([]), RATE, "stereo"), "empty"),
        (Audio(np.float32(NOISE), RATE, "stereo"), "look like int16 .* divide them by 32768"),
        (Audio(np.float32(NOISE) * 65536, RATE, "stereo"), "look like int32 .* divide them by 2147483648"),
        (Audio(np.float32(NOISE >> 8), RATE, "stereo"), "look like int8 .* divide them by 128"),
        (Audio(np.float32(NOISE) * 1e20, RATE, "stereo"), "expected -1 to 1; scale them"),
        (Audio([np.zeros((9, 2)), np.float64(NOISE)], RATE, "stereo"), "look like int16"),
        ({"waveform": np.zeros((2, 2, 100)), "sample_rate": RATE}, "one clip has one sound"),
        ({"waveform": np.zeros((1, 3, 100)), "sample_rate": RATE}, "1, 2 or 6 channels"),
        (b"RIFF....WAVEfmt ", "cut off"),
        (wav_bytes(NOISE)[:1000], "cut off"),
        (b"no sound at all", "no WAV file"),
        ("/nowhere/at/all.wav", "cannot be opened"),
    ],
)
def test_sound_that_is_not_clear_is_refused_with_its_reason(audio: object, words: str) -> None:
    with pytest.raises(InvalidFramesError, match=words):
        sent(audio)


@pytest.mark.parametrize(
    ("audio", "field"),
    [
        (Audio(NOISE, 0, "stereo"), "audio.sample_rate"),
        (Audio(NOISE, RATE, ""), "audio.layout"),
        (Audio(NOISE, RATE, "surround"), "audio.layout"),
        (Audio(NOISE, RATE, "stereo", "s24"), "audio.sample_format"),
        (Audio(NOISE, RATE, "stereo", axes="XY"), "audio.axes"),
        (Audio(NOISE, RATE, "stereo", fit="shortest"), "audio.fit"),
        (Audio(None, RATE, "stereo"), "audio.sample_format"),
        (Audio(_awaited(), RATE, "stereo", "s16"), "audio.samples"),
        (NOISE, "audio"),
        (5, "audio"),
        ({"samples": NOISE}, "audio"),
    ],
)
def test_what_a_track_must_say_and_does_not_is_named(audio: object, field: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        require_at_once(open_sound(audio))
    assert [fault.field for fault in refused.value.faults] == [field]


def test_a_few_loud_values_are_clipped_and_not_taken_for_integers() -> None:
    floats = NOISE.astype(np.float32) / (1 << 15)
    floats[::300] = 20.0
    reader = open_sound(Audio(floats * 1.5, RATE, "stereo"))
    assert sum(len(block) for block in reader.blocks()) == floats.nbytes
    assert reader.clipped_samples > len(floats[::300])


def test_the_place_of_nan_counts_over_all_pieces_and_loud_values_are_clipped_and_counted() -> None:
    floats = np.zeros((1000, 2), np.float32)
    floats[10] = 1.5
    spoiled = floats.copy()
    spoiled[333, 1] = np.inf
    reader = open_sound(Audio([floats, spoiled], RATE, "stereo"))
    with pytest.raises(InvalidFramesError, match="sample 1333 of channel 1"):
        list(reader.blocks())
    reader = open_sound(Audio(floats, RATE, "stereo"))
    data = np.frombuffer(b"".join(reader.blocks()), "<f4")
    assert data.max() == 1
    assert reader.clipped_samples == 2


def manifest_of(result: telecine.EncodeResult) -> dict:
    """The manifest as JSON."""
    assert result.manifest_json is not None
    return json.loads(result.manifest_json)


def test_encode_takes_sound_and_the_artifacts_have_it(server: ServerProcess, tmp_path: Path) -> None:
    with telecine.Client(server.address) as client:
        result = client.encode(
            FRAMES,
            fps=24,
            outputs=[
                "wav",
                Output("mp4", sound=Sound(volume=0.5, fade_in_seconds=0.1)),
                Output("webm", sound=False),
            ],
            audio=Audio(NOISE, RATE, "stereo"),
            to=tmp_path,
        )
    manifest = manifest_of(result)
    digest = hashlib.sha256(NOISE.astype("<i2").tobytes()).hexdigest()
    assert manifest["audio"]["hash"] == {"algorithm": "sha256", "hex": digest}
    sounds = {output["name"]: output["sound"] for output in manifest["outputs"]}
    assert sounds["wav"]["pcm_sha256"] == digest
    assert sounds["mp4"]["codec"] == "aac"
    assert sounds["webm"] is None
    assert result.warnings == ()
    with wave.open(str(tmp_path / "wav.wav")) as file:
        assert file.readframes(RATE) == NOISE.astype("<i2").tobytes()


def test_pushed_sound_may_come_between_frames(server: ServerProcess) -> None:
    track = Audio(None, RATE, "stereo", "s16")
    with telecine.Client(server.address) as client:
        with client.open_job(fps=24, outputs=["wav"], audio=track) as job:
            with pytest.raises(OutOfOrderError, match="push a frame before"):
                job.push_audio(NOISE)
            for index, frame in enumerate(FRAMES):
                job.push(frame)
                job.push_audio(NOISE[index * 2_000 : (index + 1) * 2_000])
            result = job.result()
        digest = hashlib.sha256(NOISE.astype("<i2").tobytes()).hexdigest()
        assert manifest_of(result)["audio"]["hash"]["hex"] == digest
        with client.open_job(fps=24, outputs=["mp4"]) as job:
            job.push(FRAMES)
            with pytest.raises(OutOfOrderError, match="declare it with"):
                job.push_audio(NOISE)
            job.result()
        with pytest.raises(InvalidFramesError, match="no sound was pushed"):
            client.encode(FRAMES, fps=24, outputs=["mp4"], audio=track)


def test_what_a_server_refuses_of_sound_names_the_field(server: ServerProcess) -> None:
    with telecine.Client(server.address) as client:
        with pytest.raises(InvalidRequestError) as refused:
            client.encode(
                FRAMES, fps=24, outputs=["mp4", "gif"], audio=Audio(NOISE, RATE, "stereo"), strict=True
            )
        assert [fault.field for fault in refused.value.faults] == ["spec.outputs[1].strict"]
        with pytest.raises(InvalidRequestError, match="the job has no sound"):
            client.encode(FRAMES, fps=24, outputs=["flac"])


_UPLOADING = """
import sys, numpy as np, telecine
noise = np.random.default_rng(11).integers(-20_000, 20_000, (24_000, 2), np.int16)
track = telecine.Audio(None, 48_000, "stereo", "s16")
with telecine.Client(sys.argv[1]) as client:
    job = client.open_job(fps=24, outputs=["mp4", "wav"], audio=track, job_id="killed", strict=True)
    job.push(np.zeros((6, 32, 32, 3), np.uint8))
    for start in range(0, 12_000, 3_000):
        job.push_audio(noise[start : start + 3_000])
    while job.progress.acknowledged_bytes < 6 * 32 * 32 * 3:
        pass
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_client_killed_amid_its_sound_is_taken_up_by_another(server: ServerProcess) -> None:
    whole = {"fps": 24, "outputs": ["mp4", "wav"], "audio": Audio(NOISE, RATE, "stereo"), "strict": True}
    with telecine.Client(server.address) as client:
        undisturbed = client.encode(FRAMES, job_id="whole", **whole)
        first = subprocess.Popen(
            [sys.executable, "-c", _UPLOADING, server.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with first:
            assert first.stdout is not None
            assert first.stdout.readline() == b"half\n"
            first.kill()
        again = client.encode(FRAMES, job_id="killed", **whole)
    assert {each.path: each.sha256 for each in again.artifacts} == {
        each.path: each.sha256 for each in undisturbed.artifacts
    }


async def test_the_asyncio_client_takes_sound_alike(server: ServerProcess) -> None:
    async def pieces() -> AsyncIterator[np.ndarray]:
        for start in range(0, len(NOISE), 5_000):
            yield NOISE[start : start + 5_000]

    digest = hashlib.sha256(NOISE.astype("<i2").tobytes()).hexdigest()
    async with telecine.AsyncClient(server.address) as client:
        for audio in (wav_bytes(NOISE), Audio(pieces(), RATE, "stereo")):
            given = await client.encode(FRAMES, fps=24, outputs=["flac"], audio=audio)
            assert manifest_of(given)["outputs"][0]["sound"]["pcm_sha256"] == digest
        with pytest.raises(InvalidRequestError, match="sample_format"):
            client.open_job(fps=24, audio=Audio(pieces(), RATE, "stereo"))
        empty = Audio(_awaited(), RATE, "stereo", "s16")
        with pytest.raises(InvalidFramesError, match="has no samples"):
            await client.encode(FRAMES, fps=24, outputs=["flac"], audio=empty)
        track = Audio(None, RATE, "stereo", "s16")
        async with client.open_job(fps=24, outputs=["wav"], audio=track) as job:
            await job.push(FRAMES)
            await job.push_audio(pieces())
            pushed = await job.result()
        assert manifest_of(pushed)["outputs"][0]["sound"]["pcm_sha256"] == digest
