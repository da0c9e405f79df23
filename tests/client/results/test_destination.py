"""A file is a file: what is named clip.mp4 becomes that file, with its manifest beside it, or nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import telecine
from telecine import exceptions
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.results.destination import beside, destination_of, outputs_for

from encoder_service.worker.verification.verify import verify

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 32, 48, 3), dtype=np.uint8)
_KILLED = """
import os, signal, sys
import numpy as np
import telecine
name, target, server = sys.argv[1:]
def hook(event, arguments):
    if event == "os.rename" and os.path.basename(os.fspath(arguments[1])) == name:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
telecine.encode(np.zeros((3, 32, 48, 3), np.uint8), fps=8, to=target, server=server)
"""


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_and_its_manifest_are_all_that_is_written(encoder: EmbeddedServer, tmp_path: Path) -> None:
    to = tmp_path / "deep" / "a fox.WebM"
    result = telecine.encode(FRAMES, fps=8, to=to, server=encoder.address)
    assert result["webm"].local_path == to
    assert _names(to.parent) == ["a fox.WebM", "a fox.WebM.manifest.json"]
    assert verify(to).findings == verify(beside(to)).findings == verify(to.parent).findings == ()
    assert verify(to).files_checked == verify(to.parent).files_checked == 1
    to.write_bytes(to.read_bytes()[:-1] + b"x")
    assert not verify(to).is_sound


async def test_every_way_to_wait_for_a_job_takes_a_file(encoder: EmbeddedServer, tmp_path: Path) -> None:
    with Client(encoder.address) as client:
        made = client.encode(FRAMES, fps=8, to=str(tmp_path / "one.mp4"))
        assert json.loads(made.manifest_json)["outputs"][0]["files"][0]["path"] == "one.mp4"
        client.wait(made.job_id, tmp_path / "two.mp4")
        with client.open_job(fps=8, outputs="gif") as job:
            job.push(FRAMES)
            job.result(tmp_path / "three.gif")
    async with AsyncClient(encoder.address) as client_a:
        again = await client_a.encode(FRAMES, fps=8, to=tmp_path / "four.png")
        await client_a.wait(again.job_id, tmp_path / "five.png")
        async with client_a.open_job(fps=8, outputs="webp") as job_a:
            await job_a.push(FRAMES)
            await job_a.result(tmp_path / "six.webp")
    assert (again["apng"].path, len(_names(tmp_path))) == ("four.png", 12)
    for name in ("one.mp4", "two.mp4", "three.gif", "four.png", "five.png", "six.webp"):
        assert verify(tmp_path / name).findings == ()


def test_a_directory_stays_a_directory(encoder: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").mkdir()
    for to in (tmp_path / "clip.mp4", f"{tmp_path}/new.mp4/", tmp_path / "v1.0"):
        made = telecine.encode(FRAMES, fps=8, to=to, server=encoder.address)
        assert made["mp4"].local_path == Path(to) / "mp4.mp4"
        assert _names(Path(to)) == ["manifest.json", "mp4.mp4"]


def test_what_cannot_be_one_file_is_refused_before_a_frame_is_read(
    encoder: EmbeddedServer, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "taken").touch()
    (tmp_path / "odd.mp4.manifest.json").mkdir()
    refused = {
        "clip.mp4": (["mp4", "webm"], exceptions.InvalidRequestError, "there are 2 outputs"),
        "clip.webm": ("mp4", exceptions.InvalidRequestError, r"ends with \.mp4 or \.m4v"),
        "clip.png": ("png", exceptions.InvalidRequestError, r"ends with \.zip"),
        "clip.json": (None, exceptions.InvalidRequestError, "not the name of a file"),
        "pipe.mp4": (None, exceptions.TargetError, "no regular file"),
        "odd.mp4": (None, exceptions.TargetError, "no regular file"),
        "taken/clip.mp4": (None, exceptions.TargetError, "cannot be used"),
        "x" * 240 + ".mp4": (None, exceptions.TargetError, "too long"),
        "/proc/clip.mp4": (None, exceptions.TargetError, "cannot be used"),
    }
    before = _names(tmp_path)
    with Client(encoder.address) as client:
        for name, (outputs, kind, words) in refused.items():
            with pytest.raises(kind, match=words) as caught:
                client.encode(iter([]), fps=8, outputs=outputs, to=tmp_path / name)  # type: ignore[arg-type]
            assert caught.value.faults[0].field == "to"
        both = client.encode(FRAMES, fps=8, outputs=["mp4", "gif"])
        with pytest.raises(exceptions.InvalidRequestError, match="there are 2 outputs"):
            client.wait(both.job_id, tmp_path / "clip.mp4")
        one = client.encode(FRAMES, fps=8)
        with pytest.raises(exceptions.InvalidRequestError, match=r"ends with \.mp4"):
            client.wait(one.job_id, tmp_path / "clip.webm")
        with client.open_job(fps=8, outputs=["mp4", "gif"]) as job:
            job.push(FRAMES)
            with pytest.raises(exceptions.InvalidRequestError, match="there are 2 outputs"):
                job.result(tmp_path / "clip.mp4")
    assert _names(tmp_path) == before


def test_a_link_is_replaced_and_never_followed(encoder: EmbeddedServer, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "clip.mp4").symlink_to(victim)
    telecine.encode(FRAMES, fps=8, to=tmp_path / "clip.mp4", server=encoder.address)
    assert victim.read_bytes() == b"mine"
    assert verify(tmp_path / "clip.mp4").is_sound
    assert not (tmp_path / "clip.mp4").is_symlink()


@pytest.mark.parametrize("at", ["clip.mp4", "clip.mp4.manifest.json"])
def test_a_kill_leaves_no_half_file_and_no_manifest_of_another(
    at: str, encoder: EmbeddedServer, tmp_path: Path
) -> None:
    to = tmp_path / "clip.mp4"
    telecine.encode(FRAMES, fps=8, to=to, server=encoder.address)
    old = to.read_bytes()
    command = [sys.executable, "-c", _KILLED, at, str(to), encoder.address]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (to.read_bytes() == old) == (at == "clip.mp4")
    assert not beside(to).exists()
    telecine.encode(FRAMES, fps=8, to=to, server=encoder.address)
    assert verify(to).is_sound


def test_names_that_services_do_not_take_stay_on_the_disk_alone(tmp_path: Path) -> None:
    def named(name: str) -> str:
        return outputs_for(destination_of(tmp_path / name), None)[0].file_name

    assert named("fox.mp4") == "fox"
    assert named("Füchse.mp4") == named(".hidden.mp4") == named("a b.mp4") == named("f" * 65 + ".mp4") == ""
    kept = telecine.Output("mp4", file_name="own")
    assert outputs_for(destination_of(tmp_path / "fox.mp4"), kept)[0].file_name == "own"
