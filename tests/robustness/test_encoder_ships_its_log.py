"""The encoder's own records: collected under job and request, on its own disk whatever the collector does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from telecine import LogClient, LogFilter

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path / "collector").start()
    yield process
    process.stop()


@pytest.fixture
def encoder(tmp_path: Path, collector: CollectorProcess) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "encoder", {"workers": "1"})
    process.start({"TELECINE_LOG_COLLECTOR": collector.address})
    yield process
    process.stop()


async def encode(encoder: ServerProcess, job_id: str) -> None:
    async with grpc.aio.insecure_channel(encoder.address) as channel:
        heard = await raw.RawClient(channel).encode(raw.spec(job_id), raw.clip())
    assert heard.result is not None


def own_records(encoder: ServerProcess, job_id: str) -> list[dict[str, Any]]:
    lines = (encoder.data_dir / "logs" / "encoder.log").read_text().splitlines()
    return [r for r in map(json.loads, lines) if r.get("job_id") == job_id and "stage" in r]


def collected(collector: CollectorProcess, job_id: str) -> list[dict[str, Any]]:
    with LogClient(collector.address) as client:
        found = client.query(LogFilter(ids={"job_id": job_id}), is_oldest_first=True)
        return [r for r in map(json.loads, found) if "stage" in r]


def test_a_jobs_records_name_job_request_stage_attempt_and_duration(
    encoder: ServerProcess, collector: CollectorProcess
) -> None:
    asyncio.run(encode(encoder, "fox"))
    eventually(lambda: "encode:complete" in [r["stage"] for r in collected(collector, "fox")])
    records = collected(collector, "fox")
    assert records == own_records(encoder, "fox"), "files and collector have the same"
    stages = [r["stage"] for r in records]
    assert stages[0] == "encode:accepted"
    assert stages[-1] == "encode:complete"
    assert {"encode:frames", "encode:output", "encode:manifest"} <= set(stages)
    assert len({r["request_id"] for r in records}) == 1
    outputs = [r for r in records if r["stage"] == "encode:output"]
    assert any(r["attempt"] == 0 and r["duration_ms"] > 0 for r in outputs)
    (stage_log,) = encoder.data_dir.glob("artifacts/*_fox/stage.log")
    assert len(stage_log.read_text().splitlines()) >= 3


def test_without_its_collector_the_encoder_goes_on_and_catches_up_later(
    encoder: ServerProcess, collector: CollectorProcess
) -> None:
    collector.kill()
    asyncio.run(encode(encoder, "owl"))
    assert own_records(encoder, "owl")[-1]["stage"] == "encode:complete"
    collector.start()
    eventually(lambda: collected(collector, "owl") == own_records(encoder, "owl"))
