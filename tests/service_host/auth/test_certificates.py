"""The names in a client certificate say who its holder is; TLS alone has checked that they are true."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import urllib.error
import urllib.request

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from google.protobuf.wrappers_pb2 import StringValue

from service_host.auth.scopes import Scope
from service_host.host import Host, running
from service_host.settings.auth_config import AuthConfig, CertificateGrant
from service_host.settings.host_config import HostConfig
from service_host.tls.config import TlsConfig
from tests.service_host.tiny_service import NAME, TinyService

GRANTS = (
    CertificateGrant("spiffe://studio.example/ns/gpu/*", "gpu", (Scope.READ,)),
    CertificateGrant("*.studio-a.example", "studio-a", (Scope.READ,)),
    CertificateGrant("ops.example", "ops", (Scope.ADMIN,)),
    CertificateGrant("writer.example", "ops", (Scope.ENCODE,)),
)


class Authority:
    """Issues what trustme cannot: certificates with URIs, and expired ones."""

    def __init__(self):
        self.trusted = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._key = load_pem_private_key(self.trusted.private_key_pem.bytes(), None)
        self._certificate = x509.load_pem_x509_certificate(self.trusted.cert_pem.bytes())

    def issue(self, *names, seconds=300.0, common_name="nobody"):
        """(key, certificate) in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        kinds = [
            x509.UniformResourceIdentifier(name) if "://" in name else x509.DNSName(name) for name in names
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(seconds=seconds))
        )
        if kinds:
            builder = builder.add_extension(x509.SubjectAlternativeName(kinds), critical=False)
        made = builder.sign(self._key, SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private, made.public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
async def listening(authority, tmp_path):
    own = authority.trusted.issue_cert("localhost", "127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("cert", "key", "ca")}
    own.private_key_pem.write_to_path(files["key"])
    own.cert_chain_pems[0].write_to_path(files["cert"])
    authority.trusted.cert_pem.write_to_path(files["ca"])
    tls = TlsConfig(cert_file=files["cert"], key_file=files["key"], client_ca_file=files["ca"])
    auth = AuthConfig(certificates=GRANTS, recheck_seconds=0.05)
    config = HostConfig(tls=tls, auth=auth, admin_listen="127.0.0.1:0", stop_grace_seconds=0.1)
    async with running(Host(TinyService(), config)) as open_at:
        yield open_at


def channel_of(authority, address, pair):
    credentials = grpc.ssl_channel_credentials(authority.trusted.cert_pem.bytes(), *pair)
    options = [("grpc.ssl_target_name_override", "localhost")]
    return grpc.aio.secure_channel(address, credentials, options)


async def whoami(channel):
    call = channel.unary_unary(f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString)
    try:
        return (await call(StringValue(value="whoami"), timeout=10)).value
    except grpc.aio.AioRpcError as error:
        return error.code().name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("spiffe://studio.example/ns/gpu/sa/worker",), "spiffe://studio.example/ns/gpu/sa/worker"),
        (("spiffe://studio.example/ns/cpu/sa/worker",), "PERMISSION_DENIED"),
        (("http://x/spiffe://studio.example/ns/gpu/",), "PERMISSION_DENIED"),
        (("w1.studio-a.example",), "w1.studio-a.example"),
        (("W1.Studio-A.example",), "w1.studio-a.example"),
        (("a.b.studio-a.example",), "PERMISSION_DENIED"),
        (("studio-a.example",), "PERMISSION_DENIED"),
        (("evil-studio-a.example",), "PERMISSION_DENIED"),
        (("ops.example",), "ops.example"),
        (("writer.example",), "PERMISSION_DENIED"),
        ((), "PERMISSION_DENIED"),
    ],
)
async def test_the_names_of_a_certificate_decide(authority, listening, names, expected):
    pair = authority.issue(*names, common_name="ops.example")
    async with channel_of(authority, listening.address, pair) as channel:
        assert await whoami(channel) == expected


async def test_a_stream_ends_with_its_certificate(authority, listening):
    pair = authority.issue("w1.studio-a.example", seconds=2.0)
    async with channel_of(authority, listening.address, pair) as channel:
        talk = channel.stream_stream(f"/{NAME}/Talk", StringValue.SerializeToString, StringValue.FromString)
        call = talk(timeout=20)
        await call.write(StringValue(value="whoami"))
        assert (await call.read()).value == "w1.studio-a.example"
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "has expired" in await call.details()
        assert await whoami(channel) == "UNAUTHENTICATED"


def fetch(authority, address, path, pair, directory):
    context = ssl.create_default_context(cadata=authority.trusted.cert_pem.bytes().decode())
    (directory / "key").write_bytes(pair[0])
    (directory / "cert").write_bytes(pair[1])
    context.load_cert_chain(directory / "cert", directory / "key")
    try:
        with urllib.request.urlopen(f"https://{address}{path}", context=context, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_the_admin_port_asks_for_the_same_names(authority, listening, tmp_path):
    seen = {}
    for name in ("ops.example", "w1.studio-a.example", "unknown.example"):
        pair = authority.issue(name)
        for path in ("/healthz", "/metrics", "/config"):
            arguments = (authority, listening.admin, path, pair, tmp_path)
            seen[name, path] = await asyncio.to_thread(fetch, *arguments)
    assert seen == {
        ("ops.example", "/healthz"): 200,
        ("ops.example", "/metrics"): 200,
        ("ops.example", "/config"): 200,
        ("w1.studio-a.example", "/healthz"): 200,
        ("w1.studio-a.example", "/metrics"): 403,
        ("w1.studio-a.example", "/config"): 403,
        ("unknown.example", "/healthz"): 200,
        ("unknown.example", "/metrics"): 403,
        ("unknown.example", "/config"): 403,
    }


def test_names_without_an_authority_are_a_fault_of_the_configuration():
    config = HostConfig(auth=AuthConfig(certificates=GRANTS))
    assert dict(config.find_faults())["auth.certificates"].startswith("needs tls.client_ca_file")
