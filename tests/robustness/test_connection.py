"""Connections are cut, clients die, servers freeze and chunks rot: the upload goes on where it was safe."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually
from tests.robustness.cutting_proxy import proxied
from tests.robustness.frames import frame_hashes

CLIP = raw.clip()

KEEPALIVE = [
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.http2.ping_timeout_ms", 1000),
    ("grpc.http2.max_pings_without_data", 0),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests here that leave it alive."""
    server = ServerProcess(tmp_path_factory.mktemp("connection") / "data", {"workers": "1"}).start()
    yield server
    server.stop()
    server.assert_no_orphans()


async def push_all(stream: raw.RawStream) -> None:
    """The whole clip, in chunks that are larger than what the proxy forwards at once."""
    await stream.push(CLIP, 32768)
    await stream.rest()


async def test_a_connection_cut_inside_a_chunk_costs_only_what_was_not_acknowledged(
    server: ServerProcess, undisturbed: dict[str, list[str]]
) -> None:
    """Half a chunk is no chunk; the rest is sent again from the persisted offset."""
    job = raw.spec("cut")
    async with proxied(server.port) as proxy:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
            async with raw.RawClient(channel).stream() as stream:
                await stream.open(job)
                proxy.cut_after = 100_000
                with pytest.raises((grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError)):
                    await push_all(stream)
            heard = stream.heard
        async with grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
            again = await raw.RawClient(channel).encode(job, CLIP)
    assert again.accepted is not None
    assert again.accepted.is_resumed
    persisted = again.accepted.persisted[0].persisted_bytes
    assert heard.acknowledged[-1] <= persisted < len(CLIP)
    assert frame_hashes(again.files["mp4.mp4"]) == undisturbed["mp4.mp4"]


async def test_a_corrupted_chunk_is_refused_and_nothing_of_it_is_kept(
    server: ServerProcess, undisturbed: dict[str, list[str]]
) -> None:
    """DATA_LOSS; the job stays and goes on from the last right byte."""
    job = raw.spec("rotten")
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(job)
            first, second = list(raw.chunks(CLIP, 50_000))[:2]
            second.chunk.crc32c ^= 1
            await stream.write(first)
            await stream.until(lambda heard: heard.acknowledged[-1] == 50_000)
            await stream.write(second)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.rest()
        assert failed.value.code() is grpc.StatusCode.DATA_LOSS
        assert raw.reason(failed.value) == "CHUNK_CORRUPTED"
        again = await client.encode(job, CLIP)
    assert again.accepted is not None
    assert again.accepted.persisted[0].persisted_bytes == 50_000
    assert frame_hashes(again.files["mp4.mp4"]) == undisturbed["mp4.mp4"]


CLIENT_THAT_DIES = """
import asyncio, os, signal, sys
import grpc
from tests.encoder_service import raw_client as raw

async def main():
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        async with raw.RawClient(channel).stream() as stream:
            await stream.open(raw.spec(sys.argv[2]))
            await stream.write(*list(raw.chunks(raw.clip(), 20_000))[:5])
            await stream.until(lambda heard: heard.acknowledged[-1] >= 60_000)
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_killed_client_had_acknowledged_is_there_for_the_next_one(
    server: ServerProcess, undisturbed: dict[str, list[str]]
) -> None:
    """A client process dies of SIGKILL in its upload; another process resumes."""
    died = subprocess.run(
        [sys.executable, "-c", CLIENT_THAT_DIES, server.address, "orphaned"],
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    async with grpc.aio.insecure_channel(server.address) as channel:
        again = await raw.RawClient(channel).encode(raw.spec("orphaned"), CLIP)
    assert again.accepted is not None
    assert again.accepted.persisted[0].persisted_bytes >= 60_000
    assert frame_hashes(again.files["mp4.mp4"]) == undisturbed["mp4.mp4"]


async def test_a_frozen_server_is_noticed_by_keepalive_and_goes_on_when_it_thaws(
    server: ServerProcess,
) -> None:
    """SIGSTOP: the client hears UNAVAILABLE within seconds; after SIGCONT the job resumes."""
    job = raw.spec("frozen")
    async with (
        grpc.aio.insecure_channel(server.address, options=KEEPALIVE) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.open(job)
        await stream.write(*list(raw.chunks(CLIP, 20_000))[:2])
        await stream.until(lambda heard: heard.acknowledged[-1] == 40_000)
        server.signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.until(lambda heard: False)
        finally:
            server.signal(signal.SIGCONT)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - began < 20
    async with grpc.aio.insecure_channel(server.address) as channel:
        again = await raw.RawClient(channel).encode(job, CLIP)
    assert again.result is not None
    assert again.result.job.state == pb.JOB_STATE_SUCCEEDED


async def test_a_newer_stream_fences_the_older_one(server: ServerProcess) -> None:
    """The older one hears ABORTED; not a byte of it arrives after the newer one was accepted."""
    job = raw.spec("fenced")
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as old, client.stream() as new:
            await old.open(job)
            await old.write(*list(raw.chunks(CLIP, 10_000))[:3])
            accepted = await new.open(job)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await old.rest()
            await new.push(CLIP)
            await new.write(raw.finish(CLIP))
            heard = await new.rest()
    assert failed.value.code() is grpc.StatusCode.ABORTED
    assert raw.reason(failed.value) == "SUPERSEDED"
    assert accepted.is_resumed
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED


async def _knows(client: raw.RawClient, job_id: str) -> bool:
    try:
        await client.stub.GetJob(pb.GetJobRequest(job_id=job_id))
    except grpc.aio.AioRpcError as error:
        return raw.reason(error) != "JOB_NOT_FOUND"
    return True


async def test_a_server_that_says_nothing_new_still_keeps_a_quiet_upload_alive(server: ServerProcess) -> None:
    """A sender that pauses with keepalive pings on is not cut off: acknowledgements come every second."""
    async with grpc.aio.insecure_channel(server.address, options=KEEPALIVE) as channel:
        async with raw.RawClient(channel).stream() as stream:
            await stream.open(raw.spec("quiet"))
            await stream.until(lambda heard: len(heard.acknowledged) >= 4)
        # The service notices a moment later that its client has left.
        async with asyncio.timeout(20):
            while await _knows(raw.RawClient(channel), "quiet"):
                await asyncio.sleep(0.02)


def test_nothing_is_left_lying_about(server: ServerProcess) -> None:
    """After all of the above: no spool, no attempt, no temporary file."""
    server.assert_tidy()
    assert eventually(lambda: len(server.workers()) == 1)


def test_the_makers_of_servers_leave_no_process(make_server: Callable[..., ServerProcess]) -> None:
    """SIGKILL of a service that idles takes its workers along."""
    other = make_server(workers="2").start()
    eventually(lambda: len(other.workers()) == 2)
    other.kill()
    other.assert_no_orphans()
