"""Every client reaches services that ask for certificates, by the same settings, also while these change."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from telecine import AsyncClient, Client, LogClient, LogFilter, Tls
from telecine.cli.app import run

from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.service_host.certificates import Authority

FRAMES = np.zeros((3, 16, 16, 3), np.uint8)
LOGS = """
import sys, telecine.logging as logging
log = logging.configure_logging("worker", has_files=False, console="off", spool_directory=sys.argv[1])
for number in range(int(sys.argv[2])):
    log.info("polled", n=number)
    if number % 20 == 0:
        print(number, flush=True)
        sys.stdin.readline()
assert logging.flush_logging(20)
"""


class Place(NamedTuple):
    """Two services that ask for certificates."""

    authority: Authority
    encoder: ServerProcess
    collector: CollectorProcess
    environ: dict[str, str]
    """What a client needs."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    server = authority.server(must_clients_prove=True)
    settings = {
        "host.tls.cert_file": str(server.cert_file),
        "host.tls.key_file": str(server.key_file),
        "host.tls.client_ca_file": str(server.client_ca_file),
    }
    cert_file, key_file = authority.issue("client", "worker-1")
    files = {"CA_FILE": authority.ca_file, "CERT_FILE": cert_file, "KEY_FILE": key_file}
    environ = {f"TELECINE_TLS_{name}": str(path) for name, path in files.items()}
    collector = CollectorProcess(folder / "collector", settings).start()
    encoder = ServerProcess(folder / "encoder", settings | {"workers": "1"})
    encoder.start(environ | {"TELECINE_LOG_COLLECTOR": collector.address})
    yield Place(authority, encoder, collector, environ)
    encoder.stop()
    collector.stop()


@pytest.fixture
def by_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in place.environ.items():
        monkeypatch.setenv(name, value)
    return place


def stored(place: Place, job_id: str = "", service: str = "") -> list[dict[str, object]]:
    wanted = LogFilter(ids={"job_id": job_id}) if job_id else LogFilter(services=[service])
    with LogClient(place.collector.address, tls=tls_of(place)) as client:
        return [json.loads(line) for line in client.query(wanted)]


def tls_of(place: Place) -> Tls:
    names = {name.removeprefix("TELECINE_TLS_").lower(): path for name, path in place.environ.items()}
    return Tls(**names)


def test_every_client_of_the_sdk_and_the_encoders_own_log_pass(by_environment: Place, tmp_path: Path) -> None:
    place = by_environment
    with Client(place.encoder.address) as client:
        result = client.encode(FRAMES, fps=8, outputs="png", to=tmp_path, job_id="blocking")
    assert result.artifacts

    async def encode() -> None:
        async with AsyncClient(place.encoder.address) as client:
            await client.encode(FRAMES, fps=8, outputs="png", job_id="asyncio")

    asyncio.run(encode())
    for job_id in ("blocking", "asyncio"):
        eventually(lambda job_id=job_id: "encode:complete" in [r.get("stage") for r in stored(place, job_id)])


@pytest.mark.parametrize("way", ["options", "environment", "file"])
def test_every_command_passes(
    place: Place, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    names = {name.removeprefix("TELECINE_TLS_").lower(): path for name, path in place.environ.items()}
    options: list[str] = []
    if way == "options":
        options = [f"--tls-{name.replace('_', '-')}={path}" for name, path in names.items()]
    elif way == "environment":
        for name, value in place.environ.items():
            monkeypatch.setenv(name, value)
    else:
        file = tmp_path / "telecine.toml"
        file.write_text("[tls]\n" + "".join(f'{name} = "{path}"\n' for name, path in names.items()))
        monkeypatch.setenv("TELECINE_CONFIG", str(file))
    lines = tmp_path / "old.jsonl"
    lines.write_text(json.dumps({"timestamp": "2026-11-21T03:51:14Z", "level": "INFO", "msg": way}) + "\n")
    for arguments, server in (
        (["jobs", "list"], place.encoder.address),
        (["logs", "query"], place.collector.address),
        (["logs", "stats"], place.collector.address),
        (["logs", "import", str(lines), "--service", "old"], place.collector.address),
    ):
        code = run([*arguments, "--server", server, *options])
        assert (code, capfd.readouterr().err) == (0, ""), arguments


def test_a_command_may_insist_on_a_plain_connection(by_environment: Place) -> None:
    assert run(["logs", "stats", "--tls-insecure", "--server", by_environment.collector.address]) == 3


def test_an_upload_goes_on_while_certificates_of_both_sides_are_replaced(
    place: Place, tmp_path: Path
) -> None:
    """Streams that stand stay; after the server was killed, both sides meet with new certificates."""
    frames = np.random.default_rng(7).integers(0, 256, (40, 32, 32, 3), np.uint8)
    with Client(place.encoder.address, tls=tls_of(place), shares_memory=False) as client:
        job = client.open_job(
            fps=8, outputs="png", width=32, height=32, pixel_format="rgb24", job_id="rotated"
        )
        for number, frame in enumerate(frames):
            job.push(frame)
            if number in (10, 25):
                place.authority.issue("client", "worker-1")
                place.authority.issue()
                list(client.jobs())  # over another connection, with the new certificate
            if number == 25:
                place.encoder.kill()
                place.encoder.start(place.environ, place.encoder.port)
        job.finish()
        result = job.result(to=tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob("**/*.zip"))) as pictures:
        names = [name for name in pictures.namelist() if name.endswith(".png")]
    assert len(names) == len(frames), "none is lost, none is there twice"
    assert result.job_id == "rotated"


def test_shipping_goes_on_while_certificates_are_replaced(by_environment: Place, tmp_path: Path) -> None:
    place, count = by_environment, 100
    command = [sys.executable, "-c", LOGS, str(tmp_path), str(count)]
    environ = {**os.environ, "TELECINE_LOG_COLLECTOR": place.collector.address}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        for line in program.stdout:
            if int(line) == 40:
                place.authority.issue("client", "worker-1")
                place.authority.issue()
                place.collector.kill()
                place.collector.start()
            program.stdin.write("\n")
            program.stdin.flush()
        assert program.wait() == 0
    numbers = sorted(int(str(r["n"])) for r in stored(place, service="worker") if "n" in r)
    assert numbers == list(range(count)), "each record once"
