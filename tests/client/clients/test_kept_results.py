"""What is made without `to` is not lost with an embedded server, and stays where it is on any other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from telecine import AsyncClient, Client
from telecine.clients.embedded import EmbeddedServer
from telecine.testing import draw_clip

CLIP = draw_clip(4)


@pytest.fixture(autouse=True)
def _in_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_embedded_servers_artifacts_are_kept_whichever_call_ends_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def encode() -> Path | None:
        async with AsyncClient() as client:
            return (await client.encode(CLIP, fps=4)).artifacts[0].local_path

    with Client() as client:
        found = [client.encode(CLIP, fps=4, job_id="one").artifacts[0].local_path, asyncio.run(encode())]
        job = client.open_job(fps=4)
        job.push(CLIP)
        found.append(job.result().artifacts[0].local_path)
        elsewhere = client.encode(CLIP, fps=4, to="mine").artifacts[0].local_path
        (tmp_path / "telecine-output").rename(tmp_path / "kept")
        (tmp_path / "telecine-output").write_text("in the way")
        unkept = client.encode(CLIP, fps=4)
    assert found[0] == Path("telecine-output", "one", "mp4.mp4")
    assert len({path for path in found if path}) == 3
    assert sorted(path.name for path in (tmp_path / "kept" / "one").iterdir()) == ["manifest.json", "mp4.mp4"]
    assert elsewhere == Path("mine", "mp4.mp4")
    assert unkept.artifacts[0].local_path is None


def test_on_a_server_of_its_own_they_stay_there(tmp_path: Path, encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client:
        result = client.encode(CLIP, fps=4)
        assert result.artifacts[0].local_path is None
        assert client.read(result.job_id, result.artifacts[0].path)
    assert list(tmp_path.iterdir()) == []
