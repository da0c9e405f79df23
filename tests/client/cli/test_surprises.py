"""What is wrong outside of the command line's own words is said before any work, and with the way out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from telecine import Client
from telecine.clients.embedded import EmbeddedServer

from tests.client.cli.terminal_command import telecine
from tests.eventually import eventually


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.npy"
    np.save(path, np.zeros((2, 16, 16, 3), np.uint8))
    return path


def test_a_place_for_artifacts_that_cannot_be_one_is_said_before_frames_are_sent(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    ran = telecine("encode", clip, "--fps", "4", "-d", clip / "below", server=encoder.address)
    assert ran.exit_code == 2
    said = ran.err.replace("\n", "")
    assert f"--out-dir is '{clip / 'below'}', which cannot be used: Not a directory" in said
    assert "handed off" not in ran.err


def test_a_wrong_setting_of_the_embedded_service_is_not_cured_by_installing(
    clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "telecine.toml").write_text("[encoder]\nspool_reserve_bytes = 5\n")
    ran = telecine("encode", clip, "--fps", "4", "--json", cwd=tmp_path)
    error = ran.document["error"]
    assert ran.exit_code == 3
    assert "spool_reserve_bytes: is gone" in error["message"]
    assert "config show encoder" in error["advice"]
    assert "pip install" not in error["advice"]


def test_a_configured_server_that_does_not_answer_is_said_at_once(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "telecine.toml").write_text('[sdk]\nserver = "127.0.0.1:1"\n')
    ran = telecine("encode", clip, "--fps", "4", "--json", cwd=tmp_path)
    assert ran.exit_code == 3
    assert ran.document["error"]["is_retryable"]


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_ctrl_c_is_answered_in_words(encoder: EmbeddedServer, extra: list[str]) -> None:
    command = [
        sys.executable, "-m", "telecine.cli", "encode", "-", "--size", "16x16", "--pix-fmt", "rgb24",
        "--fps", "8", "--server", encoder.address, *extra,
    ]  # fmt: skip
    before = _receiving(encoder)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ran:
        assert ran.stdin is not None
        os.write(ran.stdin.fileno(), bytes(16 * 16 * 3 * 2))
        if not extra:
            assert ran.stderr is not None
            ran.stderr.readline()  # the source was announced: it is at work
        else:
            eventually(lambda: _receiving(encoder) - before)
        ran.send_signal(signal.SIGINT)
        out, err = ran.communicate(timeout=20)
    assert ran.returncode == 130
    if extra:
        assert json.loads(out)["error"]["code"] == "INTERRUPTED"
    else:
        assert b"Error: interrupted" in err


def _receiving(encoder: EmbeddedServer) -> set[str]:
    with Client(encoder.address) as client:
        return {job.job_id for job in client.jobs() if job.state == "receiving"}
