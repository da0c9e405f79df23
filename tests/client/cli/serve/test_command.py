"""Commands about a server: jobs, capabilities, doctor, serve."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from telecine import Client
from telecine.clients.embedded import EmbeddedServer

from tests.client.cli.terminal_command import telecine


@pytest.fixture(scope="module")
def job_id(encoder: EmbeddedServer) -> str:
    with Client(encoder.address) as client:
        frames = np.zeros((4, 32, 48, 3), np.uint8)
        return client.encode(frames, fps=8, outputs=["mp4"], job_id="cli-job").job_id


def test_jobs_are_listed_shown_and_downloaded(job_id: str, encoder: EmbeddedServer, tmp_path: Path) -> None:
    listed = telecine(
        "jobs", "list", "--state", "succeeded", "--prefix", "cli-j", "--json", server=encoder.address
    )
    assert [job["job_id"] for job in listed.document["jobs"]] == [job_id]
    shown = telecine("jobs", "show", job_id, "--json", server=encoder.address)
    assert shown.document == listed.document["jobs"][0]
    loaded = telecine("jobs", "download", job_id, "-d", tmp_path, "--json", server=encoder.address)
    assert loaded.exit_code == 0, loaded.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "mp4.mp4"]
    assert loaded.document["artifacts"][0]["local_path"] == str(tmp_path / "mp4.mp4")


def test_a_job_is_watched_to_its_end(job_id: str, encoder: EmbeddedServer) -> None:
    watched = telecine("jobs", "watch", job_id, "--json", server=encoder.address)
    assert watched.exit_code == 0
    assert json.loads(watched.out.splitlines()[-1])["state"] == "succeeded"
    assert "succeeded" in telecine("jobs", "watch", job_id, server=encoder.address).out
    assert telecine("jobs", "watch", "nobody", server=encoder.address).exit_code == 4


def test_for_people_there_are_tables(job_id: str, encoder: EmbeddedServer) -> None:
    assert job_id in telecine("jobs", "list", server=encoder.address).out
    shown = telecine("jobs", "show", job_id, server=encoder.address).out
    assert "succeeded" in shown
    assert "libx264" in shown


def test_a_job_is_cancelled_and_deleted(encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client:
        job = client.open_job(fps=8, job_id="cli-cancel", width=32, height=32, pixel_format="rgb24")
        job.push(bytes(32 * 32 * 3))
        not_ended = telecine("jobs", "delete", "cli-cancel", "--json", server=encoder.address)
        assert not_ended.exit_code == 4
        assert not_ended.document["error"]["code"] == "WRONG_STATE"
        cancelled = telecine("jobs", "cancel", "cli-cancel", "--json", server=encoder.address)
        assert cancelled.document["state"] == "cancelled"
        job.close()
    assert telecine("jobs", "delete", "cli-cancel", server=encoder.address).exit_code == 0
    gone = telecine("jobs", "show", "cli-cancel", "--json", server=encoder.address)
    assert gone.exit_code == 4
    assert gone.document["error"]["code"] == "JOB_NOT_FOUND"


def test_a_state_that_does_not_exist_is_wrong_usage(encoder: EmbeddedServer) -> None:
    ran = telecine("jobs", "list", "--state", "happy", server=encoder.address)
    assert ran.exit_code == 2
    assert "partially_succeeded" in ran.err


def test_capabilities_report_what_works_and_why_the_rest_does_not(encoder: EmbeddedServer) -> None:
    ran = telecine("capabilities", "--json", server=encoder.address)
    formats = {item["format"]: item for item in ran.document["formats"]}
    assert formats["mp4"]["is_available"]
    for item in formats.values():
        for entry in item["encoders"]:
            assert entry["is_available"] or entry["reason"], entry
    text = telecine("capabilities", server=encoder.address).out
    assert "libx264" in text


def test_the_doctor_finds_a_healthy_server_and_misses_one_that_is_not_there(
    encoder: EmbeddedServer, tmp_path: Path
) -> None:
    healthy = telecine("doctor", "--data-dir", tmp_path, "--json", server=encoder.address)
    assert healthy.exit_code == 0, healthy.out
    names = {check["name"] for check in healthy.document["checks"]}
    assert {"python", "telecine", "malloc", "processors", "data directory", "formats"} <= names
    ill = telecine("doctor", "--data-dir", tmp_path, "--server", "127.0.0.1:9")
    assert ill.exit_code == 1
    assert "server 127.0.0.1:9" in ill.out
    assert "1 problem found" in ill.out


def test_serve_says_where_it_listens_and_drains_on_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "telecine.cli", "serve", "encoder", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path), "--set", "workers=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        assert ready["event"] == "listening"
        assert telecine("jobs", "list", "--server", ready["address"]).out == "no jobs\n"
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


@pytest.mark.parametrize("setting", ["workers=many", "no_such_key=1"])
def test_a_wrong_configuration_is_said_before_the_port_opens(tmp_path: Path, setting: str) -> None:
    ran = telecine("serve", "encoder", "--data-dir", tmp_path / "data", "--set", setting)
    assert ran.exit_code == 2
    assert setting.partition("=")[0] in ran.err
    assert not (tmp_path / "data").exists()
    assert telecine("serve", "encoder", "--set", setting, "--check-config").exit_code == 2


def test_a_port_that_is_taken_is_exit_code_3(encoder: EmbeddedServer, tmp_path: Path) -> None:
    ran = telecine("serve", "encoder", "--data-dir", tmp_path, "--listen", encoder.address)
    assert ran.exit_code == 3
    assert encoder.address in ran.err
