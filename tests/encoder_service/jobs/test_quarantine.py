"""What damage has left is never silent: it is counted, listed, logged again, and takes its room."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import structlog
from telecine.clients.blocking import Client
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.jobs.registry import Quarantine, find_gone
from encoder_service.spool.quota import SpoolSpace
from encoder_service.store.damage import Damaged, DamageReason
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually_async

CLIP = raw.clip()
SENT = 60_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Looks after its data directory twice a second."""
    found = ServerProcess(tmp_path / "data", {"workers": "1", "cleaning_interval_seconds": "0.5"})
    yield found
    found.stop()


async def with_damage(server: ServerProcess) -> None:
    """Starts a service that had two half uploads: one's record is cut, the other's is gone."""
    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        for job_id in ("cut", "gone"):
            async with raw.RawClient(channel).stream() as stream:
                await stream.open(raw.spec(job_id))
                await stream.push(CLIP[:SENT])
                await stream.until(lambda heard: max(heard.acknowledged) == SENT)
    server.kill()
    record = server.data_dir / "jobs" / "cut.json"
    record.write_bytes(record.read_bytes()[:40])
    (server.data_dir / "jobs" / "gone.json").unlink()
    (server.data_dir / "jobs" / "notes.txt").write_text("an operator's")
    server.start()


def metrics(server: ServerProcess) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=10) as page:
        lines = [line for line in page.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def reminders(server: ServerProcess) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line["msg"].startswith("damaged: still left")]


async def test_damage_is_counted_listed_and_logged_again(server: ServerProcess) -> None:
    await with_damage(server)
    found = metrics(server)
    counted = {reason: found[f'telecine_encoder_damaged{{reason="{reason}"}}'] for reason in DamageReason}
    assert counted == {"record_unreadable": 1, "record_missing": 1, "not_recovered": 0, "foreign": 1}
    with Client(server.address) as client:
        listed = client.damaged_jobs()
        assert [(job.job_id, job.reason) for job in listed] == [
            ("cut", "record_unreadable"),
            ("gone", "record_missing"),
        ]
        assert all(job.spool_bytes >= SENT for job in listed)
        assert client.damaged_jobs(prefix="g") == (listed[1],)
        assert list(client.jobs()) == []
    await eventually_async(lambda: len(reminders(server)) >= 2)
    assert reminders(server)[0]["count"] == 3
    assert reminders(server)[0]["level"] == "ERROR"


async def test_the_command_line_lists_damaged_jobs(server: ServerProcess) -> None:
    await with_damage(server)
    command = [str(Path(sys.executable).with_name("telecine")), "jobs", "list", "--server", server.address]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "cut: record_unreadable" in shown.stdout
    machine = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True)
    assert [entry["job_id"] for entry in json.loads(machine.stdout)["damaged"]] == ["cut", "gone"]
    filtered = subprocess.run(
        [*command, "--state", "encoding"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "cut" not in filtered.stdout


async def test_frames_that_damage_has_left_take_their_room_until_an_operator_removes_them(
    server: ServerProcess,
) -> None:
    server.settings |= {"spool_quota_bytes": "200000", "max_job_bytes": "200000", "max_frame_bytes": "10000"}
    await with_damage(server)
    assert metrics(server)["telecine_encoder_spool_bytes"] >= 2 * SENT
    small = raw.spec("next")
    small.video.expected_frames = 12
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.encode(small, CLIP[: 12 * 64 * 48 * 3])
        assert raw.reason(refused.value) == "SPOOL_FULL"
        for path in ("jobs/cut.json", "spool/cut/video.raw", "spool/cut/video.crc32c"):
            (server.data_dir / path).unlink()
        (server.data_dir / "spool" / "cut").rmdir()
        await eventually_async(lambda: metrics(server)["telecine_encoder_spool_bytes"] < 2 * SENT)
        # Its id is free again as well.
        small.job_id = "cut"
        heard = await client.encode(small, CLIP[: 12 * 64 * 48 * 3])
        assert heard.result is not None
        assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED


def test_a_thing_is_gone_when_neither_it_nor_its_frames_are_there(tmp_path: Path) -> None:
    space = SpoolSpace(1000)
    quarantine = Quarantine(space, structlog.get_logger())
    record, frames = tmp_path / "a.json", tmp_path / "a"
    record.touch()
    frames.mkdir()
    quarantine.add(Damaged("a", record, DamageReason.RECORD_UNREADABLE, "cut", frames, 700))
    quarantine.add(Damaged("", tmp_path / "x", DamageReason.FOREIGN, "no name of ours"))
    assert space.used_bytes == 700
    record.unlink()
    assert [entry.path.name for entry in find_gone(quarantine.all())] == ["x"]
    frames.rmdir()
    quarantine.forget(find_gone(quarantine.all()))
    assert (space.used_bytes, quarantine.has("a"), quarantine.all()) == (0, False, [])
