"""Ship: acknowledged means stored, once, in order; whatever is wrong costs its sender one clear answer."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import grpc
import pytest
import zstandard
from google.rpc import error_details_pb2, status_pb2
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.ingest.accounting import Way
from log_collector.journal.ownership import shown_producer
from tests.eventually import eventually_async
from tests.log_collector.harness import (
    batch,
    collector,
    last_acknowledged,
    lines_of,
    numbered,
    record,
    ship,
    stub,
)


async def test_acknowledged_records_are_in_the_journal_as_they_came(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        answers = await ship(running.address, numbered(1, 500), numbered(501, 500))
        assert last_acknowledged(answers) == 1000
        assert [r["n"] for r in running.records()] == list(range(1, 1001))
        stored = running.journal.read(0, 1 << 20)[0]
        assert stored.sections == numbered(1, 500).batch.records
        assert running.service._accounting.is_balanced()


async def test_resume_reports_the_last_durable_number(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1, 10))
        asked = pb.ShipRequest(resume=logs_pb2.Resume(producer="p"))
        assert last_acknowledged(await ship(running.address, asked)) == 10
        unknown = pb.ShipRequest(resume=logs_pb2.Resume(producer="q"))
        assert (await ship(running.address, unknown))[0].acknowledged.last_seq == 0


async def test_a_batch_sent_twice_is_acknowledged_twice_and_stored_once(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-collector#11212: a timeout must not double the records."""
    async with collector(tmp_path) as running:
        answers = await ship(running.address, numbered(1), numbered(1), numbered(4))
        assert last_acknowledged(answers) == 6
        answers = await ship(running.address, numbered(1))
        assert last_acknowledged(answers) == 3
        assert [r["n"] for r in running.records()] == [1, 2, 3, 4, 5, 6]
        assert running.service._accounting.duplicate.total() == 6


async def test_of_an_overlapping_batch_only_the_new_records_are_stored(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        answers = await ship(running.address, numbered(1, 4), numbered(3, 4))
        assert last_acknowledged(answers) == 6
        assert [r["n"] for r in running.records()] == [1, 2, 3, 4, 5, 6]
        assert running.service._accounting.is_balanced()


async def test_a_hole_is_refused_with_the_number_that_is_expected(tmp_path: Path) -> None:
    """fluent/fluent-bit#12384, #12385: batch 1 was refused, batch 2 was taken, batch 1 was lost."""
    async with collector(tmp_path) as running:
        broken = numbered(1, crc32c=1)
        answers = await ship(running.address, broken, numbered(4))
        reasons = [a.refused.reason for a in answers]
        assert reasons == [logs_pb2.REFUSAL_REASON_CORRUPTED, logs_pb2.REFUSAL_REASON_OUT_OF_ORDER]
        assert [a.refused.expected_seq for a in answers] == [1, 1]
        assert running.records() == []
        assert running.service._accounting.is_balanced()


async def test_what_a_full_disk_did_not_keep_is_not_counted_as_kept_by_a_refusal_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch 2 is refused while batch 1 is on its way to a disk that then fails: 1 must be sent again too."""
    is_full = threading.Event()

    def pwritev(_fd: int, _pieces: list[bytes], _offset: int) -> int:
        is_full.wait(20)
        raise OSError(errno.ENOSPC, "No space left on device")

    async with collector(tmp_path) as running, stub(running.address) as client:
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwritev", pwritev)
            call = client.Ship(iter([numbered(1), numbered(4, crc32c=1)]))
            await eventually_async(lambda: (Way.SHIP, "corrupted") in running.service._accounting.refused)
            is_full.set()
            answers = [answer.refused async for answer in call]
        assert [a.reason for a in answers] == [
            logs_pb2.REFUSAL_REASON_DISK_FULL,
            logs_pb2.REFUSAL_REASON_CORRUPTED,
        ]
        assert [a.expected_seq for a in answers] == [1, 1]
        assert running.service._accounting.is_balanced()


async def test_a_declared_hole_is_reported_as_a_gap_before_the_acknowledgement(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        answers = await ship(running.address, numbered(11, 2, lost_before=10))
        assert [a.WhichOneof("message") for a in answers] == ["gap", "acknowledged"]
        assert (answers[0].gap.first_missing_seq, answers[0].gap.count) == (1, 10)
        assert running.service._accounting.lost == 10


async def test_several_producers_share_a_stream(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        answers = await ship(running.address, numbered(1), numbered(1, producer="q"), numbered(4))
        by_producer = {a.acknowledged.producer: a.acknowledged.last_seq for a in answers}
        assert by_producer == {"p": 6, "q": 3}


@pytest.mark.parametrize(
    ("records", "changes", "reason"),
    [
        ([record(1)], {"records": b"no zstd at all"}, logs_pb2.REJECTION_REASON_BAD_ENCODING),
        ([record(1)] * 3, {"count": 2}, logs_pb2.REJECTION_REASON_WRONG_COUNT),
        ([record(1)] * 3, {"count": 4}, logs_pb2.REJECTION_REASON_WRONG_COUNT),
        ([b"{not json"], {}, logs_pb2.REJECTION_REASON_NOT_JSON),
        ([b"[1,2]"], {}, logs_pb2.REJECTION_REASON_NOT_JSON),
        ([b""], {}, logs_pb2.REJECTION_REASON_NOT_JSON),
        ([b'{"a":"\xff"}'], {}, logs_pb2.REJECTION_REASON_NOT_JSON),
        ([b"[" * 100_000], {}, logs_pb2.REJECTION_REASON_NOT_JSON),
        ([record(1, text="x" * 2_000_000)], {}, logs_pb2.REJECTION_REASON_RECORD_TOO_LARGE),
    ],
)
async def test_what_is_wrong_for_ever_is_quarantined_counted_and_acknowledged(
    tmp_path: Path, records: list[object], changes: dict[str, object], reason: int
) -> None:
    request = batch(1, records, **changes)
    async with collector(tmp_path) as running:
        answers = await ship(running.address, request, numbered(request.batch.count + 1))
        assert answers[0].rejected.reason == reason
        assert answers[0].rejected.count == request.batch.count
        assert last_acknowledged(answers) == request.batch.count + 3
        assert len(running.records()) == 3
        assert running.quarantined()[0]["count"] == request.batch.count
        assert running.service._accounting.rejected.total() == request.batch.count
        assert running.service._accounting.is_balanced()


async def test_a_value_of_a_wrong_type_costs_no_other_value_of_its_record(tmp_path: Path) -> None:
    odd = [
        record(1, timestamp="yesterday", job_id="j"),
        record(2, attempt="many", duration_ms="NaN", job_id=7),
        record(3, level="NOTICE", big=2**70, ratio=0.5),
        record(4, level="LOUD", trace_id=5),
    ]
    async with collector(tmp_path) as running:
        answers = await ship(running.address, batch(1, odd))
        assert [a.WhichOneof("message") for a in answers] == ["acknowledged"]
        found = running.records()
    assert [(r["n"], r["attributes.timestamp"], r["job_id"]) for r in found[:1]] == [(1, "yesterday", "j")]
    assert found[1]["attributes.attempt"] == "many"
    assert (found[1]["attributes.duration_ms"], found[1]["job_id"]) == ("NaN", 7)
    assert (found[2]["level"], found[2]["severity_text"], found[2]["big"]) == ("INFO", "NOTICE", 2**70)
    assert (found[3]["level"], found[3]["severity_text"], found[3]["trace_id"]) == ("INFO", "LOUD", "5")


async def test_one_bad_line_costs_only_itself(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        answers = await ship(running.address, batch(1, [record(1), b"{oops", record(3)]))
        assert [a.WhichOneof("message") for a in answers] == ["rejected", "acknowledged"]
        assert [r["n"] for r in running.records()] == [1, 3]
        assert running.quarantined()[0] | {"timestamp": ""} == {
            "timestamp": "", "level": "WARNING", "service": "worker", "reason": "not_json",
            "producer": shown_producer("p"),
            "seq": 2, "count": 1, "text": "{oops",
            "msg": running.quarantined()[0]["msg"],
        }  # fmt: skip


async def test_a_frame_that_claims_little_and_holds_much_is_never_unpacked_whole(tmp_path: Path) -> None:
    bomb = zstandard.ZstdCompressor(level=1, write_content_size=False).compress(b"\n" * 300_000_000)
    async with collector(tmp_path, intake__unpacked_bytes=2_000_000) as running:
        answers = await ship(running.address, batch(1, [record(1)], records=bomb))
        assert answers[0].rejected.reason == logs_pb2.REJECTION_REASON_TOO_LARGE


async def test_secrets_reach_no_byte_of_the_disk(tmp_path: Path) -> None:
    secret = "hunter2" + "hunter2"
    lines = [
        record(1, password=secret),
        record(2, headers={"X-Api-Key": secret}),
        b'{"timestamp":"2026-11-21T03:51:14.000003Z","level":"INFO","service":"worker","msg":"m",'
        b'"\\u0070assword":"' + secret.encode() + b'"}',
        b'{"broken": "password=' + secret.encode() + b'",',
    ]
    async with collector(tmp_path) as running:
        await ship(
            running.address, batch(1, lines), batch(5, lines[:2], encoding=2, records=lines_of(lines[:2]))
        )
        assert len(running.records()) == 5
        assert running.records()[0]["password"] == "***redacted***"
        assert running.service._accounting.redacted.total() >= 5
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in everything
    for piece in everything.split(b"\x28\xb5\x2f\xfd"):
        try:
            text = zstandard.ZstdDecompressor().decompressobj().decompress(b"\x28\xb5\x2f\xfd" + piece)
        except zstandard.ZstdError:
            continue
        assert secret.encode() not in text


async def test_strange_types_are_coerced_and_unknown_fields_kept(tmp_path: Path) -> None:
    strange = b'{"ts":1763697074,"severity":"warn","message":5,"attempt":"2","mine":[1.10,null],"job_id":7.0}'
    async with collector(tmp_path) as running:
        await ship(running.address, batch(1, [strange]))
        assert running.records() == [
            {
                "attempt": 2, "mine": [1.1, None], "job_id": 7, "msg": "5", "level": "WARNING",
                "timestamp": "2025-11-21T03:51:14.000000Z", "service": "worker",
            }
        ]  # fmt: skip
        assert b"1.10" in running.journal.read(0, 1)[0].unpack_records()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"producer": "../p"}, "batch.producer"),
        ({"first_seq": 0}, "batch.first_seq"),
        ({"count": 0}, "batch.count"),
        ({"count": 4_000_000_000}, "batch.count"),
        ({"resource": logs_pb2.Resource(service="../../etc")}, "batch.resource.service"),
        ({"lost_before": 1}, "batch.lost_before"),
        ({"encoding": 77}, "batch.encoding"),
    ],
)
async def test_what_no_client_sends_ends_the_stream_and_names_the_field(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    async with collector(tmp_path) as running:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ship(running.address, batch(1, [record(1)], **changes))
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        trailing = dict(raised.value.trailing_metadata())
        status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
        bad = error_details_pb2.BadRequest()
        assert any(detail.Unpack(bad) for detail in status.details)
        assert field in [violation.field for violation in bad.field_violations]


async def test_what_came_before_a_wrong_message_is_still_acknowledged(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        call = client.Ship(iter([numbered(1), pb.ShipRequest()]))
        assert (await call.read()).acknowledged.last_seq == 3
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()


async def test_a_full_journal_refuses_with_a_short_delay_and_takes_again_later(tmp_path: Path) -> None:
    settings = {"journal__size_bytes": 1 << 20, "journal__segment_bytes": 64 << 10}
    async with collector(tmp_path, reload_poll_seconds=0.02, **settings) as running:
        running.service._cursors.advance("slow", cursor_at(0))
        seq = 1
        answers: list[pb.ShipResponse] = []
        while not any(a.HasField("refused") for a in answers):
            answers = await ship(running.address, batch(seq, [record(seq, x=noise(seq))] * 2))
            seq += 2 * bool(last_acknowledged(answers))
        refusal = next(a.refused for a in answers if a.HasField("refused"))
        assert refusal.reason == logs_pb2.REFUSAL_REASON_JOURNAL_FULL
        assert 0 < refusal.retry_delay.ToMilliseconds() <= 2000
        assert not running.service.is_admitting()
        running.service._cursors.advance("slow", cursor_at(running.journal.durable_position))
        await eventually_async(running.service.is_admitting)
        assert last_acknowledged(await ship(running.address, numbered(seq)))
        assert running.service._accounting.is_balanced()


def cursor_at(position: int) -> object:
    from log_collector.journal import Cursor

    return Cursor(position)


def noise(seed: int) -> str:
    import random

    return random.Random(seed).randbytes(10_000).hex()


async def test_a_drain_answers_what_is_under_way_and_sends_the_stream_elsewhere(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        call = client.Ship()
        await call.write(numbered(1))
        assert (await call.read()).acknowledged.last_seq == 3
        draining = asyncio.create_task(running.service.drain(5))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "google.rpc.retryinfo-bin" in dict(raised.value.trailing_metadata())
        await draining


async def test_a_client_that_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        async with stub(running.address) as client:
            call = client.Ship()
            await call.write(numbered(1, 500))
            await call.read()
            call.cancel()
        await eventually_async(lambda: running.service._streams == 0)
        assert running.bytes_under_way == 0


async def test_stats_report_the_fate_of_every_record(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1), numbered(1), batch(4, [b"{", record(5)]))
        async with stub(running.address) as client:
            stats = await client.GetStats(pb.GetStatsRequest())
        ingest = stats.ingest
        assert (ingest.received, ingest.accepted, ingest.duplicate, ingest.rejected) == (8, 4, 3, 1)
        assert stats.producers[0].producer == shown_producer("p")
        assert stats.producers[0].last_seq == 5
