"""GetPreview: pictures of an upload while its frames are kept, shared among viewers, bounded in rate."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from PIL import Image
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually_async

CLIP = raw.clip(12)
FRAME_BYTES = raw.WIDTH * raw.HEIGHT * 3


async def preview(client: raw.RawClient, job_id: str, **fields: Any) -> pb.GetPreviewResponse:
    request = pb.GetPreviewRequest(job_id=job_id, **fields)
    return await client.stub.GetPreview(request, metadata=client.metadata, timeout=30)


async def refusal(client: raw.RawClient, job_id: str, **fields: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await preview(client, job_id, **fields)
    return failed.value


def status(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    return error.code().name, raw.reason(error)


def pixels(response: pb.GetPreviewResponse) -> np.ndarray:
    with Image.open(io.BytesIO(response.image)) as image:
        assert image.size == (response.width, response.height)
        assert image.get_format_mimetype() == response.media_type
        return np.asarray(image.convert("RGB")).astype(int)


def frame(index: int) -> np.ndarray:
    data = CLIP[index * FRAME_BYTES : (index + 1) * FRAME_BYTES]
    return np.frombuffer(data, np.uint8).reshape(raw.HEIGHT, raw.WIDTH, 3).astype(int)


@asynccontextmanager
async def uploading(server: ServerProcess, job_id: str, frames: float) -> AsyncIterator[raw.RawClient]:
    """An upload of which so many frames are safe; it is cancelled at the end."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec(job_id))
            if frames:
                await stream.push(CLIP[: int(frames * FRAME_BYTES)])
                await stream.until(lambda heard: heard.acknowledged[-1] >= int(frames * FRAME_BYTES))
            yield client
            await client.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))


async def test_the_newest_and_any_earlier_frame_of_an_upload_are_shown(server: ServerProcess) -> None:
    async with uploading(server, "shown", 5.5) as client:
        newest = await preview(client, "shown")
        assert (newest.frame_index, newest.persisted_frames, newest.media_type) == (4, 5, "image/webp")
        assert newest.state == pb.JOB_STATE_RECEIVING
        assert newest.made_at.ToSeconds() > 0
        assert np.abs(pixels(newest) - frame(4)).mean() < 8
        first = await preview(client, "shown", frame_index=0, format=pb.PREVIEW_FORMAT_JPEG)
        assert (first.frame_index, first.media_type) == (0, "image/jpeg")
        assert np.abs(pixels(first) - frame(0)).mean() < 8


HOSTILE: dict[str, tuple[dict[str, Any], tuple[str, str], list[str]]] = {
    "frame -1": ({"frame_index": -1}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["frame_index"]),
    "lowest frame": ({"frame_index": -(2**63)}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["frame_index"]),
    "next frame": ({"frame_index": 5}, ("OUT_OF_RANGE", "FRAME_NOT_THERE"), []),
    "highest frame": ({"frame_index": 2**63 - 1}, ("OUT_OF_RANGE", "FRAME_NOT_THERE"), []),
    "side -1": ({"max_side": -1}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["max_side"]),
    "side 63": ({"max_side": 63}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["max_side"]),
    "side 1e9": ({"max_side": 10**9}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["max_side"]),
    "unknown format": ({"format": 99}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["format"]),
    "negative format": ({"format": -1}, ("INVALID_ARGUMENT", "INVALID_FIELD"), ["format"]),
    "all at once": (
        {"frame_index": -5, "max_side": 1, "format": 7},
        ("INVALID_ARGUMENT", "INVALID_FIELD"),
        ["frame_index", "max_side", "format"],
    ),
}


async def test_what_cannot_be_shown_is_refused_with_what_there_is(server: ServerProcess) -> None:
    async with uploading(server, "hostile", 5) as client:
        for name, (fields, expected, wrong) in HOSTILE.items():
            error = await refusal(client, "hostile", **fields)
            assert (status(error), raw.fields(error)) == (expected, wrong), name
            if expected[1] == "FRAME_NOT_THERE":
                assert raw.info(error)["persisted_frames"] == "5", name
                assert "frames 0 to 4 are there" in (error.details() or ""), name
        for job_id in ("unknown", "", "../hostile", "x" * 4000):
            assert status(await refusal(client, job_id)) == ("NOT_FOUND", "JOB_NOT_FOUND")
    async with uploading(server, "empty", 0.5) as client:
        error = await refusal(client, "empty")
        assert status(error) == ("OUT_OF_RANGE", "FRAME_NOT_THERE")
        assert raw.info(error)["persisted_frames"] == "0"


async def test_many_viewers_share_one_picture(server: ServerProcess) -> None:
    async with uploading(server, "shared", 3) as client:
        answers = await asyncio.gather(*(preview(client, "shared") for _ in range(100)))
    assert len({(answer.made_at.ToNanoseconds(), answer.image) for answer in answers}) == 1


async def test_an_ended_job_refers_to_its_artifacts_and_a_deleted_one_is_unknown(
    server: ServerProcess,
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        await client.encode(raw.spec("over"), CLIP)
        error = await refusal(client, "over")
        assert status(error) == ("FAILED_PRECONDITION", "WRONG_STATE")
        assert "see its artifacts" in (error.details() or "")
        await client.stub.DeleteJob(pb.DeleteJobRequest(job_id="over"))
        assert status(await refusal(client, "over")) == ("NOT_FOUND", "JOB_NOT_FOUND")


async def test_who_asks_for_frame_after_frame_is_slowed_down_and_the_newest_stays(tmp_path: Path) -> None:
    settings = {"previews.job_per_second": "2"}
    server = ServerProcess(tmp_path / "data", settings).start()
    async with uploading(server, "scrubbed", 12) as client:
        newest = await preview(client, "scrubbed")
        error = None
        for index in range(11):
            try:
                await preview(client, "scrubbed", frame_index=index)
            except grpc.aio.AioRpcError as refused:
                error = refused
                break
        assert error is not None
        assert status(error) == ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
        assert raw.info(error)["quota"] == "previews.job_per_second"
        assert 0 < (raw.retry_seconds(error) or 0) < 5
        again = await preview(client, "scrubbed")
        assert again.image == newest.image
    assert server.stop() == 0


async def job_with(client: raw.RawClient, job_id: str, frames: int, *, encoded: int = 0) -> pb.Job:
    """The job, once so many of its frames are safe, and so many encoded."""
    watching = client.stub.WatchJob(pb.WatchJobRequest(job_id=job_id), timeout=60)
    while True:
        job = (await watching.read()).job
        if job.persisted_frames >= frames and job.outputs[0].progress.frames_encoded >= encoded:
            watching.cancel()
            return job


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A service of the test's own, to be killed and to have its files damaged."""
    server = ServerProcess(tmp_path / "data", {"previews.job_per_second": "100"}).start()
    yield server
    assert server.stop() == 0
    server.assert_no_orphans()


async def test_a_damaged_frame_is_refused_and_no_other_one(own_server: ServerProcess) -> None:
    async with uploading(own_server, "damaged", 3) as client:
        await job_with(client, "damaged", 3, encoded=3)
        files = [path for path in (own_server.data_dir / "spool").rglob("*") if path.is_file()]
        spool = next(path for path in files if path.stat().st_size == 3 * FRAME_BYTES)
        with spool.open("r+b") as file:
            file.seek(FRAME_BYTES + 9)
            file.write(b"\xff\x00\xff")
        refused = [await status_of(client, "damaged", index) for index in range(3)]
    assert ("DATA_LOSS", "JOB_DAMAGED") in refused
    assert set(refused) <= {("OK", ""), ("DATA_LOSS", "JOB_DAMAGED")}


async def status_of(client: raw.RawClient, job_id: str, index: int) -> tuple[str, str]:
    try:
        await preview(client, job_id, frame_index=index)
    except grpc.aio.AioRpcError as error:
        return status(error)
    return "OK", ""


async def test_a_killed_worker_and_a_killed_service_cost_a_preview_alone(own_server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(own_server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("killed"))
            await stream.push(CLIP)
            await job_with(client, "killed", 12, encoded=12)
            (await eventually_async(own_server.zygotes))[0].kill()
            await eventually_async(own_server.workers)
            assert (await preview(client, "killed", frame_index=3)).frame_index == 3
            asked = asyncio.ensure_future(preview(client, "killed", frame_index=4))
            own_server.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                await asked
    own_server.start()
    async with grpc.aio.insecure_channel(own_server.address) as channel:
        client = raw.RawClient(channel)
        answer = await preview(client, "killed")
        assert (answer.frame_index, answer.persisted_frames) == (11, 12)
        await client.stub.CancelJob(pb.CancelJobRequest(job_id="killed"))
