"""Damage on the disk costs what is damaged, is named, and never ends a start in a traceback."""

from __future__ import annotations

import json
import random
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

Maker = Callable[..., ServerProcess]
CLIP = raw.clip()
HURT = ("flip", "cut", "empty", "delete")


@asynccontextmanager
async def connected(server: ServerProcess) -> AsyncIterator[raw.RawClient]:
    """A client."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield raw.RawClient(channel)


def hurt(path: Path, how: str, chance: random.Random) -> None:
    """Does to a file what disks do."""
    data = bytearray(path.read_bytes())
    if how == "delete":
        path.unlink()
    elif how == "empty" or not data:
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(data[: chance.randrange(len(data))])
    else:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)


async def furnished(server: ServerProcess) -> None:
    """An ended job, and an upload that waits for its client, and a healthy neighbour of each."""
    async with connected(server) as client:
        for job_id in ("ended", "ended-too"):
            assert (await client.encode(raw.spec(job_id), CLIP)).result is not None
        for job_id in ("half", "half-too"):
            async with client.stream() as stream:
                await stream.open(raw.spec(job_id))
                await stream.push(CLIP[:60_000])
                await stream.until(lambda heard: max(heard.acknowledged) == 60_000)


def targets(data_dir: Path) -> list[Path]:
    """Every file of the two jobs that are hurt, and the directory's own."""
    return sorted(
        path
        for path in data_dir.rglob("*")
        if path.is_file() and "-too" not in str(path.relative_to(data_dir)) and "logs" not in path.parts
    )


async def check(server: ServerProcess, victim: Path) -> None:
    """The neighbours are whole; the job that was hurt is whole or says what it is."""
    async with connected(server) as client:
        for job_id in ("ended-too", "half-too"):
            assert (await client.encode(raw.spec(job_id), CLIP)).result is not None, victim
        for job_id in ("ended", "half"):
            try:
                heard = await client.encode(raw.spec(job_id), CLIP)
            except grpc.aio.AioRpcError as error:
                is_named = raw.reason(error) == "JOB_DAMAGED"
                assert is_named, (victim, error)  # noqa: PT017 - it may as well have succeeded
                continue
            assert heard.result is not None, victim
            problems = {output.problem.code for output in heard.result.job.outputs}
            assert problems <= {"", "SPOOL_DAMAGED"}, victim


async def run_mutations(make_server: Maker, tmp_path: Path, count: int, seed: int) -> None:
    """Hurts one file at a time, and starts the service on what is left."""
    chance = random.Random(seed)
    server = make_server(workers="1").start()
    await furnished(server)
    server.kill()
    sound = tmp_path / "sound"
    shutil.copytree(server.data_dir, sound)
    for number in range(count):
        shutil.rmtree(server.data_dir)
        shutil.copytree(sound, server.data_dir)
        files = targets(server.data_dir)
        victim = files[number % len(files)]
        hurt(
            victim,
            HURT[number // len(files) % len(HURT)] if count > len(files) else chance.choice(HURT),
            chance,
        )
        server.start()
        await check(server, victim)
        server.kill()
    assert "Traceback" not in server.log()


async def test_any_damaged_file_costs_at_most_its_own_job(make_server: Maker, tmp_path: Path) -> None:
    await run_mutations(make_server, tmp_path, 8, 1)


@pytest.mark.soak
async def test_a_hundred_damaged_files_cost_at_most_their_own_jobs(
    make_server: Maker, tmp_path: Path
) -> None:
    await run_mutations(make_server, tmp_path, 120, 7)


@pytest.mark.parametrize("how", [b"", b"{", None])
async def test_a_damaged_manifest_is_made_anew(make_server: Maker, how: bytes | None) -> None:
    server = make_server(workers="1").start()
    async with connected(server) as client:
        whole = (await client.encode(raw.spec("job"), CLIP)).result
        assert whole is not None
        path = server.job_directory("job") / "manifest.json"
        path.unlink() if how is None else path.write_bytes(how)
        found = await client.stub.GetManifest(pb.GetManifestRequest(job_id="job"))
        assert found.manifest_json == whole.manifest_json == path.read_bytes()
        flipped = whole.manifest_json.replace(b'"succeeded"', b'"succeedec"', 1)
        path.write_bytes(flipped)
        request = pb.DownloadArtifactRequest(job_id="job", path="manifest.json")
        sent = b"".join([answer.chunk.data async for answer in client.stub.DownloadArtifact(request)])
        assert json.loads(sent) == json.loads(whole.manifest_json)


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
async def test_a_damaged_artifact_is_told(make_server: Maker, how: str) -> None:
    server = make_server(workers="1").start()
    async with connected(server) as client:
        await client.encode(raw.spec("job"), CLIP)
        hurt(server.job_directory("job") / "mp4.mp4", how, random.Random(3))
        request = pb.DownloadArtifactRequest(job_id="job", path="mp4.mp4")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            async for _ in client.stub.DownloadArtifact(request):
                pass
        assert failed.value.code() is grpc.StatusCode.DATA_LOSS
        with pytest.raises(grpc.aio.AioRpcError) as again:
            await client.encode(raw.spec("job"), CLIP)
        assert raw.reason(failed.value) == raw.reason(again.value) == "JOB_DAMAGED"


async def test_no_file_of_a_job_is_for_other_users(make_server: Maker) -> None:
    server = make_server(workers="1").start()
    async with connected(server) as client:
        await client.encode(raw.spec("job", "mp4", "webp", "png"), CLIP)
        async with client.stream() as stream:
            await stream.open(raw.spec("half"))
            await stream.push(CLIP[:1000])
            await stream.until(lambda heard: max(heard.acknowledged) == 1000)
    open_to_others = [
        path for path in server.data_dir.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert not open_to_others
    assert not stat.S_IMODE(server.data_dir.stat().st_mode) & 0o077
