"""`telecine jobs` finds its server as other commands do, and says what it has done and what it has not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import telecine as sdk
from PIL import Image
from telecine.clients.embedded import EmbeddedServer

from tests.client.cli.terminal_command import Ran, telecine
from tests.eventually import eventually


@pytest.fixture
def job_id(encoder: EmbeddedServer, tmp_path: Path) -> str:
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    made = sdk.encode(frames, fps=4, outputs=["png"], server=encoder.address, to=tmp_path / "made")
    return made.job_id


def configured(directory: Path, server: str) -> Path:
    (directory / "telecine.toml").write_text(f'[sdk]\nserver = "{server}"\n')
    return directory


def test_the_configured_server_is_asked(encoder: EmbeddedServer, job_id: str, tmp_path: Path) -> None:
    ran = telecine("jobs", "list", "--json", cwd=configured(tmp_path, encoder.address))
    assert ran.exit_code == 0, ran.err
    assert job_id in [job["job_id"] for job in ran.document["jobs"]]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_named_server_goes_before_the_configured_one(
    encoder: EmbeddedServer, job_id: str, tmp_path: Path, how: str
) -> None:
    directory = configured(tmp_path, "127.0.0.1:1")
    if how == "option":
        ran = telecine("jobs", "show", job_id, "--json", "--server", encoder.address, cwd=directory)
    else:
        ran = telecine("jobs", "show", job_id, "--json", server=encoder.address, cwd=directory)
    assert ran.document["job_id"] == job_id


def test_the_advice_for_a_server_that_does_not_answer_names_no_argument_of_python() -> None:
    ran = telecine("jobs", "list", "--server", "127.0.0.1:1", "--json")
    assert ran.exit_code == 3
    assert "job_id" not in ran.document["error"]["advice"]


def test_cancelling_a_job_that_has_ended_says_that_nothing_was_changed(
    encoder: EmbeddedServer, job_id: str
) -> None:
    ran = telecine("jobs", "cancel", job_id, server=encoder.address)
    assert ran.exit_code == 0, ran.err
    assert "had ended before; nothing was changed" in ran.out


def test_a_download_says_the_directory(encoder: EmbeddedServer, job_id: str, tmp_path: Path) -> None:
    ran = telecine("jobs", "download", job_id, server=encoder.address, cwd=tmp_path)
    assert ran.exit_code == 0, ran.err
    assert f"in {tmp_path}" in ran.out.replace("\n", "")


def test_the_last_table_of_watch_has_what_was_read_back(encoder: EmbeddedServer, job_id: str) -> None:
    ran = telecine("jobs", "watch", job_id, server=encoder.address)
    assert ran.exit_code == 0, ran.err
    heading, line = ran.out.splitlines()[-2:]
    assert heading.split()[:3] == ["file", "bytes", "picture"]
    assert "16x16" in line
    assert "png" in line


def test_a_preview_of_an_upload_is_saved_and_of_an_ended_job_the_artifacts_are_named(
    encoder: EmbeddedServer, job_id: str, tmp_path: Path
) -> None:
    frames = np.full((3, 48, 96, 3), (200, 30, 30), np.uint8)
    with (
        sdk.Client(encoder.address) as client,
        client.open_job(fps=4, outputs="mp4") as job,
    ):
        job.push(frames)
        eventually(lambda: client.get_job(job.job_id).persisted_bytes == frames.nbytes)

        def preview(*arguments: str) -> Ran:
            return telecine("jobs", "preview", *arguments, server=encoder.address, cwd=tmp_path)

        assert preview(job.job_id, "-o", "now.jpg").exit_code == 0
        with Image.open(tmp_path / "now.jpg") as image:
            assert (image.format, image.size) == ("JPEG", (96, 48))
        small = preview(job.job_id, "--frame", "1", "--max-side", "64", "--json").document
        assert (small["frame"], small["width"], small["height"]) == (1, 64, 32)
        assert (tmp_path / small["path"]).read_bytes().startswith(b"RIFF")
        missing = preview(job.job_id, "--frame", "3")
        assert missing.exit_code == 4
        assert "frames 0 to 2 are there" in " ".join(missing.err.split())
        job.cancel()
    ended = preview(job_id)
    assert ended.exit_code == 4
    assert "see its artifacts" in " ".join(ended.err.split())
    assert preview(job_id, "-o", "now.png").exit_code == 2
    assert not (tmp_path / "now.png").exists()
