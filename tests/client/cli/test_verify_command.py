"""`telecine verify` says 0 for what stands as it was made, and 1 with each finding for what does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from telecine import Client
from telecine.cli.app import run
from telecine.clients.embedded import EmbeddedServer

from tests.client.cli.terminal_command import telecine


@pytest.fixture
def made(encoder: EmbeddedServer, tmp_path: Path) -> Path:
    with Client(encoder.address) as client:
        client.encode(
            np.zeros((4, 32, 48, 3), np.uint8), fps=8, outputs=["mp4", "webp"], to=tmp_path / "made"
        )
    return tmp_path / "made"


def verify(capsys: pytest.CaptureFixture[str], *paths: Path) -> tuple[int, dict]:
    exit_code = run(["verify", *map(str, paths), "--json"])
    return exit_code, json.loads(capsys.readouterr().out)


def test_what_was_downloaded_is_sound(made: Path) -> None:
    ran = telecine("verify", made)
    assert ran.exit_code == 0, ran.out
    assert "sound: 2 files of 1 manifest" in ran.out


def test_each_kind_of_damage_is_a_finding(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / "webp.webp").unlink()
    content = bytearray((made / "mp4.mp4").read_bytes())
    content[-1] ^= 1
    (made / "mp4.mp4").write_bytes(content)
    exit_code, document = verify(capsys, made)
    assert exit_code == 1
    assert not document["is_sound"]
    codes = {(finding["code"], Path(finding["path"]).name) for finding in document["findings"]}
    assert {("HASH_DIFFERS", "mp4.mp4"), ("MISSING_FILE", "webp.webp")} <= codes


def test_one_artifact_is_checked_alone(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, document = verify(capsys, made / "mp4.mp4")
    assert (exit_code, document["files_checked"]) == (0, 1)


def test_a_path_that_does_not_exist_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, document = verify(capsys, tmp_path / "nowhere")
    assert exit_code == 2
    assert "nowhere" in document["error"]["message"]
