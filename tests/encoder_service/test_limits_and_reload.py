"""Limits of a service, and those that take effect while it runs, in a real service with a real file."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually, eventually_async

CLIP = raw.clip(12)


class Configured:
    """A service that reads a file which the test changes."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "telecine.toml"
        self.server = ServerProcess(tmp_path / "data", {})
        for key in ("workers", "threads_per_worker", "min_free_bytes"):
            self.server.settings.pop(key, None)

    def start(self, text: str) -> ServerProcess:
        self.path.write_text(text)
        return self.server.start({"TELECINE_CONFIG": str(self.path)})

    def change(self, text: str, *, says: str) -> None:
        """Changes the file, by a signal, and waits for what the service says about it."""
        self.path.write_text(text)
        before = self.server.log().count(says)
        self.server.signal(signal.SIGHUP)
        eventually(lambda: self.server.log().count(says) > before, says=says)

    def in_force(self) -> dict[str, object]:
        with urllib.request.urlopen(f"http://{self.server.admin}/config", timeout=10) as page:
            found: dict[str, object] = json.load(page)
        return found


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Configured]:
    made = Configured(tmp_path)
    yield made
    made.server.stop()
    made.server.assert_no_orphans()


HEAD = "[encoder]\nmin_free_bytes = 0\nthreads_per_worker = 1\n"


async def encoded(server: ServerProcess, job_id: str, *outputs: pb.OutputSpec | str) -> pb.Job:
    async with grpc.aio.insecure_channel(server.address) as channel:
        heard = await raw.RawClient(channel).encode(raw.spec(job_id, *outputs), CLIP)
    assert heard.result is not None
    return heard.result.job


async def limits(server: ServerProcess) -> pb.Limits:
    async with grpc.aio.insecure_channel(server.address) as channel:
        found = await raw.RawClient(channel).stub.GetCapabilities(pb.GetCapabilitiesRequest())
    return found.limits


async def most_running(client: raw.RawClient, jobs: list[asyncio.Task[raw.Heard]]) -> int:
    """The most jobs that were seen with an output under way at the same time."""
    most = 0
    busy = {pb.OUTPUT_STATE_ENCODING, pb.OUTPUT_STATE_VERIFYING}
    while not all(job.done() for job in jobs):
        listed = await client.stub.ListJobs(pb.ListJobsRequest(job_id_prefix="turn-"))
        running = [job for job in listed.jobs if any(o.progress.state in busy for o in job.outputs)]
        most = max(most, len(running))
    return most


async def test_an_artifact_that_is_too_large_fails_its_output_alone(configured: Configured) -> None:
    server = configured.start(HEAD + 'workers = 1\nmax_artifact_bytes = "4kB"\n')
    job = await encoded(server, "large", "mp4", pb.OutputSpec(format="png"))
    small, large = job.outputs
    assert job.state == pb.JOB_STATE_PARTIALLY_SUCCEEDED
    assert small.progress.state == pb.OUTPUT_STATE_SUCCEEDED
    assert large.problem.code == "ARTIFACT_TOO_LARGE"
    assert "max_artifact_bytes" in large.problem.message
    assert large.progress.attempt == 1
    assert not list(server.job_directory("large").rglob("*.png"))
    assert (await limits(server)).max_artifact_bytes == 4_000


async def test_limits_change_while_the_service_runs_and_by_the_file_alone(configured: Configured) -> None:
    server = configured.start(HEAD + "workers = 1\n")
    assert (await encoded(server, "before", pb.OutputSpec(format="png"))).state == pb.JOB_STATE_SUCCEEDED
    configured.path.write_text(HEAD + 'workers = 1\nmax_artifact_bytes = "4kB"\n')
    await eventually_async(lambda: "configuration_reloaded" in server.log())
    assert (await encoded(server, "after", pb.OutputSpec(format="png"))).state == pb.JOB_STATE_FAILED
    assert configured.in_force()["max_artifact_bytes"] == 4_000


async def test_workers_come_and_go_with_the_configuration(configured: Configured) -> None:
    server = configured.start(HEAD + "workers = 1\n")
    await eventually_async(lambda: len(server.workers()) == 1)
    configured.change(HEAD + "workers = 3\n", says="configuration_reloaded")
    await eventually_async(lambda: len(server.workers()) == 3)
    configured.change(HEAD + "workers = 1\n", says="configuration_reloaded")
    await eventually_async(lambda: len(server.workers()) == 1)
    assert (await encoded(server, "fewer")).state == pb.JOB_STATE_SUCCEEDED


async def test_the_log_level_changes_while_the_service_runs(configured: Configured) -> None:
    server = configured.start(HEAD + "workers = 1\n[logging]\nlevel = 'ERROR'\n")
    await encoded(server, "quiet")
    assert "job accepted" not in server.log()
    configured.change(HEAD + "workers = 1\n[logging]\nlevel = 'INFO'\n", says="configuration_reloaded")
    await encoded(server, "loud")
    await eventually_async(lambda: "job accepted" in server.log())


async def test_a_wrong_file_leaves_the_old_in_force_and_says_why(configured: Configured) -> None:
    server = configured.start(HEAD + "max_outputs_per_job = 2\n")
    configured.change(HEAD + "max_outputs_per_job = 99\nworkerz = 1\n", says="configuration_not_reloaded")
    assert 'did you mean \\"workers\\"?' in server.log()
    assert configured.in_force()["max_outputs_per_job"] == 2


async def test_what_needs_a_restart_is_named_and_the_rest_takes_effect(configured: Configured) -> None:
    server = configured.start(HEAD + "max_outputs_per_job = 2\n")
    configured.change(
        HEAD + "max_outputs_per_job = 1\nis_synced = true\n",
        says="configuration_needs_restart",
    )
    line = next(line for line in server.log().splitlines() if "configuration_needs_restart" in line)
    assert "is_synced" in line
    assert configured.in_force()["max_outputs_per_job"] == 1
    assert configured.in_force()["is_synced"] is False


async def test_at_most_so_many_jobs_run_at_once(configured: Configured) -> None:
    """With two workers and one job at a time, the second job waits although a worker is free."""
    configured.path.write_text(HEAD + "workers = 2\nmax_running_jobs = 1\n")
    server = configured.server.start(
        {"TELECINE_CONFIG": str(configured.path), "TELECINE_WORKER_FAULT": "slow:40"}
    )
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(client.encode(raw.spec(f"turn-{n}"), CLIP)) for n in range(2)]
            most = await most_running(client, jobs)
    assert most == 1


async def test_leftovers_of_interrupted_work_are_removed_from_time_to_time(configured: Configured) -> None:
    """Frames without a record are none: damage has left them, and they stay."""
    server = configured.start(HEAD + 'workers = 1\ncleaning_interval_seconds = "100ms"\n')
    await encoded(server, "known")
    spool = server.data_dir / "spool" / "lost"
    hidden = server.data_dir / "artifacts" / ".deleted-20260101_000000_lost"
    frames = server.data_dir / "spool" / "damaged" / "video.raw"
    for place in (spool, hidden, frames.parent):
        place.mkdir()
    frames.write_text("frames")
    (hidden / "clip.mp4").write_text("left by a crash")
    await eventually_async(lambda: not spool.exists() and not hidden.exists())
    assert frames.exists()
    assert (server.job_directory("known") / "manifest.json").exists()
