"""Workers of the real service: walls where the kernel has them, the truth where not, memory bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.evidence.facts import Wall
from encoder_service.worker.sandbox import landlock, linux
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.robustness.frames import frame_hashes

pytestmark = pytest.mark.skipif(
    linux.column() is None or landlock.version() < 3, reason="the kernel has no Landlock to stand on"
)
CLIP = raw.clip()
Maker = Callable[..., ServerProcess]
WITHOUT = Path(__file__).parents[1] / "encoder_service" / "pool" / "without_calls.py"


def without(*names: str) -> dict[str, str]:
    """Settings of a service whose workers find a kernel without these."""
    return {"worker_wrapper": json.dumps([sys.executable, "-P", str(WITHOUT), ",".join(names)])}


async def encode(server: ServerProcess, job: pb.JobSpec) -> raw.Heard:
    """The whole way."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await raw.RawClient(channel).encode(job, CLIP)


async def sandbox(server: ServerProcess) -> pb.Sandbox:
    """What the server says of its workers."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        answer = await raw.RawClient(channel).stub.GetCapabilities(pb.GetCapabilitiesRequest())
    assert all(row.is_available for row in answer.formats), answer.formats
    return answer.sandbox


async def test_capabilities_and_manifest_say_which_walls_stood(make_server: Maker) -> None:
    server = make_server(worker_sandbox="required").start()
    heard = await encode(server, raw.spec("walled", "mp4", "webp"))
    assert heard.result is not None
    for output in json.loads(heard.result.manifest_json)["outputs"]:
        assert output["sandbox"] == {"standing": [wall.value for wall in Wall], "missing": {}}
    found = await sandbox(server)
    assert (found.mode, list(found.walls), dict(found.missing)) == ("required", [*Wall], {})
    assert found.memory_bytes > 0
    server.assert_tidy()


@pytest.mark.parametrize(
    ("names", "standing"),
    [
        (("landlock",), {Wall.NETWORK, Wall.PROCESSES, Wall.BOUNDS}),
        (("seccomp",), {Wall.WRITES, Wall.READS}),  # memory that counts as nobody's is refused by it
        (("landlock", "seccomp"), set()),
        (("-landlock",), {Wall.NETWORK, Wall.PROCESSES, Wall.BOUNDS}),
        (("-limits", "-priority", "-scheduling"), {*Wall} - {Wall.BOUNDS}),
    ],
)
async def test_where_the_kernel_has_less_outputs_are_made_and_the_gaps_are_named(
    make_server: Maker, undisturbed: dict[str, list[str]], names: tuple[str, ...], standing: set[Wall]
) -> None:
    server = make_server(**without(*names)).start()
    heard = await encode(server, raw.spec("less"))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert frame_hashes(heard.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    (output,) = json.loads(heard.result.manifest_json)["outputs"]
    found = await sandbox(server)
    for walls, missing in (
        (output["sandbox"]["standing"], output["sandbox"]["missing"]),
        (found.walls, found.missing),
    ):
        assert set(walls) == standing
        assert set(missing) == set(Wall) - standing
        assert all(missing.values())
    assert "workers are sandboxed in part" in server.log()


def test_where_walls_are_required_and_missing_the_service_does_not_start(make_server: Maker) -> None:
    server = make_server(worker_sandbox="required", **without("landlock"))
    with pytest.raises(AssertionError, match="worker_sandbox is required, and walls are missing: writes"):
        server.start()
    assert server.wait() == 1
    last = server.log().strip().splitlines()[-1]
    assert "no Landlock" in last
    assert "Traceback" not in server.log()


def test_a_service_starts_behind_a_filter_that_denies_to_ask_for_limits_and_priorities(
    tmp_path: Path,
) -> None:
    """Such as systemd's `SystemCallFilter=~@resources`."""
    command = [sys.executable, "-P", str(WITHOUT), "-limits,-priority,-scheduling"]
    command += [
        sys.executable,
        "-m",
        "encoder_service",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        str(tmp_path),
    ]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert service.stdout is not None
        assert '"listening"' in service.stdout.readline(), service.communicate(timeout=30)
        service.terminate()
        assert service.wait(60) == 0
    finally:
        service.kill()
        service.communicate()


async def test_an_output_that_takes_too_much_memory_fails_alone_and_once(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """A few kilobytes of frames, scaled to 8192 x 8192."""
    server = make_server(worker_memory_bytes="400MiB", max_output_pixels=str(64 << 20)).start()
    job = raw.spec("hungry", "mp4", "webm", "webp")
    for hungry in job.outputs[1:]:
        hungry.scale.width = hungry.scale.height = 8192
    heard = await encode(server, job)
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_PARTIALLY_SUCCEEDED
    assert frame_hashes(heard.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    for output in heard.result.job.outputs[1:]:
        assert output.problem.code == "OUT_OF_MEMORY"
        assert output.progress.attempt == 1
        assert "worker_memory_bytes" in output.problem.message
    other = await encode(server, raw.spec("next"))
    assert other.result is not None
    assert other.result.job.state == pb.JOB_STATE_SUCCEEDED
    server.assert_tidy()


def test_the_configuration_names_what_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "encoder_service", "--check-config"]
    for setting in (
        "worker_sandbox=maybe",
        'worker_device_paths=["/dev/nope"]',
        'worker_read_paths=["/nope"]',
    ):
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    for words in ("one of required, auto, off", "/dev/nope must exist", "/nope must exist"):
        assert words in done.stderr
