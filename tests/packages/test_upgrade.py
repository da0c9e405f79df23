"""Directories of release 0.1.0, killed in the middle of its work, go on under this version with nothing lost."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import telecine
import zstandard

from service_host.disk.data_directory import MARKER
from tests.encoder_service.server_process import ServerProcess
from tests.log_collector.collector_process import CollectorProcess
from tests.packages.make_former_data import ENDED, HALF, clip

PACKED = Path(__file__).parent / "data" / "0.1.0.tar.zst"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The directories as 0.1.0 left them."""
    plain = zstandard.ZstdDecompressor().stream_reader(PACKED.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def test_ended_jobs_are_there_and_uploads_go_on_where_they_were(home: Path, tmp_path: Path) -> None:
    server = ServerProcess(home / "encoder", {"retention_seconds": "0"}).start()
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
    collector = CollectorProcess(home / "collector", {"files.default_keep_seconds": "0"}).start()
    try:
        with telecine.LogClient(collector.address) as client:
            found = [json.loads(line) for line in client.query(telecine.LogFilter(services=["worker"]))]
    finally:
        collector.kill()
    assert sorted(record["number"] for record in found if "number" in record) == list(range(200))
    assert [record["msg"] for record in found if "number" not in record] == ["broken"]
