"""The memory of a stream is given back with the stream, on both sides, without the garbage collector."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from telecine import AsyncClient, Client, Output
from telecine import exceptions as errors
from telecine.testing import SMALL, draw_clip

from encoder_service.spool.ring import Ring, RingError
from encoder_service.spool.spool import DiskFullError, Spool
from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually, eventually_async

LOSSLESS = Output("mkv", codec="ffv1")
CLIP = draw_clip(frames=12, width=320, height=240)
STREAMS = 8
SERVICE = """
import gc, sys
gc.disable()
from encoder_service.app import PROGRAM
from service_host.program import run_program
sys.exit(run_program(PROGRAM, sys.argv[1:]))
"""


class Server:
    """A service that never collects garbage."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.process = process
        self.address = address

    def rings(self) -> int:
        """How many rings are mapped in it and in this process together."""
        return mapped(self.process.pid) + mapped(os.getpid())


def mapped(pid: int) -> int:
    return Path(f"/proc/{pid}/maps").read_text().count("memfd:telecine-ring")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {**SMALL, "ring_bytes": str(1 << 20), "max_clip_seconds": "2"}
    command = [sys.executable, "-c", SERVICE, "--listen", "127.0.0.1:0"]
    command += ["--data-dir", str(tmp_path_factory.mktemp("data") / "d")]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Server(process, json.loads(process.stdout.readline())["address"])
        process.terminate()


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def succeeds(client: Client, _: TcpProxy) -> None:
    client.encode(CLIP, fps=8, outputs=LOSSLESS)


def is_cancelled(client: Client, _: TcpProxy) -> None:
    job = client.open_job(fps=8, outputs=LOSSLESS)
    job.push(CLIP)
    job.cancel()


def is_left_half_way(client: Client, _: TcpProxy) -> None:
    with contextlib.suppress(errors.TelecineError):
        job = client.open_job(fps=8, outputs=LOSSLESS)
        job.push(CLIP[:5])
        job.close()


def is_cut(client: Client, proxy: TcpProxy) -> None:
    with client.open_job(fps=8, outputs=LOSSLESS) as job:
        job.push(CLIP[:6])
        proxy.cut()
        job.push(CLIP[6:])
        job.result()


def is_refused(client: Client, _: TcpProxy) -> None:
    """More frames than the service takes: it ends the stream with an error in the midst of a chunk."""
    with pytest.raises(errors.TelecineError):
        client.encode(np.concatenate([CLIP, CLIP, CLIP]), fps=8, outputs=LOSSLESS)


@pytest.mark.parametrize("stream", [succeeds, is_cancelled, is_left_half_way, is_cut, is_refused])
def test_no_ring_stays_mapped_however_a_stream_ends(
    server: Server, stream: Callable[[Client, TcpProxy], None]
) -> None:
    with TcpProxy(server.address) as proxy, Client(proxy.address) as client:
        for _ in range(STREAMS):
            stream(client, proxy)
        eventually(lambda: server.rings() == 0, says="no ring is mapped")


async def test_nor_with_the_asyncio_client(server: Server) -> None:
    async with AsyncClient(server.address) as client:
        for _ in range(STREAMS):
            await client.encode(CLIP, fps=8, outputs=LOSSLESS)
        job = client.open_job(fps=8, outputs=LOSSLESS)
        await job.push(CLIP[:5])
        assert server.rings() > 0
        await job.cancel()
        await eventually_async(lambda: server.rings() == 0, says="no ring is mapped")


def test_jobs_that_are_kept_keep_no_ring(server: Server) -> None:
    with Client(server.address) as client:
        jobs = []
        for _ in range(STREAMS):
            job = client.open_job(fps=8, outputs=LOSSLESS)
            job.push(CLIP)
            job.result()
            jobs.append(job)
        eventually(lambda: server.rings() == 0, says="no ring is mapped")


def test_views_that_a_traceback_keeps_do_not_keep_the_ring() -> None:
    ring = Ring(1 << 16)
    kept = ring.read(0, 100)
    with pytest.raises(RingError):
        ring.read(0, 1 << 20)
    ring.close()
    ring.close()
    assert mapped(os.getpid()) == 0
    with pytest.raises(ValueError, match="released"):
        bytes(kept)


def test_nor_do_those_that_a_full_disk_left_unwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, spool = Ring(1 << 16), Spool(tmp_path / "video.raw", is_new=True)
    written = iter([100, OSError(28, "No space left on device")])

    def nearly_full(*_: object) -> int:
        outcome = next(written)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    monkeypatch.setattr("encoder_service.spool.spool.os.pwritev", nearly_full)
    with pytest.raises(DiskFullError) as caught:
        spool.append([ring.read(0, 1000), ring.read(1000, 1000)])
    ring.close()
    assert caught.value.__cause__ is not None
    assert mapped(os.getpid()) == 0
    spool.close()
