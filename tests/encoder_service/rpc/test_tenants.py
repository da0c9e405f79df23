"""Two tenants of one service: the same ids, and nothing of each other."""

from __future__ import annotations

import json
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.service_host.auth.alike import assert_alike


async def call(client: raw.RawClient, method: str, **fields: Any) -> Any:
    """The answer of an rpc; of a stream, its last message."""
    request = getattr(pb, f"{method}Request")(**fields)
    made = getattr(client.stub, method)(request, metadata=client.metadata, timeout=30)
    if isinstance(made, grpc.aio.UnaryStreamCall):
        return [each async for each in made][-1]
    return await made


async def refusal(client: raw.RawClient, method: str, **fields: Any) -> tuple[str, str, str]:
    """How a call is refused: status, reason and message."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(client, method, **fields)
    return failed.value.code().name, raw.reason(failed.value), failed.value.details() or ""


NAMING_A_JOB: dict[str, dict[str, Any]] = {
    "GetJob": {},
    "WatchJob": {},
    "GetManifest": {},
    "DownloadArtifact": {"path": "manifest.json"},
    "GetPreview": {},
    "CancelJob": {},
    "DeleteJob": {},
}


async def test_tenants_share_ids_and_nothing_else(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        us, acme, beta = (raw.RawClient(channel, tenant) for tenant in ("", "acme", "beta"))
        for client, frames in ((us, 3), (acme, 5)):
            heard = await client.encode(raw.spec("same"), raw.clip(frames))
            assert heard.result is not None
            manifest = json.loads(heard.result.manifest_json)
            assert manifest.get("tenant", "absent") == ("acme" if client is acme else "absent")
            assert (await call(client, "GetJob", job_id="same")).job.total_frames == frames
            assert json.loads((await call(client, "GetManifest", job_id="same")).manifest_json) == manifest
        jobs = [(job.tenant, job.total_frames) for job in (await call(us, "ListJobs")).jobs]
        assert sorted(jobs) == [("acme", 5), ("default", 3)]
        assert [job.tenant for job in (await call(acme, "ListJobs")).jobs] == ["acme"]
        assert not (await call(beta, "ListJobs")).jobs
        assert len(list((server.data_dir / "tenants/acme/artifacts").glob("*_same/manifest.json"))) == 1
        assert len(list((server.data_dir / "artifacts").glob("*_same/manifest.json"))) == 1
        for method, fields in NAMING_A_JOB.items():
            foreign = await refusal(beta, method, job_id="same", **fields)
            unknown = await refusal(beta, method, job_id="none", **fields)
            assert foreign == ("NOT_FOUND", "JOB_NOT_FOUND", unknown[2].replace("none", "same"))
        for job_id in ("acme/same", "default/same", "../acme/same"):
            assert (await refusal(us, "GetJob", job_id=job_id))[1] == "JOB_NOT_FOUND"
        await call(acme, "DeleteJob", job_id="same")
        assert (await refusal(acme, "GetJob", job_id="same"))[0] == "NOT_FOUND"
        assert (await call(us, "GetJob", job_id="same")).job.total_frames == 3


async def test_nobody_takes_over_or_forestalls_an_upload_of_another_tenant(server: ServerProcess) -> None:
    data = raw.clip()
    async with grpc.aio.insecure_channel(server.address) as channel:
        acme, beta = raw.RawClient(channel, "acme"), raw.RawClient(channel, "beta")
        assert await refusal(beta, "CancelJob", job_id="live", is_forestalling=True)
        async with acme.stream() as upload, beta.stream() as other:
            assert not (await upload.open(raw.spec("live"))).is_resumed
            await upload.push_in_step(data[: len(data) // 2])
            with pytest.raises(grpc.aio.AioRpcError) as forestalled:
                await other.open(raw.spec("live"))
            assert raw.reason(forestalled.value) == "JOB_CANCELLED"  # beta's own doing
            async with raw.RawClient(channel, "gamma").stream() as third:
                assert not (await third.open(raw.spec("live"))).is_resumed
            await upload.push(data)
            await upload.write(raw.finish(data))
            heard = await upload.rest()
        assert heard.result is not None
        assert heard.result.job.tenant == "acme"


@pytest.mark.parametrize("tenant", ["../default", "Acme", "a/b", "a" * 64])
async def test_a_tenant_that_can_name_no_directory_is_refused(server: ServerProcess, tenant: str) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        refused = await refusal(raw.RawClient(channel, tenant), "ListJobs")
    assert refused[:2] == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert not (server.data_dir / "tenants" / tenant).exists()


async def test_a_foreign_id_takes_as_long_as_an_unknown_one_over_the_wire(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        acme, beta = raw.RawClient(channel, "acme"), raw.RawClient(channel, "beta")
        await acme.encode(raw.spec("timed"), raw.clip(2))
        asked = {"foreign": "timed", "unknown": "never"}
        seconds: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(400):
            for name, job_id in asked.items():
                started = time.perf_counter()
                await refusal(beta, "GetJob", job_id=job_id)
                seconds[name].append(time.perf_counter() - started)
    assert_alike(seconds["foreign"], seconds["unknown"], 0.15)
