"""A batch makes no more files and bytes than it may, and what stands in the way stops nobody else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.config import CollectorConfig
from log_collector.files.config import FilesConfig
from log_collector.files.sink import FileSink
from log_collector.journal.entry import pack
from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, batch, collector, last_acknowledged, record, ship, stub
from tests.log_collector.sinks.driving import stored


async def delivered(running: Collector) -> None:
    runner = running.service._fanout.runners["file"]
    await eventually_async(lambda: runner.is_caught_up)


def lines_in(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


async def test_one_batch_makes_only_so_many_files(tmp_path: Path) -> None:
    records = [record(n, service=f"s{n}", job_id=f"j{n}") for n in range(600)]
    async with collector(
        tmp_path / "data", files__new_services_per_minute=20, files__new_jobs_per_minute=40
    ) as running:
        await ship(running.address, batch(1, records))
        await delivered(running)
        assert running.service._fanout.runners["file"].books.delivered == 600
        sink = running.service._fanout.runners["file"].sink
        assert sink.diverted["too_many_new"] > 0  # type: ignore[attr-defined]  # it is the file sink
        logs = tmp_path / "data" / "logs"
        assert len(list(logs.glob("s*.log"))) <= 21
        jobs = list((logs / "jobs").iterdir())
        assert len(jobs) <= 41
        assert all((job / "job.log").exists() for job in jobs)
        async with stub(running.address) as client:
            found = await client.Query(pb.QueryRequest(page_size=1000))
            assert sorted(json.loads(line)["n"] for line in found.records) == list(range(600))
            for wanted in ({"job_id": "j599"}, {"job_id": "j0"}):
                answer = await client.Query(pb.QueryRequest(filter=logs_pb2.RecordFilter(ids=wanted)))
                assert [json.loads(line)["job_id"] for line in answer.records] == [wanted["job_id"]]
            by_service = pb.QueryRequest(filter=logs_pb2.RecordFilter(services=["s599"]))
            assert len((await client.Query(by_service)).records) == 1


async def test_a_diverted_record_stands_once_also_after_a_restart(tmp_path: Path) -> None:
    settings = {"files__new_services_per_minute": 2}
    for first in (1, 101):
        async with collector(tmp_path / "data", **settings) as running:
            await ship(
                running.address, batch(first, [record(n, service=f"s{n}") for n in range(first, first + 100)])
            )
            await delivered(running)
    found = [line["n"] for path in (tmp_path / "data" / "logs").glob("*.log") for line in lines_in(path)]
    assert sorted(found) == list(range(1, 201))


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("jobs/a", "file"),
        ("jobs", "file"),
        ("worker.log", "directory"),
        ("jobs/a/job.log", "directory"),
        ("jobs/a", "link"),
        ("jobs", "link"),
        ("worker.log", "link"),
        ("jobs/a/job.log", "link"),
    ],
)
async def test_what_stands_in_a_files_way_stops_no_other_record(
    tmp_path: Path, where: str, kind: str
) -> None:
    async with collector(tmp_path / "data") as running:
        await delivered(running)
    logs = tmp_path / "data" / "logs"
    (tmp_path / "outside").mkdir()
    target = tmp_path / "outside" / "target"
    target.write_bytes(b"theirs")
    (logs / where).parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        (logs / where).write_bytes(b"theirs")
    elif kind == "directory":
        (logs / where).mkdir()
    else:
        (logs / where).symlink_to(target if where.endswith(".log") else tmp_path / "outside")
    async with collector(tmp_path / "data") as running:
        await ship(
            running.address,
            batch(1, [record(1, job_id="a"), record(2, job_id="b", service="api"), record(3)]),
        )
        await delivered(running)
        assert not running.service._fanout.runners["file"].is_broken
        async with stub(running.address) as client:
            found = await client.Query(pb.QueryRequest())
            assert sorted(json.loads(line)["n"] for line in found.records) == [1, 2, 3]
    assert target.read_bytes() == b"theirs"
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["target"]


@pytest.mark.parametrize("size", [5 << 20, 40 << 20])
async def test_a_few_bytes_do_not_become_many(tmp_path: Path, size: int) -> None:
    line = b'{"timestamp":"2026-11-21T03:51:14.000000Z","level":"INFO","msg":"%s"}' % (b"x" * 1000)
    count = size // len(line)
    packed = pack((line + b"\n") * count)
    assert size > 1000 * len(packed)
    async with collector(tmp_path / "data") as running:
        request = batch(1, [b"{}"], records=packed, count=count)
        answers = await ship(running.address, request)
        (rejected,) = [answer.rejected for answer in answers if answer.HasField("rejected")]
        assert rejected.reason == logs_pb2.REJECTION_REASON_TOO_LARGE
        assert last_acknowledged(answers) == count
        await delivered(running)
    written = [path.stat().st_size for path in (tmp_path / "data" / "logs").rglob("*") if path.is_file()]
    assert sum(written) < 4096


async def test_ordinary_logs_are_far_from_that_bound(tmp_path: Path) -> None:
    records = [record(n, text="the same words in every record") for n in range(20_000)]
    async with collector(tmp_path / "data") as running:
        assert last_acknowledged(await ship(running.address, batch(1, records))) == 20_000


def test_every_class_of_files_is_bounded_in_bytes_unless_it_is_said_otherwise() -> None:
    files = CollectorConfig().files
    for kind in (files.services, files.jobs, files.errors, files.quarantine):
        assert kind.keep_bytes > 0
    assert files.keep_jobs > 0


async def test_jobs_beyond_the_number_that_is_kept_go_the_oldest_first(tmp_path: Path) -> None:
    settings = {"files__keep_jobs": 3, "files__upkeep_seconds": 0.05}
    async with collector(tmp_path / "data", **settings) as running:
        jobs = tmp_path / "data" / "logs" / "jobs"
        for n in range(6):
            await ship(running.address, batch(n + 1, [record(n, job_id=f"j{n}")]))
            await delivered(running)
            os.utime(jobs / f"j{n}" / "job.log", (1_000_000_000 + n, 1_800_000_000 + n)) if (
                jobs / f"j{n}"
            ).exists() else None
        await eventually_async(lambda: len(list(jobs.iterdir())) <= 3)
        assert running.service._fanout.runners["file"].sink.expired["too_many_jobs"] >= 3  # type: ignore[attr-defined]


async def test_a_file_of_somebody_else_in_a_jobs_directory_is_not_deleted_with_it(tmp_path: Path) -> None:
    settings = {"files__jobs__keep_seconds": 1, "files__upkeep_seconds": 0.05}
    async with collector(tmp_path / "data", **settings) as running:
        jobs = tmp_path / "data" / "logs" / "jobs"
        await ship(running.address, batch(1, [record(1, job_id="j")]))
        await delivered(running)
        (jobs / "j" / "notes.txt").write_text("theirs")
        for name in ("job.log", "receipts.log"):
            os.utime(jobs / "j" / name, (1_000_000_000, 1_000_000_000))
        await eventually_async(lambda: not list(jobs.rglob("*.log*")))
    assert [path.read_text() for path in jobs.rglob("notes.txt")] == ["theirs"]
    shutil.rmtree(tmp_path / "data")


async def test_a_write_that_is_prepared_again_takes_no_more_of_the_allowance(tmp_path: Path) -> None:
    """Upkeep comes between the preparation and the write, and a failed write is prepared anew."""
    sink = FileSink(tmp_path, FilesConfig(new_jobs_per_minute=10, new_services_per_minute=1))
    sink.recover(b"")
    batches = [stored([record(n, job_id=f"j{n}") for n in range(10)])]
    for _ in range(5):
        sink.prepare(batches)
    sink.write()
    sink.close()
    assert len(list((tmp_path / "jobs").iterdir())) == 10
    assert sink.diverted == {}
