"""For which tenant a call acts: two teams with keys of their own, on both services, over real connections."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.encoder.v1 import encoder_pb2_grpc as pb_grpc
from telecine.logs.v1 import log_collector_service_pb2 as logs_pb

from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.log_collector.harness import batch, collector, last_acknowledged, record, stub

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
WORKER = (Scope.ENCODE, Scope.READ, Scope.LOGS_WRITE, Scope.LOGS_READ)
WHO = {"acme": ("acme", WORKER), "beta": ("beta", WORKER), "boss": ("operations", (Scope.ADMIN,))}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A file of keys, and each one's key."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    made = {name: new_key(name, tenant, scopes, created_at=NOW) for name, (tenant, scopes) in WHO.items()}
    write_keys(path, tuple(stored for _, stored in made.values()))
    return path, {name: key for name, (key, _) in made.items()}


@pytest.fixture(scope="module")
def encoder(
    tmp_path_factory: pytest.TempPathFactory, keys: tuple[Path, dict[str, str]]
) -> Iterator[ServerProcess]:
    """An encoder service that asks who calls."""
    settings = {"workers": "1", "host.auth.keys_file": str(keys[0])}
    server = ServerProcess(tmp_path_factory.mktemp("encoder") / "data", settings).start()
    yield server
    assert server.stop() == 0


def shown(key: str, tenant: str = "") -> tuple[tuple[str, str], ...]:
    """The metadata of a call."""
    return (("authorization", f"Bearer {key}"), *((("telecine-tenant", tenant),) if tenant else ()))


async def refusal(call: Any) -> str:
    """Why it is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return raw.reason(refused.value)


async def test_each_team_sees_its_own_jobs_and_only_an_administrator_names_another(
    encoder: ServerProcess, keys: tuple[Path, dict[str, str]]
) -> None:
    acme, beta, boss = keys[1]["acme"], keys[1]["beta"], keys[1]["boss"]
    async with grpc.aio.insecure_channel(encoder.address) as channel:
        client = raw.RawClient(channel)
        client.metadata = shown(acme)
        heard = await client.encode(raw.spec("clip"), raw.clip(2))
        assert heard.result is not None
        assert json.loads(heard.result.manifest_json)["tenant"] == "acme"
        rpc = pb_grpc.EncoderServiceStub(channel)
        asked = pb.GetJobRequest(job_id="clip")
        assert (await rpc.GetJob(asked, metadata=shown(acme))).job.tenant == "acme"
        assert await refusal(rpc.GetJob(asked, metadata=shown(beta))) == "JOB_NOT_FOUND"
        assert await refusal(rpc.GetJob(asked, metadata=shown(beta, "acme"))) == "NOT_PERMITTED"
        assert await refusal(rpc.GetJob(asked, metadata=shown(beta, "nobody"))) == "NOT_PERMITTED"
        assert await refusal(rpc.GetJob(asked, metadata=shown(boss))) == "JOB_NOT_FOUND"
        assert (await rpc.GetJob(asked, metadata=shown(boss, "acme"))).job.job_id == "clip"
        for who, seen in ((acme, ["clip"]), (beta, []), (boss, ["clip"])):
            jobs = (await rpc.ListJobs(pb.ListJobsRequest(), metadata=shown(who))).jobs
            assert [job.job_id for job in jobs] == seen
        delete = pb.DeleteJobRequest(job_id="clip")
        assert await refusal(rpc.DeleteJob(delete, metadata=shown(beta))) == "JOB_NOT_FOUND"
        await rpc.DeleteJob(delete, metadata=shown(acme))


async def test_each_team_reads_its_own_records(tmp_path: Path, keys: tuple[Path, dict[str, str]]) -> None:
    path, key = keys
    async with (
        collector(tmp_path / "data", host__auth__keys_file=path) as running,
        stub(running.address) as rpc,
    ):
        for who in ("acme", "beta"):
            sent = rpc.Ship(iter([batch(1, [record(1, msg=who)])]), metadata=shown(key[who]))
            assert last_acknowledged([answer async for answer in sent]) == 1
        for who, seen in (("acme", ["acme"]), ("beta", ["beta"]), ("boss", ["acme", "beta"])):
            answer = await rpc.Query(logs_pb.QueryRequest(), metadata=shown(key[who]))
            assert sorted(json.loads(line)["msg"] for line in answer.records) == seen
            stats = await rpc.GetStats(logs_pb.GetStatsRequest(), metadata=shown(key[who]))
            assert sorted(producer.tenant for producer in stats.producers) == seen
        foreign = rpc.Query(logs_pb.QueryRequest(), metadata=shown(key["beta"], "acme"))
        assert await refusal(foreign) == "NOT_PERMITTED"
        named = await rpc.Query(logs_pb.QueryRequest(), metadata=shown(key["boss"], "acme"))
        assert [json.loads(line)["msg"] for line in named.records] == ["acme"]
