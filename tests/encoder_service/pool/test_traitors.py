"""A worker whose codec was taken over harms its own output alone: the service goes on and ends the job."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import psutil
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.worker.sandbox import landlock, linux
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

TRAITOR = Path(__file__).with_name("traitor.py")
CLIP = raw.clip(6)
FAST_SECONDS = 20.0
"""For what must not be waited for."""
PATHS = {"too-long-name", "climbing", "manifest", "future-manifest", "terminal"}
REFUSED = {
    **dict.fromkeys(PATHS, "UNSAFE_PATH"),
    **dict.fromkeys(("huge-progress", "code"), "BETRAYED"),
    **dict.fromkeys(
        ("huge-frames", "huge-size", "negative-times", "no-files", "media-type", "long-options"),
        "CODEC_CRASHED",
    ),
    **dict.fromkeys(("level", "empty-lines", "progress", "swarm"), "CODEC_CRASHED"),
    "no-rate": "IMPLAUSIBLE_ANSWER",
    **dict.fromkeys(("many-bytes", "deleted-bytes", "many-files"), "OUTPUT_TOO_LARGE"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A service whose workers may be traitors."""
    settings = {
        "worker_wrapper": json.dumps([sys.executable, str(TRAITOR)]),
        "worker_silence_timeout_seconds": "8",
        "worker_memory_bytes": str(400 << 20),
        "max_output_bytes": str(200 << 20),
        "attempts": "1",
        "threads_per_worker": "1",
    }
    server = ServerProcess(tmp_path_factory.mktemp("traitors") / "data", settings).start()
    yield server
    assert server.stop() == 0
    server.assert_no_orphans()


async def betrayed(server: ServerProcess, *outputs: str) -> pb.Job:
    """The job's end; then the service has been seen to answer, and to have left nothing behind."""
    job_id = ".".join(outputs)
    spec = raw.spec(job_id, *(pb.OutputSpec(name=name, format="mp4") for name in outputs))
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        heard = await client.encode(spec, CLIP)
        listed = await client.stub.ListJobs(pb.ListJobsRequest(page_size=1000))
        honest = await client.encode(raw.spec(f"after.{job_id}", "webp"), CLIP)
    assert job_id in {job.job_id for job in listed.jobs}
    assert honest.result is not None
    assert honest.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert not (server.data_dir / "spool" / job_id).exists()
    assert not (server.job_directory(job_id) / ".partial").exists()
    assert heard.result is not None
    return heard.result.job


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_what_no_honest_worker_says_fails_its_output_alone(server: ServerProcess, name: str) -> None:
    began = time.monotonic()
    job = await betrayed(server, name)
    assert [output.problem.code for output in job.outputs] == [REFUSED[name]]
    assert time.monotonic() - began < FAST_SECONDS
    assert len(server.stage_log(job.job_id)) < 512 << 10


async def test_a_long_name_of_a_file_is_no_harm(server: ServerProcess) -> None:
    job = await betrayed(server, "long-name")
    assert job.state == pb.JOB_STATE_SUCCEEDED


async def test_a_file_that_has_the_name_of_anothers_directory_is_refused(server: ServerProcess) -> None:
    job = await betrayed(server, "below", "above")
    assert job.state == pb.JOB_STATE_PARTIALLY_SUCCEEDED
    assert [output.problem.code for output in job.outputs] == ["", "PATH_TAKEN"]


async def test_a_directory_of_any_depth_goes_with_its_attempt(server: ServerProcess) -> None:
    files = psutil.Process(server.pid).num_fds()
    job = await betrayed(server, "deep")
    assert [output.problem.code for output in job.outputs] == ["OUTPUT_TOO_LARGE"]
    assert psutil.Process(server.pid).num_fds() < files + 20


async def test_a_worker_that_writes_to_its_log_without_end_takes_nobodys_time(server: ServerProcess) -> None:
    before = psutil.Process(server.pid).cpu_times()
    began = time.monotonic()
    job = await betrayed(server, "words")
    after = psutil.Process(server.pid).cpu_times()
    assert [output.problem.code for output in job.outputs] == ["WORKER_HUNG"]
    assert after.user - before.user < 0.6 * (time.monotonic() - began)


async def test_warnings_of_a_job_stay_few_enough_for_an_answer(server: ServerProcess) -> None:
    job = await betrayed(server, "many-warnings")
    assert 10 < len(job.warnings) < 100
    assert job.ByteSize() < 300 << 10


@pytest.mark.skipif(
    linux.column() is None or not landlock.version() or os.name != "posix", reason="bounds are Linux's"
)
async def test_the_kernels_own_tables_count_as_a_workers_memory(server: ServerProcess) -> None:
    job = await betrayed(server, "tables")
    assert [output.problem.code for output in job.outputs] == ["OUT_OF_MEMORY"]
