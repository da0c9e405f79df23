"""Every client shows its token, and goes on with the next one when a service no longer takes the first."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import msgspec
import numpy as np
import pytest
from telecine import AsyncClient, Client, LogClient, LogFilter, Tls, exceptions
from telecine.cli.app import run
from telecine.cli.token_options import chosen_token_file
from telecine.encoder.v1 import encoder_pb2, encoder_pb2_grpc
from telecine.logging import LogConfigError, configure_logging, shutdown_logging

from service_host.auth.key_file import changing, new_key
from service_host.auth.scopes import Scope
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually, eventually_async
from tests.log_collector.collector_process import CollectorProcess

FRAMES = np.zeros((3, 16, 16, 3), np.uint8)
NOW = datetime.datetime.now(datetime.UTC)
WORKER = (Scope.ENCODE, Scope.READ, Scope.LOGS_WRITE, Scope.LOGS_READ)
LOGS = """
import sys, telecine.logging as logging
log = logging.configure_logging("shipping", has_files=False, console="off", spool_directory=sys.argv[1])
for number in range(40):
    log.info("polled", n=number)
    if number % 10 == 0:
        print(number, flush=True)
        sys.stdin.readline()
assert logging.flush_logging(20)
"""


class Place(NamedTuple):
    """Two services that ask for keys of one file."""

    folder: Path
    encoder: str
    collector: str

    @property
    def keys_file(self) -> Path:
        return self.folder / "keys.json"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def renew(self, *scopes: Scope, tenant: str = "default") -> None:
        """Revokes all keys, and puts a new one into the token file."""
        with changing(self.keys_file) as keys:
            keys[:] = [msgspec.structs.replace(key, revoked_at=NOW) for key in keys]
            key, stored = new_key("worker", tenant, scopes or WORKER, created_at=NOW)
            keys.append(stored)
        fresh = self.token_file.with_suffix(".new")
        fresh.write_text(key + "\n")
        fresh.replace(self.token_file)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("keys")
    place = Place(folder, "", "")
    place.renew()
    settings = {"host.auth.keys_file": str(place.keys_file)}
    collector = CollectorProcess(folder / "collector", settings).start()
    encoder = ServerProcess(folder / "encoder", settings | {"workers": "1"})
    encoder.start({"TELECINE_LOG_COLLECTOR": collector.address, "TELECINE_TOKEN_FILE": str(place.token_file)})
    yield place._replace(encoder=encoder.address, collector=collector.address)
    encoder.stop()
    collector.stop()


@pytest.fixture
def place(services: Place) -> Place:
    services.renew()
    return services


def test_without_a_token_and_with_a_wrong_one_nobody_comes_in(place: Place) -> None:
    with Client(place.encoder) as client, pytest.raises(exceptions.CredentialsMissingError) as caught:
        list(client.jobs())
    assert "asks who calls" in str(caught.value)
    wrong = f"tlc_{'a' * 12}_{'b' * 43}"
    with (
        Client(place.encoder, token=wrong) as client,
        pytest.raises(exceptions.CredentialsRefusedError) as caught,
    ):
        client.encode(FRAMES, fps=4)
    assert "b" * 8 not in str(caught.value)
    with LogClient(place.collector, token=wrong) as logs, pytest.raises(exceptions.CredentialsRefusedError):
        logs.stats()


def test_every_client_passes_by_the_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_TOKEN_FILE", str(place.token_file))
    with Client(place.encoder) as client:
        assert client.encode(FRAMES, fps=4, job_id="by-environment").artifacts

    async def encode() -> None:
        async with AsyncClient(place.encoder) as client:
            assert (await client.encode(FRAMES, fps=4)).artifacts

    asyncio.run(encode())
    wanted = LogFilter(ids={"job_id": "by-environment"})
    with LogClient(place.collector) as logs:
        eventually(lambda: list(logs.query(wanted)), says="the encoder ships its own log")
    assert run(["jobs", "list", "--server", place.encoder]) == 0


def test_the_command_line_takes_the_file(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = ["jobs", "list", "--server", place.encoder]
    for command in (jobs, ["logs", "stats", "--server", place.collector]):
        assert run([*command, "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "CREDENTIALS_MISSING"
        assert run([*command, "--token-file", str(place.token_file)]) == 0
        capsys.readouterr()
        assert run([*command, "--token-file", "/nonexistent"]) == 2
        assert "cannot be read" in capsys.readouterr().err.replace("\n", " ")
        assert chosen_token_file() is None, "it held for that command line alone"


def test_a_missing_scope_is_named(place: Place) -> None:
    place.renew(Scope.READ)
    with Client(place.encoder, token_file=place.token_file) as client:
        list(client.jobs())
        with pytest.raises(exceptions.NotPermittedError) as caught:
            client.encode(FRAMES, fps=4)
    assert caught.value.metadata["scope"] == "encode"
    assert "lacks the scope encode" in str(caught.value)


def pictures_below(folder: Path) -> int:
    """None is lost, none is there twice."""
    with zipfile.ZipFile(next(folder.glob("**/*.zip"))) as pictures:
        return len([name for name in pictures.namelist() if name.endswith(".png")])


SPEC = {"fps": 4, "outputs": "png", "width": 16, "height": 16, "pixel_format": "rgb24"}


def test_an_upload_goes_on_under_the_next_key(place: Place, tmp_path: Path) -> None:
    with Client(place.encoder, token_file=place.token_file, shares_memory=False) as client:
        job = client.open_job(**SPEC)
        for number in range(40):
            job.push(np.full((16, 16, 3), number, np.uint8))
            if number in (15, 30):
                before = job._upload.connection
                place.renew()
                eventually(lambda before=before: job._upload.connection > before, says="the stream has ended")
        job.finish()
        job.result(to=tmp_path)
    assert pictures_below(tmp_path) == 40


async def test_an_asyncio_upload_goes_on_too(place: Place, tmp_path: Path) -> None:
    async with AsyncClient(place.encoder, token_file=place.token_file, shares_memory=False) as client:
        job = client.open_job(**SPEC)
        for number in range(30):
            await job.push(np.full((16, 16, 3), number, np.uint8))
            if number == 15:
                before = job._upload.connection
                place.renew()
                await eventually_async(lambda before=before: job._upload.connection > before)
        await job.finish()
        await job.result(to=tmp_path)
    assert pictures_below(tmp_path) == 30


def test_a_key_that_was_given_as_it_is_ends_the_upload_at_once(place: Place) -> None:
    with Client(place.encoder, token=place.token_file.read_text().strip(), shares_memory=False) as client:
        job = client.open_job(**SPEC)
        frame = np.zeros((16, 16, 3), np.uint8)
        job.push(frame)
        place.renew()
        with pytest.raises(exceptions.CredentialsExpiredError):
            eventually(lambda: job.push(frame))


def test_records_are_shipped_on_under_the_next_key(place: Place, tmp_path: Path) -> None:
    environ = os.environ | {
        "TELECINE_LOG_COLLECTOR": place.collector,
        "TELECINE_TOKEN_FILE": str(place.token_file),
    }
    command = [sys.executable, "-c", LOGS, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environ, text=True) as worker:
        for number in (0, 10, 20, 30):
            assert worker.stdout.readline().strip() == str(number)
            if number == 20:
                place.renew()
            print(file=worker.stdin, flush=True)
        assert worker.wait(60) == 0
    with LogClient(place.collector, token_file=place.token_file) as logs:
        records = [json.loads(line) for line in logs.query(LogFilter(services=["shipping"]))]
    assert sorted(record["n"] for record in records if "n" in record) == list(range(40))


def test_the_audit_trail_stands_in_a_file_and_at_the_collector(place: Place) -> None:
    key = place.token_file.read_text().strip()
    with Client(place.encoder, token_file=place.token_file) as client, Client(place.encoder) as unknown:
        list(client.jobs())
        with pytest.raises(exceptions.CredentialsMissingError):
            list(unknown.jobs())
    for folder in ("encoder/logs", "collector/own-logs"):
        text = (place.folder / folder / "audit.log").read_text()
        assert key[17:] not in text
        records = [json.loads(line) for line in text.splitlines()]
        assert {record["event"] for record in records} >= {"access_refused", "credential_used"}
        assert all(record["peer"] and record["rpc"] for record in records)
        if folder == "encoder/logs":
            used = next(r for r in records if r.get("credential_id") == key[4:16])
            assert (used["subject"], used["tenant"], used["credential"]) == ("worker", "default", "key")
    assert oct((place.folder / "encoder/logs/audit.log").stat().st_mode & 0o077) == "0o0"
    with LogClient(place.collector, token_file=place.token_file) as logs:
        eventually(lambda: b"access_refused" in b"".join(logs.query(LogFilter(services=["encoder"]))))


def test_an_administrators_look_at_a_preview_is_recorded_once(place: Place) -> None:
    """Of a job of another tenant, in which the administrator is nobody: their rate is their own."""
    place.renew(tenant="acme")
    with changing(place.keys_file) as keys:
        token, stored = new_key("boss", "default", (Scope.READ, Scope.ADMIN), created_at=NOW)
        keys.append(stored)
    metadata = (("authorization", f"Bearer {token}"), ("telecine-tenant", "acme"))
    with (
        Client(place.encoder, token_file=place.token_file) as client,
        client.open_job(fps=4, outputs=["mp4"], job_id="watched") as job,
        grpc.insecure_channel(place.encoder) as channel,
    ):
        job.push(FRAMES)
        eventually(lambda: any(info.persisted_bytes for info in client.jobs()))
        request = encoder_pb2.GetPreviewRequest(job_id="watched")
        stub = encoder_pb2_grpc.EncoderServiceStub(channel)
        assert stub.GetPreview(request, metadata=metadata, timeout=20).image
    audit = (place.folder / "encoder/logs/audit.log").read_text()
    read = [json.loads(line) for line in audit.splitlines() if "foreign_read" in line]
    assert [(one["subject"], one["rpc"].rpartition("/")[2]) for one in read] == [("boss", "GetPreview")]


@pytest.mark.parametrize("address", ["encoder.example:50051", "10.1.2.3:50051", "dns:///encoder:50051"])
def test_no_token_travels_over_a_network_in_the_clear(address: str) -> None:
    with pytest.raises(exceptions.InvalidRequestError, match="in the clear"):
        Client(address, token="secret-token")
    with pytest.raises(exceptions.InvalidRequestError, match="in the clear"):
        LogClient(address, token="secret-token")
    Client(address, token="secret-token", tls=Tls(insecure=True)).close()
    for own in ("localhost:1", "127.0.0.1:1", "[::1]:1", "unix:/tmp/none"):
        Client(own, token="secret-token").close()


def test_a_file_merely_found_gets_no_token_for_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "telecine.toml").write_text('[sdk]\nserver = "127.0.0.1:1"\n')
    monkeypatch.chdir(tmp_path)
    Client().close()
    monkeypatch.setenv("TELECINE_TOKEN", "secret-token")
    with pytest.raises(exceptions.InvalidRequestError, match="merely found") as caught:
        Client()
    assert "secret-token" not in str(caught.value)
    Client("127.0.0.1:1").close()
    monkeypatch.setenv("TELECINE_CONFIG", str(tmp_path / "telecine.toml"))
    Client().close()


def test_a_file_merely_found_gets_no_token_for_its_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "telecine.toml").write_text('[logging]\ncollector = "127.0.0.1:1"\nflush_seconds = 0\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELECINE_TOKEN", "secret-token")
    with pytest.raises(LogConfigError, match="merely found") as caught:
        configure_logging("worker")
    assert "secret-token" not in str(caught.value)
    for name, value in (
        ("TELECINE_LOG_COLLECTOR", "127.0.0.1:1"),
        ("TELECINE_CONFIG", str(tmp_path / "telecine.toml")),
    ):
        with monkeypatch.context() as named:
            named.setenv(name, value)
            configure_logging("worker")
            shutdown_logging()


def test_a_token_that_is_none_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("one two")
    given = [
        {"token": "with space"},
        {"token": "line\nbreak"},
        {"token": ""},
        {"token": b"bytes-token"},
        {"token": "both", "token_file": tmp_path / "empty"},
        {"token_file": tmp_path / "empty"},
        {"token_file": tmp_path / "two"},
        {"token_file": tmp_path / "missing"},
        {"token_file": "eyJhbGciOi.by-mistake"},
    ]
    for arguments in given:
        with pytest.raises(exceptions.InvalidRequestError) as caught:
            Client("127.0.0.1:1", **arguments)
        for secret in ("with space", "break", "bytes-token", "both", "one two", "by-mistake"):
            assert secret not in str(caught.value)
