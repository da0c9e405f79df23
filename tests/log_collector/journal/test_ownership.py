"""A producer belongs to who opened it; where it belongs to nobody, nothing of it is silenced."""

from __future__ import annotations

import asyncio
import os
from array import array
from pathlib import Path

import google_crc32c
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.journal.digests import Digests, checksums_of
from log_collector.journal.ownership import is_proven, make_proof, shown_producer
from tests.log_collector.harness import (
    Collector,
    batch,
    collector,
    last_acknowledged,
    numbered,
    record,
    ship,
    stub,
)

OURS, THEIRS = os.urandom(32), os.urandom(32)


def refusals(answers: list[pb.ShipResponse]) -> list[str]:
    return [logs_pb2.RefusalReason.Name(a.refused.reason)[15:] for a in answers if a.HasField("refused")]


def resume(producer: str = "p", secret: bytes = b"") -> pb.ShipRequest:
    return pb.ShipRequest(resume=logs_pb2.Resume(producer=producer, secret=secret))


def numbers(running: Collector) -> list[int]:
    return [found["n"] for found in running.records()]


@pytest.mark.parametrize(
    "other", [b"", THEIRS, OURS[:16], OURS + b"x"], ids=["none", "other", "half", "longer"]
)
async def test_nobody_ships_or_asks_as_an_owned_producer(tmp_path: Path, other: bytes) -> None:
    async with collector(tmp_path / "data") as running:
        assert last_acknowledged(await ship(running.address, numbered(1, 3, secret=OURS))) == 3
        forged = batch(4, [record(99)], secret=other)
        assert refusals(await ship(running.address, forged)) == ["NOT_OWNER"]
        jump = batch(2**61, [record(99)], secret=other, lost_before=2**61 - 4)
        assert refusals(await ship(running.address, jump)) == ["NOT_OWNER"]
        answers = await ship(running.address, resume(secret=other))
        assert refusals(answers) == ["NOT_OWNER"]
        assert answers[0].refused.expected_seq == 0
        assert last_acknowledged(await ship(running.address, numbered(4, 3, secret=OURS))) == 6
        assert numbers(running) == [1, 2, 3, 4, 5, 6]
        accounting = running.service._accounting
        assert accounting.refused["ship", "not_owner"] == 2  # type: ignore[index]  # a StrEnum is its text
        assert accounting.is_balanced()


async def test_one_stream_carries_an_owned_producer_on_beside_a_foreign_one(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 1, secret=OURS))
        answers = await ship(
            running.address,
            numbered(2, 1, secret=THEIRS),
            numbered(1, 2, producer="other", secret=THEIRS),
            numbered(2, 1, secret=OURS),
        )
        assert refusals(answers) == ["NOT_OWNER"]
        assert {a.acknowledged.producer for a in answers if a.HasField("acknowledged")} == {"other", "p"}


async def test_ownership_outlives_a_restart_and_the_segments_it_was_made_in(tmp_path: Path) -> None:
    settings = {"journal__segment_bytes": 65536, "journal__size_bytes": 1 << 20, "reload_poll_seconds": 0.02}
    async with collector(tmp_path / "data", **settings) as running:
        await ship(running.address, numbered(1, 3, secret=OURS))
        for first in range(1, 400, 40):
            noise = [record(first + i, text=os.urandom(2000).hex()) for i in range(40)]
            await ship(running.address, batch(first, noise, producer="noise"))
    async with collector(tmp_path / "data", **settings) as running:
        assert running.journal.oldest_position > 0
        assert refusals(await ship(running.address, numbered(4, 1, secret=THEIRS))) == ["NOT_OWNER"]
        assert refusals(await ship(running.address, numbered(4, 1))) == ["NOT_OWNER"]
        assert last_acknowledged(await ship(running.address, resume(secret=OURS))) == 3
        assert last_acknowledged(await ship(running.address, numbered(4, 1, secret=OURS))) == 4


async def test_the_secret_itself_is_on_no_disk(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 3, secret=OURS))
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or OURS not in path.read_bytes()


async def test_a_producer_without_a_secret_cannot_be_taken_by_one_that_has_some(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 3))
        assert refusals(await ship(running.address, numbered(4, 1, secret=THEIRS))) == ["NOT_OWNER"]
        assert last_acknowledged(await ship(running.address, numbered(4, 3))) == 6


@pytest.mark.parametrize("length", [1, 15, 65, 1000])
async def test_a_secret_of_a_wrong_length_is_refused_whole(tmp_path: Path, length: int) -> None:
    async with collector(tmp_path / "data") as running:
        for request in (numbered(1, 1, secret=b"x" * length), resume(secret=b"x" * length)):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await ship(running.address, request)
            assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("hole", [0, 1, 50, 2**31])
async def test_a_stranger_takes_no_number_from_a_client_without_a_secret(tmp_path: Path, hole: int) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 3))
        forged = batch(4 + hole, [record(900001), record(900002)], lost_before=hole)
        await ship(running.address, forged)
        # The victim sends on, and again: nothing of it is missing, nothing stands twice.
        for _ in range(2):
            assert last_acknowledged(await ship(running.address, numbered(4, 3), numbered(7, 60))) == 66
        assert sorted(numbers(running)) == [*range(1, 67), 900001, 900002]
        async with stub(running.address) as client:
            stats = await client.GetStats(pb.GetStatsRequest())
        assert stats.ingest.conflicting == stats.producers[0].conflicting > 0
        assert not stats.producers[0].is_owned
        assert running.service._accounting.is_balanced()


async def test_after_a_hole_that_may_be_a_strangers_a_client_is_not_asked_to_forget(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 3))
        await ship(running.address, batch(1000, [record(900001)], lost_before=996))
        assert last_acknowledged(await ship(running.address, resume())) == 3
    async with collector(tmp_path / "data") as running:
        assert last_acknowledged(await ship(running.address, resume())) == 3
        assert last_acknowledged(await ship(running.address, numbered(4, 5))) == 8
        assert sorted(numbers(running)) == [*range(1, 9), 900001]


async def test_an_owner_learns_its_place_whatever_it_lost(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 3, secret=OURS), numbered(10, 3, secret=OURS, lost_before=6))
        assert last_acknowledged(await ship(running.address, resume(secret=OURS))) == 12


async def test_a_jump_beyond_what_anybody_numbers_is_refused(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 3, secret=OURS))
        jump = batch(2**61, [record(9)], secret=OURS, lost_before=2**61 - 4)
        assert refusals(await ship(running.address, jump)) == ["OUT_OF_ORDER"]
        # One that is not known may have come so far elsewhere.
        far = batch(2**61, [record(9)], producer="far", secret=OURS, lost_before=2**61 - 1)
        assert last_acknowledged(await ship(running.address, far)) == 2**61


async def test_what_is_sent_again_after_a_restart_in_other_pieces_is_stored_once(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 5), numbered(6, 5))
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(3, 10))
        assert running.service._accounting.conflicting == 0
        assert numbers(running) == list(range(1, 13))


async def test_an_equal_batch_that_is_on_its_way_is_stored_once(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        answers = await ship(running.address, *[numbered(1, 200)] * 5)
        assert last_acknowledged(answers) == 200
        assert numbers(running) == list(range(1, 201))


async def test_no_id_that_could_be_shipped_with_is_shown(tmp_path: Path) -> None:
    name = "worker-host-1-0123456789ab"
    async with collector(tmp_path / "data", journal__producers=5) as running:
        await ship(running.address, batch(1, [record(1, job_id="42"), b"nonsense"], producer=name))
        await ship(running.address, batch(5, [record(5, job_id="42")], producer=name, lost_before=2))
        async with stub(running.address) as client:
            stats = await client.GetStats(pb.GetStatsRequest())
            for _ in range(200):
                story = await client.GetJobStory(pb.GetJobStoryRequest(job_id="42"))
                if story.record_count == 2:
                    break
                await asyncio.sleep(0.02)
    assert [p.producer for p in stats.producers] == [shown_producer(name)]
    assert [(r.producer, r.missing) for r in story.receipts] == [(shown_producer(name), 2)]
    for path in (tmp_path / "data" / "logs").rglob("*.log"):
        assert name.encode() not in path.read_bytes()


def test_a_shown_name_is_shown_as_it_is() -> None:
    assert shown_producer(shown_producer("a")) == shown_producer("a") != "a"
    assert shown_producer("otlp:checkout") == "otlp:checkout"


def test_a_proof_is_of_one_secret() -> None:
    proof = make_proof(OURS)
    assert is_proven(proof, OURS)
    assert make_proof(OURS) != proof
    for other in (THEIRS, b"", OURS[:-1], OURS + b"\0"):
        assert not is_proven(proof, other)
    assert not is_proven(b"", b"")
    assert not is_proven(proof[:-1], OURS)


def test_only_the_newest_records_are_compared() -> None:
    digests = Digests(limit=10)
    lines = [f"{n}\n".encode() for n in range(100)]
    for first in range(1, 100, 5):
        digests.note("p" if first < 90 else "q", first, checksums_of(b"".join(lines[first - 1 : first + 4])))
    assert sum(run.count for run in digests.dump()) == 10
    assert digests.equal_prefix("p", 1, checksums_of(b"".join(lines[:5]))) == 0
    assert digests.equal_prefix("q", 91, checksums_of(b"".join(lines[90:97]))) == 7
    assert digests.equal_prefix("q", 91, checksums_of(b"".join([*lines[90:93], b"other\n"]))) == 3


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), min_size=1, max_size=20))
def test_a_records_checksum_is_that_of_its_line_alone(lines: list[bytes]) -> None:
    checksums = checksums_of(b"".join(line + b"\n" for line in lines))
    assert checksums == array("I", map(google_crc32c.value, lines)).tobytes()
