"""The file sink: records stand in every file they belong to, rotated and packed without losing a byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from log_collector.files.names import files_in, job_directory, safe_name, service_file
from log_collector.files.sink import FileSink
from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, batch, collector, numbered, record, ship
from tests.log_collector.log_files import content_of, lines_in, records_in


async def delivered(running: Collector) -> None:
    runner = running.service._fanout.runners["file"]
    await eventually_async(lambda: runner.is_caught_up and runner.books.delivered + runner.books.backlog)


async def test_a_record_stands_in_the_files_of_its_service_its_job_and_the_errors(tmp_path: Path) -> None:
    records = [
        record(1, job_id="a"),
        record(2, job_id="b", level="ERROR"),
        record(3, job_id="a", service="api"),
        record(4),
        record(5, job_id=7, level="CRITICAL"),
    ]
    async with collector(tmp_path) as running:
        await ship(running.address, batch(1, records))
        await delivered(running)
    logs = tmp_path / "logs"
    assert [r["n"] for r in records_in(logs, "worker.log")] == [1, 2, 4, 5]
    assert [r["n"] for r in records_in(logs, "api.log")] == [3]
    assert [r["n"] for r in records_in(logs, "errors.log")] == [2, 5]
    assert [r["n"] for r in records_in(logs, "jobs/a/job.log")] == [1, 3]
    assert [r["n"] for r in records_in(logs, "jobs/b/job.log")] == [2]
    assert [r["n"] for r in records_in(logs, "jobs/7/job.log")] == [5]


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "..", ".", "", "/", "a/b", "a\0b", "x" * 5000, "é"])
async def test_hostile_ids_name_files_inside_the_directory(tmp_path: Path, hostile: str) -> None:
    """A producer that lies harms nobody."""
    async with collector(tmp_path / "data") as running:
        await ship(running.address, batch(1, [record(1, job_id=hostile, service=hostile or "x")]))
        await delivered(running)
    logs = tmp_path / "data" / "logs"
    assert len(records_in(logs, f"{job_directory(hostile)}/job.log")) == 1
    assert {p.name for p in tmp_path.iterdir()} == {"data"}
    assert all(logs in p.resolve().parents for p in logs.rglob("*"))


def test_different_texts_have_different_names() -> None:
    texts = ["a", "A", "a/b", "a%2Fb", ".a", "%2Ea", "", "%", "errors", "%65rrors", "x" * 200, "x" * 201, "~"]
    assert len({safe_name(text) for text in texts}) == len(texts)
    assert service_file("errors") != "errors.log"
    assert service_file("route.x") != "route.x.log"


async def test_routes_and_forms_are_as_configured(tmp_path: Path) -> None:
    config = tmp_path / "collector.json"
    config.write_text(
        json.dumps(
            {
                "files": {
                    "services": {"format": "human"},
                    "routes": [{"name": "slow", "expression": "duration_ms > 100", "format": "kv"}],
                }
            }
        )
    )
    async with collector(tmp_path / "data", config) as running:
        await ship(running.address, batch(1, [record(1, duration_ms=250), record(2, duration_ms=3)]))
        await delivered(running)
    logs = tmp_path / "data" / "logs"
    slow = lines_in(logs, "route.slow.log")
    assert len(slow) == 1
    assert b"duration_ms=250" in slow[0]
    assert b"INFO" in lines_in(logs, "worker.log")[0]
    assert not lines_in(logs, "worker.log")[0].startswith(b"{")


@pytest.mark.parametrize("compression", ["zst", "gz", "none"])
async def test_rotation_loses_no_byte_and_cuts_no_line(tmp_path: Path, compression: str) -> None:
    """OCC#22747: rotation cuts a JSON line in two. OCC#44077: .zst that unzstd cannot read."""
    settings = {
        "files__services__rotate_bytes": 20_000,
        "files__services__compression": compression,
        "files__upkeep_seconds": 0.05,
    }
    async with collector(tmp_path, **settings) as running:
        for first in range(1, 2001, 100):
            await ship(running.address, numbered(first, 100))
        await delivered(running)
        logs = tmp_path / "logs"
        suffix = {"zst": ".zst", "gz": ".gz", "none": ""}[compression]
        await eventually_async(
            lambda: all(
                f.is_active or f.path.suffix == suffix or not suffix
                for f in files_in(logs)
                if f.path.exists()
            )
        )
    assert [r["n"] for r in records_in(logs, "worker.log")] == list(range(1, 2001))
    rotated = [f.path for f in files_in(logs) if not f.is_active]
    assert len(rotated) > 2
    if compression == "zst" and shutil.which("zstd"):
        said = subprocess.run(["zstd", "-dc", rotated[0]], capture_output=True, check=True)
        assert said.stdout == content_of(rotated[0])


async def test_logrotate_by_rename_is_followed(tmp_path: Path) -> None:
    """vectordotdev/vector#24349: a renamed file is written on, even after SIGHUP."""
    logs = tmp_path / "logs"
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1))
        await delivered(running)
        (logs / "worker.log").rename(logs / "worker.log.1")
        await ship(running.address, numbered(4))
        await delivered(running)
    assert [json.loads(x)["n"] for x in (logs / "worker.log").read_bytes().splitlines()] == [4, 5, 6]
    assert [json.loads(x)["n"] for x in (logs / "worker.log.1").read_bytes().splitlines()] == [1, 2, 3]


async def test_copytruncate_leaves_no_hole(tmp_path: Path) -> None:
    """vectordotdev/vector#2774: after copytruncate the file begins with zero bytes."""
    logs = tmp_path / "logs"
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1))
        await delivered(running)
        (logs / "worker.log").write_bytes(b"")
        await ship(running.address, numbered(4))
        await delivered(running)
    assert [json.loads(x)["n"] for x in (logs / "worker.log").read_bytes().splitlines()] == [4, 5, 6]


async def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    """OCC#51316: evicting an open writer loses data."""
    async with collector(tmp_path, files__open_files=8) as running:
        for first in range(1, 301, 100):
            await ship(running.address, batch(first, [record(i, job_id=f"j{i % 50}") for i in range(100)]))
        await delivered(running)
        sink = running.service._fanout.runners["file"].sink
        assert isinstance(sink, FileSink)
        assert 1 <= sink.open_file_count <= 8
    counts = [len(records_in(tmp_path / "logs", f"jobs/j{i}/job.log")) for i in range(50)]
    assert counts == [6] * 50


async def test_what_was_rejected_stands_in_the_quarantine(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await ship(running.address, batch(1, [record(1), b"{", record(3)]))
        await delivered(running)
    (line,) = records_in(tmp_path / "logs", "quarantine.log")
    assert line["reason"] == "not_json"
    assert [r["n"] for r in records_in(tmp_path / "logs", "worker.log")] == [1, 3]


async def test_old_files_are_deleted_and_so_are_old_jobs(tmp_path: Path) -> None:
    """ray-project/ray#32112: files of jobs pile up on a node"""
    settings = {
        "files__services__rotate_bytes": 2_000,
        "files__services__keep_count": 2,
        "files__jobs__keep_seconds": 0.2,
        "files__upkeep_seconds": 0.05,
    }
    logs = tmp_path / "logs"
    async with collector(tmp_path, **settings) as running:
        for first in range(1, 1001, 100):
            await ship(
                running.address, batch(first, [record(i, job_id="old") for i in range(first, first + 100)])
            )
            await delivered(running)
        await eventually_async(lambda: not (logs / "jobs" / "old").exists())
        await eventually_async(lambda: len([f for f in files_in(logs) if not f.is_active]) == 2)
