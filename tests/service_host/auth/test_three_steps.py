"""docs/security.md leads from loopback to OpenID Connect in three steps; each works as it stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from telecine.settings.loading import load_config

from encoder_service.config import EncoderConfig
from service_host.auth.exposure import exposure_fault
from service_host.host import Host, running
from tests.service_host.auth.issuer import Issuer
from tests.service_host.auth.test_certificates import Authority
from tests.service_host.tiny_service import NAME, TinyService

PAGE = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## From loopback .*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)[0]
STEPS = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def authority(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Authority()
    own = made.trusted.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path("server.key")
    own.cert_chain_pems[0].write_to_path("server.pem")
    made.trusted.cert_pem.write_to_path("ca.pem")
    return made


def host_of(step, issuer):
    """The settings of a step as a service reads them, with a free port and the issuer of the test."""
    text = STEPS[step].replace(":50051", ":0")
    text = re.sub(r'jwks_url = ".*"', f'jwks_url = "{issuer.url}"', text)
    Path("mine.toml").write_text(text)
    path = Path("mine.toml")
    loaded = load_config(EncoderConfig, prefix="TELECINE_ENCODER_", section="encoder", path=path, environ={})
    assert exposure_fault(loaded.value.host) == ""
    return loaded.value.host


async def whoami(address, credentials=None, token=None):
    address = address.replace("0.0.0.0", "127.0.0.1")
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    options = [("grpc.ssl_target_name_override", "localhost")]
    channel = (
        grpc.aio.secure_channel(address, credentials, options)
        if credentials
        else grpc.aio.insecure_channel(address)
    )
    async with channel:
        call = channel.unary_unary(f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString)
        try:
            return (await call(StringValue(value="whoami"), metadata=metadata, timeout=3)).value
        except grpc.aio.AioRpcError as error:
            return error.code().name


async def test_each_step_works_as_it_stands_on_the_page(authority, issuer):
    assert len(STEPS) == 3
    assert all(tomllib.loads(step) for step in STEPS)
    roots = authority.trusted.cert_pem.bytes()
    known = grpc.ssl_channel_credentials(roots, *authority.issue("w1.studio-a.example"))
    strange = grpc.ssl_channel_credentials(roots, *authority.issue("w1.studio-b.example"))
    nobody = grpc.ssl_channel_credentials(roots)
    async with running(Host(TinyService(), host_of(0, issuer))) as listening:
        assert await whoami(listening.address) == "local"
    async with running(Host(TinyService(), host_of(1, issuer))) as listening:
        assert await whoami(listening.address, known) == "w1.studio-a.example"
        assert await whoami(listening.address, strange) == "PERMISSION_DENIED"
        assert await whoami(listening.address, nobody) == "UNAVAILABLE"
        assert await whoami(listening.address) == "UNAVAILABLE"
    async with running(Host(TinyService(), host_of(2, issuer))) as listening:
        assert await whoami(listening.address, nobody, issuer.token()) == "ann"
        assert await whoami(listening.address, nobody) == "UNAUTHENTICATED"
        assert await whoami(listening.address, token=issuer.token()) == "UNAVAILABLE"
