"""The collector takes no directory of others, adopts one of release 0.1.0, and shows it to nobody else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from log_collector.data_files import is_former_directory
from service_host.disk.data_directory import MARKER
from service_host.errors import StartError
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import collector, numbered, ship


async def test_a_directory_of_release_0_1_0_is_adopted_once(tmp_path: Path) -> None:
    async with collector(tmp_path / "data") as running:
        await ship(running.address, numbered(1, 5))
    (tmp_path / "data" / MARKER).unlink()
    async with collector(tmp_path / "data") as running:
        assert [record["n"] for record in running.records()] == [1, 2, 3, 4, 5]
    assert (tmp_path / "data" / MARKER).is_file()


@pytest.mark.parametrize("missing", ["lock", "journal/durable"])
async def test_what_only_looks_like_one_is_refused(tmp_path: Path, missing: str) -> None:
    async with collector(tmp_path / "data"):
        pass
    (tmp_path / "data" / MARKER).unlink()
    unwanted = tmp_path / "data" / missing
    shutil.rmtree(unwanted) if unwanted.is_dir() else unwanted.unlink()
    for found in (tmp_path / "data").glob("cursors.sqlite*"):
        found.unlink()
    assert not is_former_directory(tmp_path / "data")
    with pytest.raises(StartError, match="not empty"):
        async with collector(tmp_path / "data"):
            pass


def test_a_project_directory_is_refused_before_anything_is_written_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "logs").mkdir()
    (tmp_path / "data" / "logs" / "nginx.log").write_text("theirs")
    process = CollectorProcess(tmp_path / "data")
    with pytest.raises(AssertionError):
        process.start()
    assert process.stop() == 1
    assert "not empty and was not made by a telecine collector" in process.log()
    assert sorted(path.name for path in (tmp_path / "data").rglob("*")) == ["logs", "nginx.log"]


def run_with_everything(data: Path, **settings: str) -> list[Path]:
    """Ships until files were rotated and packed; returns all that lies there then."""
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    process = CollectorProcess(data, {"files.services.rotate_bytes": "1KiB", **keys})
    process.start()
    try:
        from tests.eventually import eventually
        from tests.log_collector.producer import Producer

        for round_number in range(3):
            producer = Producer(process.address, f"p{round_number}", 400, jobs=3)
            producer.start()
            producer.join(60)
        eventually(lambda: any((data / "logs").glob("*.zst")))
    finally:
        process.stop()
    return [data, *data.rglob("*")]


def test_nothing_below_the_data_directory_is_for_other_users(tmp_path: Path) -> None:
    found = run_with_everything(tmp_path / "data")
    names = {path.name for path in found}
    assert {"cursors.sqlite", "job.log", "receipts.log", "collector.log", "durable"} <= names
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_the_group_may_read_where_the_settings_say_so(tmp_path: Path) -> None:
    found = run_with_everything(tmp_path / "data", host__is_readable_by_group="true")
    assert [path for path in found if path.stat().st_mode & 0o027] == []
    logs = [path for path in found if ".log" in path.name]
    assert logs
    assert [path for path in logs if not path.stat().st_mode & 0o040] == []


def test_a_directory_that_was_open_to_others_is_closed_when_it_is_adopted(tmp_path: Path) -> None:
    run_with_everything(tmp_path / "data")
    (tmp_path / "data" / MARKER).unlink()
    subprocess.run(["chmod", "-R", "o+rX", str(tmp_path / "data")], check=True)
    process = CollectorProcess(tmp_path / "data").start()
    assert process.stop() == 0
    assert (tmp_path / "data").stat().st_mode & 0o007 == 0
    shutil.rmtree(tmp_path / "data")
