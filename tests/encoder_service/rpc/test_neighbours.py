"""Paths of the server's disk are for clients that proved to be the same user on the same machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.machine import host_id
from telecine.sharing.secret import ServerSecret

from encoder_service.rpc.neighbours import Neighbours
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

CLIP = raw.clip()
NOBODY = 65534

pytestmark = pytest.mark.skipif(not host_id(), reason="needs Linux")


@asynccontextmanager
async def client(server: ServerProcess) -> AsyncIterator[raw.RawClient]:
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield raw.RawClient(channel)


async def accepted(server: ServerProcess, job_id: str, **claims: object) -> pb.Accepted:
    """The first answer to a stream that claims this."""
    async with client(server) as found, found.stream() as stream:
        await stream.write(pb.EncodeRequest(spec=raw.spec(job_id), **claims))
        heard = await stream.until(lambda heard: heard.accepted is not None)
    assert heard.accepted is not None
    return heard.accepted


async def downloaded(server: ServerProcess, job_id: str, **claims: object) -> pb.DownloadArtifactResponse:
    """The first answer."""
    async with client(server) as found:
        request = pb.DownloadArtifactRequest(job_id=job_id, path="mp4.mp4", **claims)
        async for response in found.stub.DownloadArtifact(request):
            return response
    raise AssertionError("no answer")


async def ended_job(server: ServerProcess, job_id: str) -> None:
    async with client(server) as found:
        await found.encode(raw.spec(job_id, "mp4"), CLIP)


async def test_the_job_directory_is_for_the_same_user_on_the_same_machine(server: ServerProcess) -> None:
    # A stream that ends without a byte leaves no job behind; a new one under its id might come before that.
    ids = (f"told-{number}" for number in count())
    for claims in ({}, {"host_id": "elsewhere"}, {"proof": bytes(32)}):
        message = await accepted(server, next(ids), **claims)
        assert (message.job_directory, message.proof_path) == ("", "")
    message = await accepted(server, next(ids), host_id=host_id())
    assert message.job_directory == ""
    assert message.proof_path.startswith("/proc/")
    secret = ServerSecret()
    assert secret.read(message.proof_path)
    for wrong in (bytes(32), secret.value[:-1], secret.value + b"\0", b""):
        assert (await accepted(server, next(ids), host_id=host_id(), proof=wrong)).job_directory == ""
    assert (await accepted(server, next(ids), host_id="elsewhere", proof=secret.value)).job_directory == ""
    told = await accepted(server, "told", host_id=host_id(), proof=secret.value)
    assert Path(told.job_directory).name.endswith("_told")
    assert Path(told.job_directory).parent == server.data_dir / "artifacts"


async def test_so_is_the_place_of_an_artifact(server: ServerProcess) -> None:
    await ended_job(server, "placed")
    for claims in ({}, {"host_id": host_id()}, {"host_id": "elsewhere", "proof": b""}, {"proof": bytes(32)}):
        response = await downloaded(server, "placed", **claims)
        assert (response.local_path, response.proof_path) == ("", "")
        assert response.chunk.data
    for wrong in (b"", bytes(32)):
        response = await downloaded(server, "placed", host_id=host_id(), proof=wrong)
        assert response.local_path == ""
        assert not response.chunk.data
    secret = ServerSecret()
    assert secret.read(response.proof_path)
    response = await downloaded(server, "placed", host_id=host_id(), proof=secret.value)
    assert Path(response.local_path) == server.job_directory("placed") / "mp4.mp4"


async def test_nothing_that_a_client_hears_names_the_data_directory(server: ServerProcess) -> None:
    """Not even where an output fails, and another user's name stands in no message."""
    secrets = (str(server.data_dir), str(server.data_dir.parent), str(Path.home()), sys.prefix)
    outputs = [
        pb.OutputSpec(format="mp4", codec="hevc", options={"x265-params": "rc-lookahead=0"}),
        pb.OutputSpec(format="poster", frame_index=999),
        pb.OutputSpec(format="webm"),
    ]
    async with client(server) as found:
        heard = await found.encode(raw.spec("silent", *outputs), CLIP)
        assert heard.result is not None
        answers = [
            heard.result,
            heard.accepted,
            await found.stub.GetJob(pb.GetJobRequest(job_id="silent")),
            await found.stub.ListJobs(pb.ListJobsRequest()),
            await found.stub.GetCapabilities(pb.GetCapabilitiesRequest()),
            await found.stub.GetManifest(pb.GetManifestRequest(job_id="silent")),
        ]
    for answer in answers:
        assert answer is not None
        data = answer.SerializeToString()
        assert not [data[data.index(s.encode()) - 200 :][:400] for s in secrets if s.encode() in data]


def test_another_user_cannot_read_the_secret() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    neighbours = Neighbours()
    path = neighbours.challenge(host_id())
    program = f"import os; os.setgid({NOBODY}); os.setuid({NOBODY}); os.open({path!r}, os.O_RDONLY)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=30, check=False)
    assert b"PermissionError" in done.stderr
    secret = ServerSecret()
    assert secret.read(path)
    assert neighbours.is_proved(host_id(), secret.value)


def test_the_secret_is_this_servers_alone_and_cannot_be_changed() -> None:
    first, second = Neighbours(), Neighbours()
    secret = ServerSecret()
    assert secret.read(first.challenge(host_id()))
    assert not second.is_proved(host_id(), secret.value)
    file = os.open(first.challenge(host_id()), os.O_RDWR)
    try:
        for change in (lambda: os.pwrite(file, b"x", 0), lambda: os.ftruncate(file, 0)):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(file)


def test_a_client_opens_nothing_but_such_a_secret(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(32))
    file = os.memfd_create("another")
    os.write(file, bytes(32))
    plain = os.open(other, os.O_RDONLY)
    try:
        paths = [
            str(other),
            "/etc/passwd",
            "",
            "/proc/self/fd/0",
            f"/proc/{os.getpid()}/fd/../../../etc/passwd",
        ]
        paths += [f"/proc/{os.getpid()}/fd/{number}" for number in (file, plain, 9999)]
        for path in paths:
            assert not ServerSecret().read(path), path
    finally:
        os.close(file)
        os.close(plain)
