"""The Encode stream against a real service with real codecs."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
import urllib.request

import grpc
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.evidence.manifest import decode_manifest
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually_async

CLIP = raw.clip()


async def encode(server: ServerProcess, job: pb.JobSpec, data: bytes = CLIP, size: int = 16384) -> raw.Heard:
    """The whole way on a channel of its own."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await raw.RawClient(channel).encode(job, data, size)


async def refusal(server: ServerProcess, *requests: pb.EncodeRequest) -> grpc.aio.AioRpcError:
    """How a stream of these requests fails."""
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.write(*requests[:1])
        if requests and requests[0].HasField("spec"):
            await stream.until(lambda heard: heard.accepted is not None)
        await stream.write(*requests[1:])
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream.rest()
    return failed.value


async def test_a_clip_comes_back_as_every_output_with_a_true_manifest(server: ServerProcess) -> None:
    heard = await encode(server, raw.spec("whole", "mp4", "webm", metadata={"prompt": "a walking square"}))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert heard.is_complete
    assert heard.acknowledged[-1] == len(CLIP)
    manifest = decode_manifest(heard.result.manifest_json)
    assert manifest.metadata == {"prompt": "a walking square"}
    assert manifest.inputs[0].hash is not None
    assert manifest.inputs[0].hash.hex == blake3(CLIP).hexdigest()
    for output in manifest.outputs:
        assert output.path is not None
        assert output.sha256 == hashlib.sha256(heard.files[output.path]).hexdigest()
        assert heard.headers[output.path].sha256 == output.sha256
        assert output.frames is not None
        counts = {output.frames.sent, output.frames.read, output.frames.encoded, output.frames.decoded}
        assert counts == {raw.FRAMES}
    directory = server.job_directory("whole")
    assert re.fullmatch(r"\d{8}_\d{6}_whole", directory.name)
    assert sorted(path.name for path in directory.iterdir()) == [
        "manifest.json",
        "mp4.mp4",
        "stage.log",
        "webm.webm",
    ]
    assert (directory / "manifest.json").read_bytes() == heard.result.manifest_json
    assert heard.accepted is not None
    assert heard.accepted.job_directory == ""
    assert heard.accepted.frame_bytes == raw.WIDTH * raw.HEIGHT * 3
    server.assert_tidy()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, len(CLIP) - 1), max_size=12))
def test_any_chunking_gives_the_same_artifact(server: ServerProcess, cuts: set[int]) -> None:
    job_id = "cuts-" + hashlib.sha256(repr(sorted(cuts)).encode()).hexdigest()[:16]
    edges = [0, *sorted(cuts), len(CLIP)]

    async def run() -> bytes:
        async with (
            grpc.aio.insecure_channel(server.address) as channel,
            raw.RawClient(channel).stream() as stream,
        ):
            accepted = await stream.open(raw.spec(job_id))
            begin = accepted.persisted[0].persisted_bytes
            for start, end in itertools.pairwise(edges):
                if start >= begin:
                    await stream.write(raw.chunk(start, CLIP[start:end]))
            await stream.write(raw.finish(CLIP))
            return bytes((await stream.rest()).files["mp4.mp4"])

    whole = asyncio.run(encode(server, raw.spec("in-one-piece"), CLIP, len(CLIP)))
    assert asyncio.run(run()) == bytes(whole.files["mp4.mp4"])


async def test_a_client_that_comes_back_later_gets_the_same_artifacts(server: ServerProcess) -> None:
    first = await encode(server, raw.spec("again"))
    second = await encode(server, raw.spec("again"))
    assert second.accepted is not None
    assert second.accepted.is_resumed
    assert second.accepted.state == pb.JOB_STATE_SUCCEEDED
    assert second.files == first.files
    assert second.result == first.result


async def test_references_come_without_bytes(server: ServerProcess) -> None:
    await encode(server, raw.spec("again"))
    heard = await encode(server, raw.spec("again", delivery=pb.DELIVERY_REFERENCES))
    assert list(heard.headers) == ["mp4.mp4"]
    assert heard.files == {"mp4.mp4": bytearray()}


async def test_an_upload_that_stops_without_finish_is_acknowledged_and_stays(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("stopped"))
            await stream.write(*list(raw.chunks(CLIP, 50_000))[:2])
            heard = await stream.rest()
        assert heard.acknowledged[-1] == 100_000
        assert heard.result is None
        again = await client.encode(raw.spec("stopped"), CLIP)
    assert again.accepted is not None
    assert again.accepted.persisted[0].persisted_bytes == 100_000
    assert again.result is not None


async def test_the_same_id_with_another_spec_is_a_conflict(server: ServerProcess) -> None:
    await encode(server, raw.spec("taken"))
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream.open(raw.spec("taken", "webm"))
    assert failed.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert raw.reason(failed.value) == "JOB_SPEC_CONFLICT"
    assert "outputs" in (failed.value.details() or "")


def opening(job_id: str) -> pb.EncodeRequest:
    """The first message."""
    return pb.EncodeRequest(spec=raw.spec(job_id))


@pytest.mark.parametrize(
    ("requests", "code", "reason"),
    [
        ([raw.chunk(0, b"x")], "FAILED_PRECONDITION", "OUT_OF_ORDER"),
        ([raw.finish(CLIP)], "FAILED_PRECONDITION", "OUT_OF_ORDER"),
        ([], "FAILED_PRECONDITION", "OUT_OF_ORDER"),
        ([pb.EncodeRequest()], "INVALID_ARGUMENT", "INVALID_FIELD"),
        ([pb.EncodeRequest(spec=pb.JobSpec())], "INVALID_ARGUMENT", "INVALID_FIELD"),
        ([opening("twice"), opening("twice")], "FAILED_PRECONDITION", "OUT_OF_ORDER"),
        ([opening("gap"), raw.chunk(9216, b"x")], "OUT_OF_RANGE", "WRONG_OFFSET"),
        ([opening("early"), raw.finish(CLIP)], "FAILED_PRECONDITION", "TOTALS_MISMATCH"),
        ([opening("none"), raw.finish(b"")], "INVALID_ARGUMENT", "INVALID_FIELD"),
        ([opening("big"), raw.chunk(0, bytes((2 << 20) + 1))], "INVALID_ARGUMENT", "TOO_LARGE"),
    ],
)
async def test_a_message_out_of_place_costs_its_sender_one_clear_error(
    server: ServerProcess, requests: list[pb.EncodeRequest], code: str, reason: str
) -> None:
    if requests and requests[0].HasField("spec") and not requests[0].spec.job_id:
        async with (
            grpc.aio.insecure_channel(server.address) as channel,
            raw.RawClient(channel).stream() as stream,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.open(requests[0].spec)
        error = failed.value
        assert set(raw.fields(error)) == {"spec.job_id", "spec.video", "spec.outputs"}
    else:
        error = await refusal(server, *requests)
    assert (error.code().name, raw.reason(error)) == (code, reason)


async def test_all_outputs_failing_early_ends_the_job_before_all_frames_are_sent(
    server: ServerProcess,
) -> None:
    """Nobody uploads a gigabyte to hear that an option was wrong."""
    wrong = pb.OutputSpec(format="mp4", codec="hevc", options={"x265-params": "rc-lookahead=0"})
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.open(raw.spec("wrong-option", wrong))
        await stream.write(*list(raw.chunks(CLIP, 50_000))[:2])
        heard = await stream.until(lambda heard: heard.result is not None)
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_FAILED
    assert heard.result.job.problem.code == "ALL_OUTPUTS_FAILED"
    assert heard.result.job.outputs[0].problem.code == "INVALID_OPTION"


async def test_a_strict_output_that_works_is_taken(server: ServerProcess) -> None:
    heard = await encode(server, raw.spec("strict", "mp4", strict=True))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED


async def test_the_laws_show_in_the_metrics(server: ServerProcess) -> None:
    """Persisted = acknowledged; frames read = encoded = decoded; nothing is held when all is done."""
    await encode(server, raw.spec("counted", "mp4", "webm"))

    def figures() -> dict[str, float]:
        text = urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=10).read().decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("telecine_encoder"))
        return {name: float(value) for name, _, value in lines}

    found = figures()
    assert found["telecine_encoder_persisted_bytes_total"] >= len(CLIP)
    assert await eventually_async(
        lambda: (
            figures()["telecine_encoder_persisted_bytes_total"]
            == figures()["telecine_encoder_acknowledged_bytes_total"]
        )
    )
    for name in ("mp4", "webm"):
        steps = {found[f'telecine_encoder_frames_total{{format="{name}",step="{step}"}}'] for step in STEPS}
        assert len(steps) == 1
    assert found['telecine_encoder_jobs_ended_total{state="succeeded"}'] >= 1
    assert found['telecine_encoder_rejected_total{reason="OUT_OF_ORDER"}'] >= 1


STEPS = ("read", "encoded", "decoded")


async def test_the_stage_log_holds_the_jobs_story(server: ServerProcess) -> None:
    await encode(server, raw.spec("story"))
    log = server.stage_log("story")
    for words in ("accepted: 64x48 rgb24", "attempt 1 begins", "all 24 frames received", "succeeded after"):
        assert words in log
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \w+ +\S", line) for line in log.splitlines())


def test_the_manifest_on_disk_is_json_that_says_where_everything_is(server: ServerProcess) -> None:
    manifest = json.loads((server.job_directory("whole") / "manifest.json").read_text())
    assert manifest["state"] == "succeeded"
    assert manifest["intermediate_files"][0]["retained"] is False
