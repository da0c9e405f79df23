"""The unary rpcs and downloads against a real service."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.rpc.replies import MAX_PAGE_BYTES, fitting
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

CLIP = raw.clip(6)


async def made(server: ServerProcess, channel: grpc.aio.Channel, *job_ids: str) -> raw.RawClient:
    """A client, once these jobs have ended."""
    client = raw.RawClient(channel)
    for job_id in job_ids:
        await client.encode(raw.spec(job_id), CLIP)
    return client


async def test_jobs_are_listed_in_pages_newest_first(server: ServerProcess) -> None:
    ids = [f"page-{number}" for number in range(5)]
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = await made(server, channel, *ids)
        found, token = [], ""
        while True:
            page = await client.stub.ListJobs(
                pb.ListJobsRequest(job_id_prefix="page-", page_size=2, page_token=token)
            )
            assert len(page.jobs) <= 2
            found += [job.job_id for job in page.jobs]
            token = page.next_page_token
            if not token:
                break
        running = await client.stub.ListJobs(pb.ListJobsRequest(states=[pb.JOB_STATE_ENCODING]))
    assert found == ids[::-1]
    assert list(running.jobs) == []


@pytest.mark.parametrize("warnings", [0, 10, 600, 2000])
def test_a_page_never_outgrows_a_message_however_much_its_jobs_say(warnings: int) -> None:
    said = [pb.Warning(code="CODE", message="m" * 1000)] * warnings
    jobs = [pb.Job(job_id=f"job-{number}", warnings=said) for number in range(1000)]
    page = fitting(jobs)
    assert page == jobs[: len(page)]
    assert len(page) == 1 or pb.ListJobsResponse(jobs=page).ByteSize() <= MAX_PAGE_BYTES
    one_more = pb.ListJobsResponse(jobs=jobs[: len(page) + 1])
    assert page == jobs or one_more.ByteSize() > MAX_PAGE_BYTES - 8000


@pytest.mark.parametrize(
    "request_",
    [
        pb.ListJobsRequest(page_size=-1),
        pb.ListJobsRequest(page_token="bm8="),
        pb.ListJobsRequest(page_token="é"),
        pb.ListJobsRequest(states=[pb.JOB_STATE_ENCODING] * 1_000_000),
    ],
)
async def test_a_page_that_nobody_made_is_refused(
    server: ServerProcess, request_: pb.ListJobsRequest
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await raw.RawClient(channel).stub.ListJobs(request_)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raw.fields(failed.value)


async def test_what_does_not_exist_is_not_found(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = raw.RawClient(channel).stub
        for call in (
            stub.GetJob(pb.GetJobRequest(job_id="nobody")),
            stub.CancelJob(pb.CancelJobRequest(job_id="nobody")),
            stub.DeleteJob(pb.DeleteJobRequest(job_id="nobody")),
            stub.GetManifest(pb.GetManifestRequest(job_id="nobody")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call
            assert raw.reason(failed.value) == "JOB_NOT_FOUND"


async def test_a_running_job_is_reported_cancelled_and_deleted_in_this_order(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        stub = client.stub
        async with client.stream() as stream:
            await stream.open(raw.spec("running"))
            await stream.write(*list(raw.chunks(CLIP, 20_000))[:1])
            await stream.until(lambda heard: heard.acknowledged[-1] == 20_000)
            job = (await stub.GetJob(pb.GetJobRequest(job_id="running"))).job
            assert job.state == pb.JOB_STATE_RECEIVING
            assert not job.HasField("ended_at")
            for refused in (
                stub.DeleteJob(pb.DeleteJobRequest(job_id="running")),
                stub.GetManifest(pb.GetManifestRequest(job_id="running")),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await refused
                assert raw.reason(failed.value) == "WRONG_STATE"
            cancelled = (await stub.CancelJob(pb.CancelJobRequest(job_id="running"))).job
            assert cancelled.state == pb.JOB_STATE_CANCELLED
            assert cancelled.problem.code == "JOB_CANCELLED"
            with pytest.raises(grpc.aio.AioRpcError) as told:
                await stream.until(lambda heard: False)
            assert told.value.code() is grpc.StatusCode.CANCELLED
        assert (await stub.CancelJob(pb.CancelJobRequest(job_id="running"))).job == cancelled
        assert (
            b'"cancelled"' in (await stub.GetManifest(pb.GetManifestRequest(job_id="running"))).manifest_json
        )
        await stub.DeleteJob(pb.DeleteJobRequest(job_id="running"))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetJob(pb.GetJobRequest(job_id="running"))
    assert not list((server.data_dir / "artifacts").glob("*_running"))
    server.assert_tidy()


async def download(
    client: raw.RawClient, job_id: str, path: str, offset: int = 0
) -> tuple[pb.Artifact, bytes]:
    """The header and the bytes."""
    header, data = pb.Artifact(), b""
    request = pb.DownloadArtifactRequest(job_id=job_id, path=path, offset=offset)
    async for response in client.stub.DownloadArtifact(request):
        if response.HasField("artifact"):
            header = response.artifact
        assert response.chunk.offset == offset + len(data)
        data += response.chunk.data
    return header, data


async def test_an_artifact_is_downloaded_from_any_offset(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = await made(server, channel, "download")
        whole = (server.job_directory("download") / "mp4.mp4").read_bytes()
        for offset in (0, 7, len(whole) - 1, len(whole)):
            header, data = await download(client, "download", "mp4.mp4", offset)
            assert data == whole[offset:]
            assert header.size_bytes == len(whole)
            assert header.media_type == "video/mp4"
        _, manifest = await download(client, "download", "manifest.json")
        assert manifest == (server.job_directory("download") / "manifest.json").read_bytes()
        for offset, code in ((-1, "INVALID_ARGUMENT"), (len(whole) + 1, "OUT_OF_RANGE")):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await download(client, "download", "mp4.mp4", offset)
            assert failed.value.code().name == code


@pytest.mark.parametrize(
    "path", ["", "../lock", "stage.log", "/etc/passwd", "mp4.mp4/../mp4.mp4", ".partial"]
)
async def test_only_what_a_job_lists_can_be_downloaded(server: ServerProcess, path: str) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = await made(server, channel, "download")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await download(client, "download", path)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert raw.reason(failed.value) == "ARTIFACT_NOT_FOUND"


async def test_capabilities_are_proven_and_report_the_limits(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        answer = await raw.RawClient(channel).stub.GetCapabilities(pb.GetCapabilitiesRequest())
    formats = {row.format: row for row in answer.formats}
    assert formats["mp4"].is_available
    assert formats["mp4"].default_codec == "h264"
    assert any(probe.is_available and probe.encoder == "libx264" for probe in formats["mp4"].encoders)
    assert all(probe.reason for row in answer.formats for probe in row.encoders if not probe.is_available)
    assert answer.limits.max_chunk_bytes == 2 << 20
    assert answer.workers == 2
    assert pb.PIXEL_FORMAT_RGB24 in answer.pixel_formats
    assert answer.server_version
