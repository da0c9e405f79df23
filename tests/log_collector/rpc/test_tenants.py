"""Two tenants of one collector: the same producers, jobs and ids, and nothing of each other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp_pb
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from tests.log_collector import harness
from tests.log_collector.harness import acting_for, batch, collector, last_acknowledged, record, ship, stub


async def query(address: str, tenant: str = "", **request: Any) -> list[dict[str, Any]]:
    """Stored records as a tenant's reader sees them; of all tenants where none is named."""
    async with stub(address) as client:
        asked = pb.QueryRequest(filter=logs_pb2.RecordFilter(**request))
        answer = await client.Query(asked, metadata=acting_for(tenant))
        return [json.loads(line) for line in answer.records]


def names(records: list[dict[str, Any]]) -> list[str]:
    """What the records say."""
    return sorted(found["msg"] for found in records)


async def test_each_tenant_reads_its_own_records_and_an_administrator_all(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        for tenant, word in (("", "ours"), ("acme", "theirs")):
            sent = batch(
                1, [record(1, msg=word, job_id="job"), record(2, msg=word, level="ERROR", job_id="job")]
            )
            assert last_acknowledged(await ship(running.address, sent, tenant=tenant)) == 2
        for asked in ({}, {"ids": {"job_id": "job"}}, {"min_level": logs_pb2.LEVEL_ERROR}):
            both = names(await query(running.address, **asked))
            assert names(await query(running.address, "acme", **asked)) == ["theirs"] * (len(both) // 2)
            assert names(await query(running.address, "default", **asked)) == ["ours"] * (len(both) // 2)
            assert await query(running.address, "beta", **asked) == []
        assert {found.get("log_tenant") for found in await query(running.address)} == {None, "acme"}
        async with stub(running.address) as client:
            for tenant, word in (("acme", "theirs"), ("", "ours")):
                story = await client.GetJobStory(
                    pb.GetJobStoryRequest(job_id="job"), metadata=acting_for(tenant)
                )
                assert names([json.loads(line) for line in story.records]) == [word, word]
                assert [receipt.records for receipt in story.receipts] == [2]
            details = []
            for job_id in ("job", "gob"):
                with pytest.raises(grpc.aio.AioRpcError) as unknown:
                    await client.GetJobStory(
                        pb.GetJobStoryRequest(job_id=job_id), metadata=acting_for("beta")
                    )
                assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
                details.append((unknown.value.details() or "").replace(repr(job_id), ""))
            assert details[0] == details[1]
            ends = logs_pb2.RecordFilter(since=Timestamp(), until=Timestamp(seconds=4 * 10**9))
            for tenant, total in (("acme", 2), ("beta", 0), ("", 4)):
                counted = await client.GetHistogram(
                    pb.GetHistogramRequest(filter=ends, buckets=1), metadata=acting_for(tenant)
                )
                assert counted.total == total, tenant
            stats = await client.GetStats(pb.GetStatsRequest(), metadata=acting_for("acme"))
            assert (stats.ingest.accepted, [p.tenant for p in stats.producers]) == (2, ["acme"])
            assert not stats.sinks
            assert not stats.HasField("journal")
            every = await client.GetStats(pb.GetStatsRequest())
            assert every.ingest.accepted == 4
            assert sorted(p.tenant for p in every.producers) == ["acme", "default"]
        logs = tmp_path / "data/logs"
        files = {path.relative_to(logs).as_posix() for path in logs.rglob("*.log")}
        own = {"worker.log", "errors.log", "jobs/job/job.log", "jobs/job/receipts.log"}
        assert files == own | {f"tenants/acme/{name}" for name in own}
        assert "theirs" not in (logs / "worker.log").read_text()


async def test_nobody_silences_a_producer_of_another_tenant(tmp_path: Path) -> None:
    """The same id, an enormous number, and a secret of its own: the other's records are as new as ever."""
    async with collector(tmp_path / "data") as running:
        far = batch(2**61, [record(msg="loud")], lost_before=2**61 - 1, secret=bytes(16))
        assert last_acknowledged(await ship(running.address, far, tenant="beta")) == 2**61
        for tenant in ("", "acme"):
            sent = batch(1, [record(1, msg=tenant or "ours")], secret=b"s" * 16)
            assert last_acknowledged(await ship(running.address, sent, tenant=tenant)) == 1
            resume = pb.ShipRequest(resume=logs_pb2.Resume(producer="p", secret=b"s" * 16))
            assert last_acknowledged(await ship(running.address, resume, tenant=tenant)) == 1
        assert names(running.records()) == ["acme", "loud", "ours"]
        assert running.service._accounting.is_balanced()
    async with collector(tmp_path / "data") as running:
        again = batch(1, [record(1, msg="acme")], secret=b"s" * 16)
        assert last_acknowledged(await ship(running.address, again, tenant="acme")) == 1
        assert names(running.records()) == ["acme", "loud", "ours"]


CLAIMS = [
    harness.lines_of([record(1, log_tenant="acme")])[:-1],
    b'{"log_tenant":"acme",' + harness.lines_of([record(1)])[1:-1],
    harness.lines_of([record(1)])[:-2] + b',"log\\u005ftenant":"acme"}',
    harness.lines_of([record(1)])[:-2] + b',"log_tenant":"acme","log_tenant":"acme"} ',
    b'{"msg":"bare","log_tenant" : "acme"}',
]


@pytest.mark.parametrize("tenant", ["", "beta"])
async def test_what_a_record_claims_of_its_tenant_is_kept_apart(tmp_path: Path, tenant: str) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, batch(1, [*CLAIMS, b"{}", record(9)]), tenant=tenant)
        found = running.records()
        assert len(found) == len(CLAIMS) + 2
        assert {each.get("log_tenant", "") for each in found} == {tenant}
        claimed = [each["attributes.log_tenant"] for each in found if "attributes.log_tenant" in each]
        assert claimed == ["acme"] * len(CLAIMS)


async def test_opentelemetry_records_are_their_senders_tenants_too(tmp_path: Path) -> None:
    request = otlp_pb.ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    logged = scope.log_records.add(time_unix_nano=1_700_000_000_000_000_000)
    logged.body.string_value = "hello"
    for key, value in (("log.record.uid", "one"), ("log_tenant", "acme")):
        logged.attributes.add(key=key).value.string_value = value
    async with collector(tmp_path / "data") as running:
        async with grpc.aio.insecure_channel(running.address) as channel:
            export = channel.unary_unary(
                "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                request_serializer=otlp_pb.ExportLogsServiceRequest.SerializeToString,
                response_deserializer=otlp_pb.ExportLogsServiceResponse.FromString,
            )
            for tenant in ("", "beta", "beta", ""):
                await export(request, metadata=acting_for(tenant))
        found = running.records()
        assert [each.get("log_tenant", "") for each in found] == ["", "beta"]
        assert [each["attributes.log_tenant"] for each in found] == ["acme", "acme"]


async def test_no_error_of_one_tenant_releases_what_another_holds_back(tmp_path: Path) -> None:
    settings = {"selection__flight_recorder__records_per_job": 100}
    async with collector(tmp_path / "data", **settings) as running:
        await ship(
            running.address, batch(1, [record(1, level="DEBUG", job_id="j", msg="held")]), tenant="acme"
        )
        await ship(
            running.address, batch(1, [record(1, level="ERROR", job_id="j", msg="loud")]), tenant="beta"
        )
        assert names(running.records()) == ["loud"]
    async with collector(tmp_path / "data", **settings) as running:
        await ship(
            running.address, batch(2, [record(2, level="ERROR", job_id="j", msg="last")]), tenant="acme"
        )
        found = running.records()
        assert names(found) == ["held", "last", "loud"]
        assert {(each["msg"], each["log_tenant"]) for each in found} == {
            ("held", "acme"),
            ("last", "acme"),
            ("loud", "beta"),
        }


async def test_a_follower_sees_its_tenants_records_alone(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running, stub(running.address) as client:
        await ship(running.address, batch(1, [record(1, msg="old")]), tenant="acme")
        tail = client.Tail(pb.TailRequest(last=10), metadata=acting_for("acme"))
        seen = [json.loads(line)["msg"] for line in (await tail.read()).records]
        for tenant, word in (("", "ours"), ("beta", "other"), ("acme", "new")):
            first = 2 if tenant == "acme" else 1
            await ship(running.address, batch(first, [record(first, msg=word)]), tenant=tenant)
        while "new" not in seen:
            seen += [json.loads(line)["msg"] for line in (await tail.read()).records]
        assert seen == ["old", "new"]


async def test_a_fast_tenant_is_slowed_and_its_exports_refused_while_others_go_on(tmp_path: Path) -> None:
    settings = {"quotas__tenants": {"acme": {"records_per_second": 100}}}
    async with collector(tmp_path / "data", **settings) as running:
        many = [record(number) for number in range(1, 401)]
        assert last_acknowledged(await ship(running.address, batch(1, many[:100]), tenant="acme")) == 100
        async with grpc.aio.insecure_channel(running.address) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
            flood = ship(running.address, batch(101, many[100:]), tenant="acme")
            flooding = asyncio.ensure_future(flood)
            assert last_acknowledged(await ship(running.address, batch(1, many), tenant="beta")) == 400
            assert not flooding.done()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await export(b"", metadata=acting_for("acme"))
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "records_per_second" in (refused.value.details() or "")
            await export(b"", metadata=acting_for("beta"))
        assert last_acknowledged(await flooding) == 400
