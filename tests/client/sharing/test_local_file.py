"""Artifacts of a server on this machine are copied from its disk, and sent where that cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine import AsyncClient, Client
from telecine import exceptions as errors
from telecine.clients.embedded import EmbeddedServer
from telecine.results.values import Artifact
from telecine.sharing.local_file import pieces_of
from telecine.testing import draw_clip

from encoder_service.evidence.checksum import sha256_file
from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually

LARGE_BYTES = 3 << 20
"""Of a frame's noise, which no codec makes smaller."""


def content(path: Path, offset: int = 0, size_bytes: int | None = None) -> bytes:
    size = path.stat().st_size if size_bytes is None else size_bytes
    return b"".join(bytes(piece) for piece in pieces_of(str(path), offset, size))


@pytest.mark.parametrize("offset", [0, 1, 1 << 20, LARGE_BYTES])
def test_a_file_is_read_from_any_offset(tmp_path: Path, offset: int) -> None:
    whole = os.urandom(LARGE_BYTES)
    (tmp_path / "a").write_bytes(whole)
    assert content(tmp_path / "a", offset) == whole[offset:]


def test_what_is_not_that_file_yields_nothing(tmp_path: Path) -> None:
    other, pipe = tmp_path / "other", tmp_path / "pipe"
    other.write_bytes(b"four")
    os.mkfifo(pipe)
    assert content(other, size_bytes=5) == b""
    for path in (pipe, tmp_path, tmp_path / "none", tmp_path / "\0"):
        assert content(path, size_bytes=0) == b""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path_factory.mktemp("data"), settings={"workers": "1"}) as server:
        yield server


@pytest.fixture
def watched(server: EmbeddedServer) -> Iterator[TcpProxy]:
    with TcpProxy(server.address) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def job_id(server: EmbeddedServer) -> str:
    """A job with an artifact of more than 200 kB."""
    with Client(server.address) as client:
        return client.encode(draw_clip(frames=24, width=320, height=240), fps=8, outputs="mkv").job_id


def artifact_on_disk(server: EmbeddedServer, job_id: str) -> Path:
    (found,) = server.data_dir.glob(f"artifacts/*_{job_id}/mkv.mkv")
    return found


def checked(found: Artifact, target: Path) -> int:
    assert found.local_path == target
    assert found.sha256 == sha256_file(target)
    return found.size_bytes


def test_an_artifact_does_not_travel_through_the_connection(
    watched: TcpProxy, job_id: str, tmp_path: Path
) -> None:
    with Client(watched.address) as client:
        size_bytes = checked(client.download(job_id, "mkv.mkv", tmp_path / "a.mkv"), tmp_path / "a.mkv")
    assert watched.returned_bytes < size_bytes / 10


async def test_nor_does_that_of_the_asyncio_client(watched: TcpProxy, job_id: str, tmp_path: Path) -> None:
    async with AsyncClient(watched.address) as client:
        found = await client.download(job_id, "mkv.mkv", tmp_path / "a.mkv")
    assert watched.returned_bytes < checked(found, tmp_path / "a.mkv") / 10


def test_a_broken_copy_is_gone_on_with(watched: TcpProxy, job_id: str, tmp_path: Path) -> None:
    with Client(watched.address) as client:
        whole = client.read(job_id, "mkv.mkv")
        (tmp_path / "a.mkv.part").write_bytes(whole[:1000])
        checked(client.download(job_id, "mkv.mkv", tmp_path / "a.mkv"), tmp_path / "a.mkv")
    assert (tmp_path / "a.mkv").read_bytes() == whole


def test_a_client_that_shares_nothing_has_it_sent(watched: TcpProxy, job_id: str, tmp_path: Path) -> None:
    with Client(watched.address, shares_memory=False) as client:
        found = client.download(job_id, "mkv.mkv", tmp_path / "a.mkv")
    size_bytes = checked(found, tmp_path / "a.mkv")
    eventually(lambda: watched.returned_bytes > size_bytes)


@pytest.mark.parametrize("is_out_of_reach", [True, False])
def test_what_is_not_found_there_is_sent(
    watched: TcpProxy,
    job_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_out_of_reach: bool,
) -> None:
    # As in a container, where the same path leads nowhere, or to another file of that size.
    def elsewhere(_: str, offset: int, size_bytes: int) -> Iterator[memoryview]:
        other = b"" if is_out_of_reach else bytes(size_bytes)
        return iter([memoryview(other)[offset:]])

    monkeypatch.setattr("telecine.results.download.pieces_of", elsewhere)
    with Client(watched.address) as client:
        found = client.download(job_id, "mkv.mkv", tmp_path / "a.mkv")
    size_bytes = checked(found, tmp_path / "a.mkv")
    eventually(lambda: watched.returned_bytes > size_bytes)


def test_a_server_that_reports_no_paths_sends(job_id: str, server: EmbeddedServer, tmp_path: Path) -> None:
    settings = {"workers": "1", "tells_job_directory": "false"}
    with EmbeddedServer(settings=settings) as discreet, Client(discreet.address) as client:
        result = client.encode(draw_clip(frames=4), fps=8, outputs="mkv", to=tmp_path)
        assert checked(result["mkv"], tmp_path / "mkv.mkv")


def test_a_damaged_file_is_not_taken_for_the_artifact(server: EmbeddedServer, tmp_path: Path) -> None:
    with Client(server.address) as client:
        result = client.encode(draw_clip(frames=4), fps=8, outputs="mkv")
        on_disk = artifact_on_disk(server, result.job_id)
        on_disk.write_bytes(bytes(on_disk.stat().st_size))
        # The copy is not taken; the server, asked to send it then, sees the damage as well.
        with pytest.raises(errors.JobDamagedError):
            client.download(result.job_id, "mkv.mkv", tmp_path / "a.mkv")
    assert not (tmp_path / "a.mkv").exists()
