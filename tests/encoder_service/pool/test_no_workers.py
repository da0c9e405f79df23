"""A service that cannot start a worker says so, to the operator and to clients, and goes on once it can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.rpc.servicer import SERVICE_NAME
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually, eventually_async

CLIP = raw.clip(6)
GATE = """#!/bin/sh
test -e "{flag}" || {{ echo "libcodec.so: cannot open shared object" >&2; exit 3; }}
exec "$@"
"""


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """Workers can be started while this file exists."""
    return tmp_path / "library"


@pytest.fixture
def server(tmp_path: Path, flag: Path) -> Iterator[ServerProcess]:
    """A service whose workers lack something."""
    gate = tmp_path / "gate"
    gate.write_text(GATE.format(flag=flag))
    gate.chmod(0o755)
    settings = {"worker_wrapper": json.dumps([str(gate)]), "worker_start_attempts": "4"}
    server = ServerProcess(tmp_path / "data", settings).start()
    yield server
    assert server.stop() == 0
    server.assert_no_orphans()


async def _until_health(channel: grpc.aio.Channel, status: int) -> None:
    request = health_pb2.HealthCheckRequest(service=SERVICE_NAME)
    async for answer in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=10):
        if answer.status == status:
            return


async def test_a_service_without_workers_says_so_and_goes_on_when_it_has_some(
    server: ServerProcess, flag: Path
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        waiting = asyncio.create_task(client.encode(raw.spec("waiting"), CLIP))
        await eventually_async(lambda: "no worker can be started" in server.log(), 30)
        assert "libcodec.so" in server.log()
        for spec in (raw.spec("new"), raw.spec("strict", pb.OutputSpec(format="mp4", strict=True))):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await client.encode(spec, b"")
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "cannot start a worker process" in str(refused.value.details())
        found = await client.stub.GetCapabilities(pb.GetCapabilitiesRequest())
        assert not any(row.is_available for row in found.formats)
        assert "no worker can be started" in found.formats[0].encoders[0].reason
        await _until_health(channel, health_pb2.HealthCheckResponse.NOT_SERVING)
        job = (await client.stub.GetJob(pb.GetJobRequest(job_id="waiting"))).job
        assert [warning.code for warning in job.warnings] == ["WORKERS_UNAVAILABLE"]

        flag.touch()
        heard = await waiting
        assert heard.result is not None
        assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
        assert "workers can be started again" in server.log()
        found = await client.stub.GetCapabilities(pb.GetCapabilitiesRequest())
        assert any(row.is_available for row in found.formats)
        await _until_health(channel, health_pb2.HealthCheckResponse.SERVING)


def test_a_service_that_starts_too_slowly_for_the_first_tries_reports_nothing(
    server: ServerProcess, flag: Path
) -> None:
    eventually(lambda: "worker replaced" in server.log())
    flag.touch()
    eventually(lambda: len(server.workers()) == 2, 20)
    assert "no worker can be started" not in server.log()
