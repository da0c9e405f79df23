"""Overlays and cut outputs in the real service: after a crash, a kill or a resume the frames are the same."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from PIL import Image
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.robustness.frames import frame_hashes

CLIP = raw.clip()
Maker = Callable[..., ServerProcess]


def logo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (12, 8), (255, 40, 0, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def drawn(job_id: str) -> pb.JobSpec:
    """A text that differs from frame to frame, a watermark, and an end before the clip's."""
    overlays = [
        pb.Overlay(text=pb.TextOverlay(text="{frame} {seed}", size=pb.Length(pixels=14))),
        pb.Overlay(image=pb.ImageOverlay(image=logo()), position=pb.POSITION_TOP_LEFT),
    ]
    output = pb.OutputSpec(
        format="mp4",
        quality=pb.QUALITY_DRAFT,
        overlays=overlays,
        scale=pb.Scale(aspect_ratio="1:1", pad_color="#204060"),
        max_duration=Duration(nanos=750_000_000),
    )
    return raw.spec(job_id, output, metadata={"seed": "7"})


async def encode(server: ServerProcess, job: pb.JobSpec) -> raw.Heard:
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await raw.RawClient(channel).encode(job, CLIP)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The frames without any fault."""
    import asyncio

    server = ServerProcess(tmp_path_factory.mktemp("reference") / "data", {"workers": "1"}).start()
    try:
        heard = asyncio.run(encode(server, drawn("reference")))
    finally:
        server.stop()
    plain = frame_hashes(heard.files["mp4.mp4"])
    assert len(set(plain)) == 18
    return plain


async def test_a_crashed_attempt_is_made_again_with_the_same_overlays(
    make_server: Maker, reference: list[str]
) -> None:
    server = make_server().start({"TELECINE_WORKER_FAULT": "abort_once_at_frame:10@mp4"})
    heard = await encode(server, drawn("crashed"))
    assert heard.result is not None
    manifest = json.loads(heard.result.manifest_json)
    output = manifest["outputs"][0]
    assert [attempt["status"] for attempt in output["attempts"]] == ["failed", "success"]
    assert frame_hashes(heard.files["mp4.mp4"]) == reference
    assert output["frames"] == {"sent": 24, "read": 24, "encoded": 18, "decoded": 18, "cut": 6}
    assert [overlay["kind"] for overlay in output["overlays"]] == ["text", "image"]
    assert output["overlays"][0]["text"] == "0 7"
    assert [warning["code"] for warning in manifest["warnings"]] == ["DURATION_CUT"]
    asked = manifest["config"]["outputs"][0]["overlays"]
    assert asked[0]["kind"]["text"] == "{frame} {seed}"
    assert asked[1]["kind"]["sha256"] == output["overlays"][1]["sha256"]
    assert logo()[20:40].hex() not in heard.result.manifest_json.hex(), "no image in the manifest"
    server.assert_tidy()


async def test_a_killed_service_goes_on_with_the_images_that_it_keeps(
    make_server: Maker, reference: list[str]
) -> None:
    server = make_server().start()
    frame_bytes = raw.WIDTH * raw.HEIGHT * 3
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.open(drawn("killed"))
        await stream.push(CLIP[: 5 * frame_bytes], 16384)
        # A job of which no byte has come goes with its stream.
        await stream.until(lambda heard: heard.acknowledged[-1] > 0)
        server.kill()
    server.start()
    heard = await encode(server, drawn("killed"))
    assert heard.accepted is not None
    assert heard.accepted.is_resumed
    assert frame_hashes(heard.files["mp4.mp4"]) == reference
    server.assert_tidy()


async def test_a_clip_beyond_the_servers_limit_is_refused_and_keeps_what_was_acknowledged(
    make_server: Maker,
) -> None:
    server = make_server(max_clip_seconds="0.5").start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await raw.RawClient(channel).encode(raw.spec("long"), CLIP)
        assert "may last 0.5 s" in str(refused.value.details())
        client = raw.RawClient(channel)
        job = (await client.stub.GetJob(pb.GetJobRequest(job_id="long"))).job
        assert job.persisted[0].persisted_bytes <= 12 * raw.WIDTH * raw.HEIGHT * 3
        heard = await client.encode(raw.spec("short"), raw.clip(12))
        limits = (await client.stub.GetCapabilities(pb.GetCapabilitiesRequest())).limits
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert limits.max_clip_duration == Duration(nanos=500_000_000)
    server.stop()


async def test_a_clip_of_which_too_much_is_made_is_refused_where_its_length_shows(
    make_server: Maker,
) -> None:
    """Nobody declared how long it is: frames are taken until what is made of them comes to the bound."""
    made = 2 * 128 * 96
    server = make_server(max_job_output_pixels=str(12 * made)).start()
    big = [pb.OutputSpec(format=name, scale=pb.Scale(width=128, height=96)) for name in ("mp4", "webp")]
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.encode(raw.spec("much", *big), CLIP)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"2 outputs may make {12 * made} pixels here (max_job_output_pixels)" in str(
            refused.value.details()
        )
        job = (await client.stub.GetJob(pb.GetJobRequest(job_id="much"))).job
        assert job.persisted[0].persisted_bytes <= 12 * raw.WIDTH * raw.HEIGHT * 3
        heard = await client.encode(raw.spec("enough", *big), raw.clip(12))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    server.stop()
