"""TLS is served where it is configured; clients prove themselves where asked; certificates may change."""

from __future__ import annotations

import asyncio

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_host import healthcheck
from service_host.address import AddressError
from service_host.host import Host, running
from service_host.settings.host_config import HostConfig
from service_host.tls.config import TlsConfig
from tests.eventually import eventually
from tests.service_host.tiny_service import NAME, TinyService


@pytest.fixture
def authority():
    return trustme.CA()


def issue(authority, folder):
    """Writes a new certificate for localhost, aside and then renamed, as an operator would."""
    issued = authority.issue_cert("localhost")
    aside = folder / "aside"
    for name, blob in (("key.pem", issued.private_key_pem), ("cert.pem", issued.cert_chain_pems[0])):
        blob.write_to_path(str(aside))
        aside.replace(folder / name)
    return issued


def tls(authority, folder, *, must_clients_prove=False):
    issue(authority, folder)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    ca_file = folder / "ca.pem" if must_clients_prove else None
    return TlsConfig(folder / "cert.pem", folder / "key.pem", ca_file)


def hosted(tls_config):
    config = HostConfig(listen="localhost:0", tls=tls_config, stop_grace_seconds=0)
    return running(Host(TinyService(), config))


async def check(address, credentials):
    async with grpc.aio.secure_channel(address, credentials) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        return answer.status == health_pb2.HealthCheckResponse.SERVING


def trusting(authority, client=None):
    if client is None:
        return grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    return grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
    )


async def test_a_client_that_trusts_the_authority_is_served(authority, tmp_path):
    async with hosted(tls(authority, tmp_path)) as listening:
        assert await check(listening.address, trusting(authority))


async def test_a_plaintext_client_is_not_served(authority, tmp_path):
    async with (
        hosted(tls(authority, tmp_path)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)


async def test_a_client_must_show_a_certificate_where_asked(authority, tmp_path):
    async with hosted(tls(authority, tmp_path, must_clients_prove=True)) as listening:
        assert await check(listening.address, trusting(authority, authority.issue_cert("worker-1")))
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await check(listening.address, trusting(authority))


async def test_a_replaced_certificate_is_served_without_a_restart(authority, tmp_path):
    successor = trustme.CA()
    async with hosted(tls(authority, tmp_path)) as listening:
        assert await check(listening.address, trusting(authority))
        issue(successor, tmp_path)
        assert await check(listening.address, trusting(successor))


async def test_a_certificate_that_is_no_certificate_is_reported_at_start(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(AddressError, match="holds no PEM certificate"):
        async with hosted(TlsConfig(tmp_path / "cert.pem", tmp_path / "key.pem")):
            pass


async def test_the_container_probe_can_speak_tls(authority, tmp_path):
    async with hosted(tls(authority, tmp_path, must_clients_prove=False)) as listening:
        arguments = [listening.address, "--ca-file", str(tmp_path / "ca.pem")]
        assert await asyncio.to_thread(healthcheck.main, arguments) == 0


def container_settings(listening, tls_config, **others):
    """The environment of a container whose service listens there: on every address, as the images set it."""
    port = listening.address.rpartition(":")[2]
    files = {name: getattr(tls_config, name) for name in ("cert_file", "key_file", "client_ca_file")}
    settings = {"LISTEN": f"0.0.0.0:{port}", **others}
    settings |= {f"TLS__{name.upper()}": str(path) for name, path in files.items() if path is not None}
    return {f"TELECINE_ENCODER_HOST__{name}": value for name, value in settings.items()}


async def probe(environ, *arguments):
    return await asyncio.to_thread(healthcheck.main, ["--section", "encoder", *arguments], environ)


@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize("has_admin", [False, True])
async def test_the_container_probe_finds_the_service_by_its_settings(
    authority, tmp_path, is_tls, has_admin, capsys
):
    """Client certificates are asked for, and the probe has none to show."""
    tls_config = tls(authority, tmp_path, must_clients_prove=True) if is_tls else TlsConfig()
    admin = "127.0.0.1:0" if has_admin else ""
    config = HostConfig(
        listen="127.0.0.1:0",
        admin_listen=admin,
        tls=tls_config,
        stop_grace_seconds=0,
        admission_poll_seconds=0.01,
    )
    async with running(Host(TinyService(), config)) as listening:
        environ = container_settings(listening, tls_config, ADMIN_LISTEN=listening.admin)
        # What is not the host's is the service's own affair.
        environ |= {"TELECINE_ENCODER_WORKERS": "many", "TELECINE_ENCODER_WEBHOOKS__X": "1"}
        assert await probe(environ) == 0
        arguments = ["--section", "encoder", "--service", NAME]
        is_askable = has_admin or not is_tls
        if is_askable:
            await asyncio.to_thread(eventually, lambda: healthcheck.main(arguments, environ) == 0)
        else:
            assert await probe(environ, "--service", NAME) == 1
            assert "host.admin_listen" in capsys.readouterr().err
    assert await probe(environ) == 1
    assert "refused" in capsys.readouterr().err.lower()


async def test_the_container_probe_reads_the_services_file(authority, tmp_path):
    tls_config = tls(authority, tmp_path, must_clients_prove=True)
    async with hosted(tls_config) as listening:
        port = listening.address.rpartition(":")[2]
        file = tmp_path / "telecine.toml"
        file.write_text(
            f"[encoder]\nworkers = 1\n[encoder.host]\nlisten = '127.0.0.1:{port}'\n[encoder.host.tls]\n"
            f"cert_file = '{tls_config.cert_file}'\nkey_file = '{tls_config.key_file}'\n"
        )
        assert await probe({"TELECINE_CONFIG": str(file)}) == 0
        assert await probe({"TELECINE_CONFIG": str(tmp_path / "missing.toml")}) == 1


async def test_the_container_probe_may_show_a_certificate_of_its_own(authority, tmp_path, capsys):
    mine = authority.issue_cert("probe")
    mine.private_key_pem.write_to_path(str(tmp_path / "probe.key"))
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "probe.pem"))
    async with hosted(tls(authority, tmp_path, must_clients_prove=True)) as listening:
        address = f"127.0.0.1:{listening.address.rpartition(':')[2]}"
        trusting_it = [address, "--ca-file", str(tmp_path / "ca.pem"), "--server-name", "localhost"]
        shown = ["--cert-file", str(tmp_path / "probe.pem"), "--key-file", str(tmp_path / "probe.key")]
        assert await asyncio.to_thread(healthcheck.main, [*trusting_it, *shown]) == 0
        assert await asyncio.to_thread(healthcheck.main, trusting_it) == 1
        assert "UNAVAILABLE" in capsys.readouterr().err


async def test_the_container_probe_reports_a_service_that_answers_plainly_where_tls_is_set(
    authority, tmp_path, capsys
):
    tls_config = tls(authority, tmp_path)
    async with running(
        Host(TinyService(), HostConfig(listen="127.0.0.1:0", stop_grace_seconds=0))
    ) as listening:
        assert await probe(container_settings(listening, tls_config)) == 1
    assert listening.address in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--section", "encoder", "127.0.0.1:1"],
        ["127.0.0.1:1", "--key-file", "k"],
        ["127.0.0.1:1", "--server-name", "n"],
    ],
)
def test_the_container_probe_names_arguments_that_do_not_fit(arguments, capsys):
    with pytest.raises(SystemExit):
        healthcheck.main(arguments)
    assert "usage:" in capsys.readouterr().err


def test_the_container_probe_cannot_guess_a_port(capsys):
    assert healthcheck.main(["--section", "encoder"], {}) == 1
    assert "port 0" in capsys.readouterr().err


def _write(path, blob):
    path.write_bytes(blob if isinstance(blob, bytes) else blob.bytes())


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("key.pem", None, "does not belong to the certificate"),
        ("key.pem", b"", "key_file: "),
        ("key.pem", b"-----BEGIN PRIVATE KEY-----\nnope\n-----END PRIVATE KEY-----\n", "key_file: "),
        ("cert.pem", b"no pem", "cert_file: "),
        ("cert.pem", b"", "cert_file: "),
        ("ca.pem", b"no pem", "client_ca_file: "),
    ],
)
async def test_files_that_do_not_fit_are_one_clear_error_and_no_port_in_use(
    authority, tmp_path, name, text, expected
):
    config = tls(authority, tmp_path, must_clients_prove=True)
    _write(tmp_path / name, authority.issue_cert("localhost").private_key_pem if text is None else text)
    with pytest.raises(AddressError, match=expected) as raised:
        async with hosted(config):
            pass
    assert "in use" not in str(raised.value)


async def test_a_pair_that_does_not_fit_is_not_taken_while_serving(authority, tmp_path):
    async with hosted(tls(authority, tmp_path)) as opened:
        _write(tmp_path / "key.pem", authority.issue_cert("localhost").private_key_pem)
        assert await check(opened.address, trusting(authority))
