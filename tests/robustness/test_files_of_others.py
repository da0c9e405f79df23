"""Others rotate, truncate and crowd the collector's files while it writes them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, last_acknowledged, record, ship
from tests.log_collector.log_files import records_in
from tests.log_collector.producer import Producer

TOTAL = 10_000


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path / "data", {"files.open_files": "8", "files.upkeep_seconds": "50ms"})
    yield process.start()
    process.stop()


def test_files_that_are_renamed_under_load_lose_and_double_no_line(collector: CollectorProcess) -> None:
    """vectordotdev/vector#24349, #2774: what logrotate renames must be noticed without any signal."""
    producer = Producer(collector.address, "p", TOTAL, jobs=3)
    producer.start()
    logs = collector.data_dir / "logs"
    for number in range(1, 6):
        goal = number * TOTAL // 7
        eventually(lambda goal=goal: producer.acknowledged >= goal and (logs / "worker.log").exists())
        (logs / "worker.log").rename(logs / f"worker.log.{number}")
    producer.join(60)
    assert not producer.is_alive()
    assert collector.stop() == 0
    found = [record for number in range(1, 6) for record in records_in_file(logs / f"worker.log.{number}")]
    found += records_in_file(logs / "worker.log")
    assert [r["n"] for r in found] == list(range(1, TOTAL + 1))


def records_in_file(path: Path) -> list[dict[str, object]]:
    import json

    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
@pytest.mark.parametrize("way", ["create", "copytruncate"])
def test_the_real_logrotate(collector: CollectorProcess, tmp_path: Path, way: str) -> None:
    """What it copies is whole, what comes afterwards begins at the beginning of the file."""
    logs = collector.data_dir / "logs"
    config, state = tmp_path / "logrotate.conf", tmp_path / "state"
    config.write_text(f"{logs}/worker.log {{\n  rotate 9\n  {way}\n  su root root\n}}\n")
    config.chmod(0o600)
    for first in (1, 101, 201):
        records = [record(first + i) for i in range(100)]
        assert last_acknowledged(asyncio.run(ship(collector.address, batch(first, records)))) == first + 99
        eventually(lambda first=first: last_line_of(logs / "worker.log") == first + 99)
        subprocess.run(["logrotate", "--force", "--state", str(state), str(config)], check=True)
    files = [logs / f"worker.log.{number}" for number in (3, 2, 1)]
    assert [r["n"] for path in files for r in records_in_file(path)] == list(range(1, 301))


def last_line_of(path: Path) -> int:
    records = records_in_file(path) if path.exists() else []
    return int(str(records[-1]["n"])) if records else 0


def test_a_flood_of_jobs_opens_no_more_files_than_allowed(collector: CollectorProcess) -> None:
    """ray-project/ray#45244: a node with 200 thousand small logs; stevietrouble/EfficientZero#2."""
    descriptors = Path(f"/proc/{collector.pid}/fd")
    before = len(list(descriptors.iterdir()))
    most = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most.append(sum(1 for _ in descriptors.iterdir()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for first in range(1, 2_001, 500):
        records = [record(n, job_id=f"job-{n}") for n in range(first, first + 500)]
        asyncio.run(ship(collector.address, batch(first, records)))
    jobs = collector.data_dir / "logs" / "jobs"
    eventually(lambda: jobs.exists() and len(list(jobs.iterdir())) == 2_000, 60)
    done.set()
    watcher.join()
    # Besides the files themselves: one connection, and one descriptor for each thread that syncs.
    assert max(most) <= before + 8 + 1 + 8 + 4


def test_no_id_leads_out_of_the_directory(tmp_path: Path, collector: CollectorProcess) -> None:
    """vectordotdev/vector confines templates of paths to a directory of their own."""
    hostile = [
        "../../../etc/cron.d/x", "/etc/passwd", "..", ".", "a/../../b", "\x00x", "x" * 5000, "CON", "~root",
        "job.log", "%2E%2E", "..%2F", "\u202e", "errors", "C:\\x",
    ]  # fmt: skip
    inside = collector.data_dir
    before = {path for path in tmp_path.rglob("*") if inside not in path.parents}
    records = [record(n, job_id=text, artifact_id=text, stage=text) for n, text in enumerate(hostile)]
    assert last_acknowledged(asyncio.run(ship(collector.address, batch(1, records)))) == len(hostile)
    assert collector.stop() == 0
    assert {path for path in tmp_path.rglob("*") if inside not in path.parents} == before
    logs = inside / "logs"
    assert [r["job_id"] for r in records_in(logs, "worker.log")] == hostile
    jobs = list(logs.glob("jobs/*/job.log"))
    assert len(jobs) == len(hostile), "no two share a file"
    assert all(job.resolve().parent.parent == (logs / "jobs").resolve() for job in jobs)
