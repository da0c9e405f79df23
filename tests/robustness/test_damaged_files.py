"""Damage on the disk costs what is damaged, is named, and never ends a start in a traceback."""

from __future__ import annotations

import io
import json
import random
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import psutil
import pytest
from PIL import Image
from telecine.encoder.v1 import encoder_pb2 as pb

from service_host.disk.data_directory import MARKER
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.encoder_service.webhooks.listener import SECRET

Maker = Callable[..., ServerProcess]
CLIP = raw.clip()
HURT = ("flip", "cut", "empty", "delete")
HOOKS = {
    "webhooks__secret": SECRET,
    "webhooks__allowed_networks": "127.0.0.0/8",
    "webhooks__allows_plain_http": "true",
}
JOBS = ("ended", "half", "handed")


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


def spec(job_id: str) -> pb.JobSpec:
    """A job that draws a text and a picture, and whose end is owed to a receiver that is never there."""
    buffer = io.BytesIO()
    Image.new("RGBA", (12, 8), (255, 40, 0, 200)).save(buffer, "PNG")
    overlays = [
        pb.Overlay(text=pb.TextOverlay(text="{frame}", size=pb.Length(pixels=14))),
        pb.Overlay(image=pb.ImageOverlay(image=buffer.getvalue()), position=pb.POSITION_TOP_LEFT),
    ]
    output = pb.OutputSpec(format="mp4", quality=pb.QUALITY_DRAFT, overlays=overlays)
    events = [pb.WEBHOOK_EVENT_JOB_RECEIVED, pb.WEBHOOK_EVENT_JOB_ENDED]
    # Port 9 discards: nothing answers there, and so the notices stay.
    return raw.spec(job_id, output, webhooks=[pb.Webhook(url="http://127.0.0.1:9/hook", events=events)])


async def furnished(server: ServerProcess) -> None:
    """An ended job, an upload that waits for its client, one that is complete, and a neighbour of each.

    Ends the server: only so does the complete upload find no worker.
    """
    async with connected(server) as client:
        for job_id in ("ended", "ended-too"):
            assert (await client.encode(spec(job_id), CLIP)).result is not None
        for job_id in ("half", "half-too"):
            async with client.stream() as stream:
                await stream.open(spec(job_id))
                await stream.push(CLIP[:60_000])
                await stream.until(lambda heard: max(heard.acknowledged) == 60_000)
        programs = [*server.workers(), *server.zygotes()]
        for program in programs:
            program.suspend()
        for job_id in ("handed", "handed-too"):
            async with client.stream() as stream:
                await stream.open(spec(job_id))
                await stream.push(CLIP)
                await stream.write(raw.finish(CLIP))
                await stream.until(lambda heard: heard.is_complete)
    server.kill()
    for program in programs:
        with suppress(psutil.NoSuchProcess):  # they die with their parent, too
            program.kill()


def owed(data_dir: Path) -> dict[str, Path]:
    """The notices' files, by job and event."""
    found = {}
    for path in sorted((data_dir / "webhooks").glob("*.json")):
        notice = json.loads(path.read_bytes().partition(b"\n")[0])
        found[f"{notice['job_id']} {notice['event']}"] = path
    return found


def targets(data_dir: Path) -> list[Path]:
    """Every file of the jobs that are hurt and of their notices, and the directory's own."""
    spared = {path for owner, path in owed(data_dir).items() if "-too" in owner}
    return sorted(
        path
        for path in data_dir.rglob("*")
        if path.is_file() and "-too" not in str(path.relative_to(data_dir)) and path not in spared
    )


async def check(server: ServerProcess, victim: Path, notices: set[str]) -> None:
    """The neighbours are whole; the job that was hurt is whole or says what it is."""
    async with connected(server) as client:
        for job_id in (f"{name}-too" for name in JOBS):
            result = (await client.encode(spec(job_id), CLIP)).result
            assert result is not None, victim
            assert result.job.state == pb.JOB_STATE_SUCCEEDED, victim
        assert {path.name for path in owed_unhurt(server.data_dir, victim)} >= notices, victim
        for job_id in JOBS:
            try:
                heard = await client.encode(spec(job_id), CLIP)
            except grpc.aio.AioRpcError as error:
                is_named = raw.reason(error) == "JOB_DAMAGED"
                assert is_named, (victim, error)  # noqa: PT017 - it may as well have succeeded
                continue
            assert heard.result is not None, victim
            problems = {output.problem.code for output in heard.result.job.outputs}
            assert problems <= {"", "SPOOL_DAMAGED"}, victim


def owed_unhurt(data_dir: Path, victim: Path) -> list[Path]:
    """The files of notices but the one that was hurt."""
    return [path for path in (data_dir / "webhooks").glob("*.json") if path != victim]


def has_started(server: ServerProcess) -> bool:
    """Starts the service, which may refuse."""
    try:
        server.start()
    except AssertionError:
        assert server.wait() != 0
        return False
    return True


async def run_mutations(make_server: Maker, tmp_path: Path, count: int, seed: int) -> None:
    """Hurts one file at a time, and starts the service on what is left."""
    chance = random.Random(seed)
    server = make_server(workers="1", **HOOKS).start()
    await furnished(server)
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
        notices = {path.name for path in owed_unhurt(server.data_dir, victim)}
        if victim.name != MARKER:
            server.start()
        elif not has_started(server):
            # Whose directory it is cannot be guessed: one sentence says what is wrong.
            assert str(server.data_dir) in server.log().splitlines()[-1]
            continue
        await check(server, victim, notices)
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
async def test_a_damaged_artifact_is_reported(make_server: Maker, how: str) -> None:
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
    server = make_server(workers="1", **HOOKS).start()
    async with connected(server) as client:
        await client.encode(raw.spec("job", "mp4", "webp", "png"), CLIP)
        await client.encode(spec("told"), CLIP)
        async with client.stream() as stream:
            await stream.open(spec("half"))
            await stream.push(CLIP[:1000])
            await stream.until(lambda heard: max(heard.acknowledged) == 1000)
    kinds = {path.parent.name for path in server.data_dir.rglob("*") if path.is_file()}
    assert kinds >= {"jobs", "webhooks", "half", "pictures"}
    open_to_others = [
        path for path in server.data_dir.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert not open_to_others
    assert not stat.S_IMODE(server.data_dir.stat().st_mode) & 0o077


def age(data_dir: Path) -> None:
    """Makes of a data directory what 0.1.0 left when it was killed, byte for byte but for its own ids.

    It had no marker, no seals, no checksums of frames; files were for everybody; and where a job's frames lay
    in the file of a job that had ended, a note told how many of them were its own.
    """
    (data_dir / MARKER).unlink()
    for path in [*(data_dir / "jobs").iterdir(), *(data_dir / "webhooks").iterdir()]:
        path.write_bytes(path.read_bytes().partition(b"\n")[0])
    for path in data_dir.rglob("video.crc32c"):
        path.unlink()
    noted = data_dir / "spool" / "half-too"
    frames = (noted / "video.raw").read_bytes()
    (noted / "video.raw").write_bytes(frames + bytes(len(CLIP) - len(frames)))
    note = len(frames).to_bytes(8, "little") + b"22a87043-31c3-4f91-bcb1-3227bf122f9c"
    (noted / "video.persisted").write_bytes(note)
    (data_dir / "spool-reserve").mkdir()
    (data_dir / "spool-reserve" / "1.raw").write_bytes(CLIP)
    for path in data_dir.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


async def test_a_directory_of_0_1_0_goes_on_where_it_was(make_server: Maker) -> None:
    server = make_server(workers="1", **HOOKS).start()
    await furnished(server)
    notices = set(owed(server.data_dir))
    age(server.data_dir)
    server.start()
    began = {"ended": len(CLIP), "handed": len(CLIP), "handed-too": len(CLIP), "half": 60_000, "half-too": 0}
    films: dict[str, bytes] = {}
    async with connected(server) as client:
        for job_id, persisted in began.items():
            heard = await client.encode(spec(job_id), CLIP)
            assert heard.acknowledged[0] == persisted, job_id
            assert heard.result is not None
            assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED, job_id
            films[job_id] = bytes(heard.files["mp4.mp4"])
        damaged = (await client.stub.ListJobs(pb.ListJobsRequest())).damaged
    assert not damaged
    assert set(films.values()) == {films["ended"]}
    assert set(owed(server.data_dir)) >= notices
    assert not (server.data_dir / "spool-reserve").exists()
