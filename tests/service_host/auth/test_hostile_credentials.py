"""Whatever is shown instead of a good credential is refused, with one clear reason and no trace of it."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import json
import time

import grpc
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from structlog.testing import capture_logs

from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope
from service_host.host import Host, running
from service_host.settings.auth_config import AuthConfig, ClaimGrant, IssuerConfig
from service_host.settings.host_config import HostConfig
from tests.eventually import eventually_async
from tests.service_host.auth.issuer import AUDIENCE, ISSUER, Issuer
from tests.service_host.tiny_service import NAME, TinyService

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.close()


class Service:
    """A hosted tiny service that asks who calls."""

    def __init__(self, channel, audit, keys_file, logged):
        self.logged = logged
        self.channel = channel
        self.audit = audit
        self.keys_file = keys_file

    async def whoami(self, *authorization, timeout=10):
        metadata = tuple(("authorization", value) for value in authorization)
        call = self.channel.unary_unary(
            f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString
        )
        return (await call(StringValue(value="whoami"), metadata=metadata, timeout=timeout)).value

    async def outcome(self, authorization):
        """Who it is, or why it is refused."""
        try:
            return await self.whoami(authorization)
        except grpc.aio.AioRpcError as error:
            return error.details()

    def talk(self, authorization):
        call = self.channel.stream_stream(
            f"/{NAME}/Talk", StringValue.SerializeToString, StringValue.FromString
        )
        return call(metadata=(("authorization", authorization),), timeout=20)

    def log(self):
        return [entry["event"] for entry in self.logged]

    async def refusal(self, *authorization):
        """(code, reason, message)."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.whoami(*authorization)
        status = rpc_status.from_call(caught.value)
        info = error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(info)
        return caught.value.code(), info.reason, caught.value.details()


@pytest.fixture
async def service(issuer, tmp_path):
    keys_file = tmp_path / "keys.json"
    write_keys(keys_file, ())
    auth = AuthConfig(
        keys_file=keys_file,
        issuers=(
            IssuerConfig(
                ISSUER,
                (AUDIENCE,),
                jwks_url=issuer.url,
                tenant_claim="tenant",
                scope_claim="scope",
                grants=(
                    ClaimGrant("system:serviceaccount:gpu:*", "gpu", (Scope.READ,)),
                    ClaimGrant("video", "studio-v", (Scope.READ,), claim="kubernetes.io/namespace"),
                ),
            ),
        ),
        leeway_seconds=2,
        jwks_timeout_seconds=3,
        jwks_retry_seconds=0.001,
        recheck_seconds=0.05,
    )
    audit = []
    config = HostConfig(auth=auth, stop_grace_seconds=0.1)
    host = Host(TinyService(), config, audit=lambda event, fields: audit.append((event, fields)))
    async with running(host) as listening, grpc.aio.insecure_channel(listening.address) as channel:
        with capture_logs() as logged:
            yield Service(channel, audit, keys_file, logged)


def unsigned(claims, header):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


def hs256_with_the_public_key(issuer):
    public = (
        issuer.keys[issuer.key_id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    head = unsigned(
        jwt.decode(issuer.token(), options={"verify_signature": False}),
        {"alg": "HS256", "kid": issuer.key_id},
    )[:-1]
    mac = base64.urlsafe_b64encode(hmac.digest(public, head.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return f"{head}.{mac}"


def with_own_key(issuer):
    own = ec.generate_private_key(ec.SECP256R1())
    public = jwt.get_algorithm_by_name("ES256").to_jwk(own.public_key(), as_dict=True)
    return issuer.token(key=own, header={"jwk": public, "jku": "https://evil.example/jwks"})


HOSTILE = {
    "no signature": (
        lambda i: unsigned({"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": 4e9}, {"alg": "none"}),
        "REFUSED",
        "signature is none of",
    ),
    "no signature, in capitals": (
        lambda i: unsigned({"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": 4e9}, {"alg": "NONE"}),
        "REFUSED",
        "signature is none of",
    ),
    "HS256 with the public key": (hs256_with_the_public_key, "REFUSED", "signature is none of"),
    "an algorithm that is not allowed": (
        lambda i: i.token(key=ec.generate_private_key(ec.SECP384R1()), algorithm="ES384"),
        "REFUSED",
        "signature is none of",
    ),
    "a key that the token brings along": (with_own_key, "REFUSED", "signature is wrong"),
    "a key of another id": (lambda i: i.token(header={"kid": "other"}), "REFUSED", "no such key"),
    "expired": (lambda i: i.token(exp=time.time() - 10), "EXPIRED", "expired"),
    "not valid yet": (lambda i: i.token(nbf=time.time() + 600), "REFUSED", "not valid yet"),
    "issued in the future": (lambda i: i.token(iat=time.time() + 600), "REFUSED", "not valid yet"),
    "another audience": (lambda i: i.token(aud="billing"), "REFUSED", "another audience"),
    "no audience": (lambda i: i.token(aud=None), "REFUSED", "lacks one of the claims"),
    "no end": (lambda i: i.token(exp=None), "REFUSED", "lacks one of the claims"),
    "no subject": (lambda i: i.token(sub=None), "REFUSED", "lacks one of the claims"),
    "another issuer": (lambda i: i.token(iss="https://evil.example"), "REFUSED", "not one that this service"),
    "an issuer that is no text": (
        lambda i: unsigned({"iss": ["x"], "sub": "ann"}, {"alg": "ES256"}),
        "REFUSED",
        "not one that this service",
    ),
    "an extension nobody knows": (
        lambda i: i.token(header={"crit": ["b64x"], "b64x": True}),
        "REFUSED",
        "Token|extensions",
    ),
    "an end that is no number": (lambda i: i.token(exp="soon"), "REFUSED", "credential is refused"),
    "a subject with line breaks": (lambda i: i.token(sub="ann\nroot"), "REFUSED", "its subject"),
    "a subject without end": (lambda i: i.token(sub="a" * 2000), "REFUSED", "its subject"),
    "longer than allowed": (lambda i: i.token(pad="x" * 9000), "REFUSED", "longer than 8192 bytes"),
    "no token at all": (lambda i: "letmein", "REFUSED", "no JSON Web Token"),
    "three empty parts": (lambda i: "..", "REFUSED", "no JSON Web Token"),
    "a signature cut off": (lambda i: i.token()[:-20], "REFUSED", "signature is wrong|no JSON"),
    "a key that is not known": (
        lambda i: f"tlc_abcdefghijkl_{'A' * 43}",
        "REFUSED",
        "API key is not known",
    ),
    "a key of another form": (lambda i: "tlc_abc", "REFUSED", "not an API key"),
}


async def test_every_hostile_credential_is_refused_with_its_reason(service, issuer):
    faults = []
    for name, (make, reason, text) in HOSTILE.items():
        token = make(issuer)
        code, said, message = await service.refusal(f"Bearer {token}")
        right = (
            code is grpc.StatusCode.UNAUTHENTICATED
            and said == f"CREDENTIALS_{reason}"
            and any(each in message for each in text.split("|"))
        )
        event, fields = service.audit[-1]
        has_trace = len(token) > 8 and any(token[-20:] in str(where) for where in (message, fields))
        if not right or has_trace or event != "access_refused" or fields["reason"] != said:
            faults.append((name, code, said, message, event, fields))
    assert not faults
    assert await service.whoami(f"Bearer {issuer.token()}") == "ann"


async def test_a_credential_without_end_harms_nobody(service, issuer):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.whoami(f"Bearer {'x' * 200_000}")
    assert caught.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert await service.whoami(f"Bearer {issuer.token()}") == "ann"


async def test_other_forms_of_the_header_are_refused(service, issuer):
    token = issuer.token()
    for values in [("",), (token,), (f"Basic {token}",), (f"Bearer {token} x",), ("Bearer ",)]:
        assert (await service.refusal(*values))[1] == "CREDENTIALS_REFUSED"
    assert "twice" in (await service.refusal(f"Bearer {token}", f"Bearer {token}"))[2]
    code, reason, message = await service.refusal()
    assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")
    assert "an API key or a token of its issuers" in message
    assert await service.whoami(f"bearer  {token}") == "ann"


async def test_claims_decide_tenant_and_scopes(service, issuer):
    account = issuer.token(sub="system:serviceaccount:gpu:worker", tenant=None, scope=None)
    assert await service.whoami(f"Bearer {account}") == "system:serviceaccount:gpu:worker"
    nested = issuer.token(**{"kubernetes.io": {"namespace": "video"}}, tenant=None, scope=None)
    assert await service.whoami(f"Bearer {nested}") == "ann"
    for claims in [{"tenant": None}, {"tenant": "../a"}, {"tenant": ["studio-a"]}]:
        code, reason, message = await service.refusal(f"Bearer {issuer.token(**claims)}")
        assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
        assert "no tenant" in message
    code, reason, message = await service.refusal(f"Bearer {issuer.token(scope='encode profile')}")
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
    assert "lacks the scope read" in message


async def test_new_keys_are_fetched_and_withdrawn_ones_forgotten(service, issuer):
    old = issuer.token()
    assert await service.whoami(f"Bearer {old}") == "ann"
    issuer.rotate("second")
    assert await service.whoami(f"Bearer {issuer.token()}") == "ann"
    assert (await service.refusal(f"Bearer {old}"))[1] == "CREDENTIALS_REFUSED"


async def test_while_keys_cannot_be_fetched_known_ones_live_on_and_new_ones_stay_out(service, issuer):
    known = issuer.token()
    assert await service.whoami(f"Bearer {known}") == "ann"
    issuer.rotate("second", keep=True)
    for failure in ("down", "nonsense", "huge", "slow"):
        issuer.is_down = failure == "down"
        issuer.answer = {"nonsense": b"<html>", "huge": b" " * (2 << 20)}.get(failure)
        if failure == "slow":
            issuer.hanging.clear()
        begun = time.monotonic()
        code, reason, _ = await service.refusal(f"Bearer {issuer.token()}")
        assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "VERIFIER_UNAVAILABLE")
        assert time.monotonic() - begun < 10
        assert await service.whoami(f"Bearer {known}") == "ann"
    issuer.hanging.set()
    issuer.is_down, issuer.answer = False, None

    while await service.outcome(f"Bearer {issuer.token()}") != "ann":
        await asyncio.sleep(0.01)


async def test_a_key_opens_until_it_is_revoked_and_a_broken_file_changes_nothing(service):
    key, stored = new_key("ann", "studio-a", (Scope.READ,), created_at=NOW)
    write_keys(service.keys_file, (stored,))
    assert await service.whoami(f"Bearer {key}") == "ann"
    service.keys_file.write_text("{")
    await eventually_async(lambda: "keys_not_reloaded" in service.log())
    assert await service.whoami(f"Bearer {key}") == "ann"
    write_keys(service.keys_file, (msgspec.structs.replace(stored, revoked_at=NOW),))

    while "was revoked" not in await service.outcome(f"Bearer {key}"):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("ending", ["revoked", "removed", "narrowed"])
async def test_a_stream_ends_soon_after_its_key_does(service, ending):
    key, stored = new_key("ann", "studio-a", (Scope.READ,), created_at=NOW)
    write_keys(service.keys_file, (stored,))
    call = service.talk(f"Bearer {key}")
    await call.write(StringValue(value="whoami"))
    assert (await call.read()).value == "ann"
    left = {
        "revoked": (msgspec.structs.replace(stored, revoked_at=NOW),),
        "removed": (),
        "narrowed": (msgspec.structs.replace(stored, scopes=(Scope.METRICS,)),),
    }
    write_keys(service.keys_file, left[ending])
    begun = time.monotonic()
    assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert time.monotonic() - begun < 5
    assert "may be resumed" in await call.details()
    event, fields = service.audit[-1]
    assert (event, fields["subject"], fields["credential_id"]) == ("credential_ended", "ann", stored.id)


async def test_a_stream_outlives_its_token_by_the_grace_alone(service, issuer):
    call = service.talk(f"Bearer {issuer.token(exp=time.time())}")
    await call.write(StringValue(value="whoami"))
    assert (await call.read()).value == "ann"
    assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "has expired" in await call.details()


async def test_uses_of_a_credential_are_recorded_and_bounded(service):
    key, stored = new_key("ann", "studio-a", (Scope.READ,), created_at=NOW)
    write_keys(service.keys_file, (stored,))
    for _ in range(20):
        await service.whoami(f"Bearer {key}")
    _, fields = service.audit[-1]
    assert [each for each, _ in service.audit] == ["credential_used"]
    assert fields["rpc"] == f"/{NAME}/Single"
    assert (fields["tenant"], fields["credential"], fields["credential_id"]) == ("studio-a", "key", stored.id)
    assert fields["peer"].startswith("ipv4:127.0.0.1:")
    assert key not in str(service.audit)
