"""Directories of release 0.1.0, killed in the middle of its work, go on here with nothing lost."""

from __future__ import annotations

import fcntl
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import telecine
import zstandard

from service_host.disk.data_directory import MARKER
from tests.encoder_service.server_process import ServerProcess
from tests.log_collector.collector_process import CollectorProcess
from tests.packages.make_former_data import ENDED, HALF, clip

AGELESS = {"retention_seconds": "0", "max_job_seconds": "0"}
KEEPING = {f"files.{name}.keep_seconds": "0" for name in ("services", "jobs", "errors")}
"""The data do not grow younger."""
PACKED = Path(__file__).parent / "data" / "0.1.0.tar.zst"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The directories as 0.1.0 left them."""
    plain = zstandard.ZstdDecompressor().stream_reader(PACKED.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def test_ended_jobs_are_there_and_uploads_go_on_where_they_were(home: Path, tmp_path: Path) -> None:
    server = ServerProcess(home / "encoder", AGELESS).start()
    try:
        with telecine.Client(server.address) as client:
            assert client.get_job(ENDED).state is telecine.JobState.SUCCEEDED
            for name in ("mp4.mp4", "webp.webp"):
                client.download(ENDED, name, tmp_path / name)
            manifest = json.loads(client.manifest(ENDED))
            assert manifest["outputs"]
            job = client.open_job(fps=10, outputs=["webm"], job_id=HALF)
            job.push(clip())
            result = job.result()
            assert result["webm"].size_bytes
            client.encode(clip(), fps=10, outputs=["mp4"])
    finally:
        server.kill()
    assert (home / "encoder" / MARKER).exists()


def test_records_are_there_once_and_new_ones_come_behind_them(home: Path) -> None:
    collector = CollectorProcess(home / "collector", KEEPING).start()
    try:
        with telecine.LogClient(collector.address) as client:
            found = [json.loads(line) for line in client.query(telecine.LogFilter(services=["worker"]))]
    finally:
        collector.kill()
    assert sorted(record["number"] for record in found if "number" in record) == list(range(200))
    assert [record["msg"] for record in found if "number" not in record] == ["broken"]


FORMER_STORE = """
import fcntl, os, sys
lock = os.open(sys.argv[1] + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""
"""The first thing that 0.1.0 does with a data directory, of either service."""


@pytest.mark.parametrize("service", ["encoder", "collector"])
def test_a_directory_that_this_version_has_had_is_refused_by_the_former_one(
    service: str, home: Path, tmp_path: Path
) -> None:
    for directory in (home / service, tmp_path / "new"):
        process = (ServerProcess if service == "encoder" else CollectorProcess)(directory).start()
        process.kill()
        ran = subprocess.run(
            [sys.executable, "-c", FORMER_STORE, str(directory)], capture_output=True, text=True, check=False
        )
        assert "IsADirectoryError" in ran.stderr


@pytest.mark.parametrize("service", ["encoder", "collector"])
def test_a_directory_that_the_former_version_is_using_is_not_taken(service: str, home: Path) -> None:
    with (home / service / "lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = subprocess.run(
            [sys.executable, "-m", "telecine.cli", "serve", service, "--listen", "127.0.0.1:0",
             "--data-dir", str(home / service)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert ran.returncode != 0
    assert "in use by another" in ran.stderr
