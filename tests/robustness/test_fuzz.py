"""Mutated request streams: whatever comes, only documented statuses go back, and the service lives on."""

from __future__ import annotations

import random
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.message import DecodeError
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

CLIP = raw.clip(4)

DOCUMENTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE,
}
"""Those of the Encode rpc's manual."""

STREAMS = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all streams: what one does must not show in another."""
    settings = {"workers": "1", "max_job_bytes": "1000000", "max_frame_bytes": "100000"}
    settings |= {"spool_quota_bytes": "3000000", "host.max_message_bytes": "4194304", "attempts": "1"}
    server = ServerProcess(tmp_path_factory.mktemp("fuzz") / "data", settings).start()
    yield server
    server.stop()
    server.assert_no_orphans()


def good_stream(job_id: str) -> list[bytes]:
    """A right stream, serialized."""
    messages = [pb.EncodeRequest(spec=raw.spec(job_id)), *raw.chunks(CLIP, 7000), raw.finish(CLIP)]
    return [message.SerializeToString() for message in messages]


def mutated(stream: list[bytes], rng: random.Random) -> list[bytes]:
    """One to four mutations: of order, of bytes, of fields."""
    stream = list(stream)
    for _ in range(rng.randint(1, 4)):
        if not stream:
            break
        index = rng.randrange(len(stream))
        match rng.randrange(7):
            case 0:
                del stream[index]
            case 1:
                stream.insert(rng.randrange(len(stream)), stream[index])
            case 2:
                rng.shuffle(stream)
            case 3:
                data = bytearray(stream[index])
                for _ in range(rng.randint(1, 8)):
                    data[rng.randrange(len(data))] = rng.randrange(256)
                stream[index] = bytes(data)
            case 4:
                stream[index] = stream[index][: rng.randrange(len(stream[index]) + 1)]
            case 5:
                stream[index] = mutated_fields(stream[index], rng)
            case 6:
                stream[index] = rng.randbytes(rng.randrange(200))
    return stream


def mutated_fields(data: bytes, rng: random.Random) -> bytes:
    """A right message with a wrong value."""
    try:
        message = pb.EncodeRequest.FromString(data)
    except DecodeError:
        return data
    number = rng.choice([-(1 << 31), -1, 0, 1, 3, 65535, (1 << 31) - 1])
    match message.WhichOneof("message"):
        case "spec":
            spec = message.spec
            field = rng.choice(["width", "height", "odd_size_policy", "expected_frames"])
            rng.choice(
                [
                    lambda: setattr(spec.video, field, number),
                    lambda: setattr(spec.video.frame_rate, "numerator", number),
                    lambda: setattr(spec.video, "pixel_format", rng.randrange(-1, 20)),
                    lambda: setattr(spec, "job_id", rng.choice(["", "../x", "a" * 200, "ok\0", "é"])),
                    lambda: setattr(spec.outputs[0], "format", rng.choice(["", "exe", "gif", "png"])),
                    lambda: setattr(spec.outputs[0], "name", rng.choice(["..", "a/b", ".", "x" * 70])),
                    lambda: spec.outputs[0].options.update({"x264-params": "nonsense=:::"}),
                    lambda: spec.outputs[0].scale.SetInParent(),
                    lambda: spec.audio.SetInParent(),
                    lambda: spec.outputs.extend([spec.outputs[0]] * rng.choice([1, 40])),
                    lambda: setattr(spec, "priority", number),
                ]
            )()
        case "chunk":
            rng.choice(
                [
                    lambda: setattr(message.chunk, "offset", number),
                    lambda: setattr(message.chunk, "crc32c", number & 0xFFFFFFFF),
                    lambda: setattr(message.chunk, "track", rng.randrange(5)),
                    lambda: setattr(message.chunk, "data", b""),
                    lambda: setattr(message.chunk, "data", bytes(2 << 20) + b"x"),
                ]
            )()
        case "finish":
            field = rng.choice(["total_frames", "total_bytes"])
            setattr(message.finish, field, number)
    return message.SerializeToString()


def play(channel: grpc.Channel, stream: list[bytes]) -> grpc.RpcError | None:
    """Sends the stream as it is; returns how it failed, None where it ended well.

    The blocking client: grpc.aio's turns a write that comes after the stream's end into a status of its own.
    """
    encode = channel.stream_stream(
        "/telecine.encoder.v1.EncoderService/Encode",
        request_serializer=None,
        response_deserializer=pb.EncodeResponse.FromString,
    )
    try:
        for _ in encode(iter(stream), timeout=60):
            pass
    except grpc.RpcError as error:
        return error
    return None


@pytest.mark.parametrize("seed", range(4))
def test_mutated_streams_get_documented_answers(server: ServerProcess, seed: int) -> None:
    """Each failure has a status of the manual and a reason of the closed set; the service lives on."""
    with grpc.insecure_channel(server.address) as channel:
        for number in range(STREAMS // 4):
            rng = random.Random(seed * 1000 + number)
            error = play(channel, mutated(good_stream(f"fuzz-{seed}-{number}"), rng))
            if error is not None:
                assert error.code() in DOCUMENTED, (seed, number, error)
                assert raw.reason(error), (seed, number, error)
                assert raw.reason(error) != "INTERNAL", (seed, number, error)
        assert play(channel, good_stream(f"good-{seed}")) is None
    assert server.process is not None
    assert server.process.poll() is None
    assert "Traceback" not in server.log()
