"""Ctrl-C ends a command at once, with its own exit code; a job that can be named can be resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from telecine import Client
from telecine.clients.embedded import EmbeddedServer

from tests.eventually import eventually


@pytest.mark.parametrize(("arguments", "state"), [(["--job-id", "cli-mine"], "receiving"), ([], "cancelled")])
def test_an_interrupted_upload_can_be_resumed_by_its_id_or_is_cancelled(
    encoder: EmbeddedServer, arguments: list[str], state: str
) -> None:
    command = [
        sys.executable, "-m", "telecine.cli", "encode", "-", "--size", "16x16", "--pix-fmt", "rgb24",
        "--fps", "8", "--server", encoder.address, *arguments,
    ]  # fmt: skip
    with Client(encoder.address) as client:
        before = {job.job_id for job in client.jobs()}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False) as ran:
            assert ran.stdin is not None
            assert ran.stderr is not None
            os.write(ran.stdin.fileno(), bytes(16 * 16 * 3 * 2))
            (job_id,) = eventually(lambda: {j.job_id for j in client.jobs() if j.persisted_bytes} - before)
            ran.send_signal(signal.SIGINT)
            assert ran.wait(20) == 130
            assert b"Traceback" not in ran.stderr.read()
        eventually(lambda: client.get_job(job_id).state == state)
        client.cancel_job(job_id)
