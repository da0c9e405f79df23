"""Frames for a server on this machine go through memory, and nothing else about a job is different."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from telecine import AsyncClient, Client, Output
from telecine.clients.embedded import EmbeddedServer
from telecine.testing import draw_clip
from telecine.upload.machine import Upload
from telecine.upload.ring import RingMemory

from encoder_service.spool.ring import Ring
from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually

LOSSLESS = Output("mkv", codec="ffv1")
CLIP = draw_clip(frames=24, width=320, height=240)
# Neither a multiple of a frame nor of a page: chunks end at its end, and frames run over it.
SMALL_RING = {"ring_bytes": "300001", "workers": "1"}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(settings={**SMALL_RING, "max_rings": "1"}) as server:
        yield server


@pytest.fixture
def sent(server: EmbeddedServer) -> str:
    """What the same frames become when they are sent."""
    with Client(server.address, shares_memory=False) as client:
        return client.encode(CLIP, fps=8, outputs=LOSSLESS)["mkv"].sha256


@pytest.fixture
def watched(server: EmbeddedServer) -> Iterator[TcpProxy]:
    with TcpProxy(server.address) as proxy:
        yield proxy


def test_frames_do_not_travel_through_the_connection(watched: TcpProxy, sent: str) -> None:
    with Client(watched.address) as client:
        result = client.encode(CLIP, fps=8, outputs=LOSSLESS)
    assert result["mkv"].sha256 == sent
    assert watched.carried_bytes < CLIP.nbytes / 20


async def test_nor_do_those_of_the_asyncio_client(watched: TcpProxy, sent: str) -> None:
    async with AsyncClient(watched.address) as client:
        result = await client.encode(CLIP, fps=8, outputs=LOSSLESS)
    assert result["mkv"].sha256 == sent
    assert watched.carried_bytes < CLIP.nbytes / 20


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """What each piece is that uploads take over: views of the ring, or copies."""
    taken: list[type] = []
    push = Upload.push

    def noted(upload: Upload, piece: bytes | memoryview) -> None:
        taken.append(type(piece))
        push(upload, piece)

    monkeypatch.setattr(Upload, "push", noted)
    return taken


async def test_the_first_frame_finds_the_ring_already(server: EmbeddedServer, pieces: list[type]) -> None:
    """Frames that were taken before would be copied twice."""
    with Client(server.address) as client, client.open_job(fps=8, outputs=LOSSLESS) as job:
        job.push(CLIP[0])
    assert set(pieces) == {memoryview}
    pieces.clear()
    async with (
        AsyncClient(server.address) as client,
        client.open_job(fps=8, outputs=LOSSLESS) as job,
    ):
        await job.push(CLIP[0])
    assert set(pieces) == {memoryview}


def test_a_client_that_shares_no_memory_sends_its_frames(watched: TcpProxy, sent: str) -> None:
    with Client(watched.address, shares_memory=False) as client:
        assert client.encode(CLIP, fps=8, outputs=LOSSLESS)["mkv"].sha256 == sent
    assert watched.carried_bytes > CLIP.nbytes


def test_a_client_sends_its_frames_when_no_ring_is_left(watched: TcpProxy, server: EmbeddedServer) -> None:
    with Client(server.address) as first, Client(watched.address) as second:
        job = first.open_job(fps=8, outputs=LOSSLESS)
        job.push(CLIP[:4])
        eventually(lambda: job.progress.acknowledged_bytes > 0)
        before = watched.carried_bytes
        late = second.encode(CLIP, fps=8, outputs=LOSSLESS)
        assert watched.carried_bytes - before > CLIP.nbytes
        job.push(CLIP[4:])
        assert job.result()["mkv"].sha256 == late["mkv"].sha256


def test_the_callers_array_may_be_written_over_at_once(server: EmbeddedServer, sent: str) -> None:
    frame = np.empty_like(CLIP[0])
    with Client(server.address) as client, client.open_job(fps=8, outputs=LOSSLESS) as job:
        for drawn in CLIP:
            frame[:] = drawn
            job.push(frame)
            frame[:] = 0
        assert job.result()["mkv"].sha256 == sent


def test_cut_connections_are_invisible(watched: TcpProxy, sent: str) -> None:
    with Client(watched.address) as client, client.open_job(fps=8, outputs=LOSSLESS) as job:
        for index, frame in enumerate(CLIP):
            job.push(frame)
            if index % 6 == 0:
                watched.cut()
        assert job.result()["mkv"].sha256 == sent


def test_a_killed_server_costs_only_time(tmp_path: Path, sent: str) -> None:
    first = EmbeddedServer(tmp_path / "data", settings=SMALL_RING)
    with first, TcpProxy(first.address) as proxy, Client(proxy.address) as client:
        job = client.open_job(fps=8, outputs=LOSSLESS)
        job.push(CLIP[:12])
        eventually(lambda: job.progress.acknowledged_bytes > 0)
        os.kill(first.pid, signal.SIGKILL)
        eventually(lambda: not first.is_running)
        job.push(CLIP[12:16])
        with EmbeddedServer(tmp_path / "data", settings=SMALL_RING) as second:
            proxy.target = second.address
            job.push(CLIP[16:])
            assert job.result()["mkv"].sha256 == sent
            client.close()


def test_what_is_no_memory_of_this_server_is_not_written_to(tmp_path: Path) -> None:
    ring = Ring(4096)
    offer = ring.offer
    assert RingMemory.open(offer.path, 4096, b"x" * 16) is None
    file = tmp_path / "file"
    file.write_bytes(offer.nonce.ljust(4096))
    assert RingMemory.open(str(file), 4096, offer.nonce) is None
    assert RingMemory.open(str(tmp_path / "none"), 4096, offer.nonce) is None
    assert RingMemory.open(offer.path, 8192, offer.nonce) is None
    memory = RingMemory.open(offer.path, 4096, offer.nonce)
    assert memory is not None
    memory.lay(8190, [b"ab"])
    assert bytes(ring.read(8190, 2)) == b"ab"
    ring.close()


def test_a_client_cannot_make_the_ring_shorter_under_the_service() -> None:
    ring = Ring(1 << 16)
    file = os.open(ring.offer.path, os.O_RDWR)
    with pytest.raises(PermissionError):
        os.ftruncate(file, 0)
    os.close(file)
    ring.close()
