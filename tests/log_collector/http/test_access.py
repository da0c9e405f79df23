"""Who may send records over HTTP: the credentials, scopes, certificate and audit trail of gRPC."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from pathlib import Path

import grpc.aio
import msgspec
import pytest
from structlog.testing import capture_logs
from telecine.logs.v1 import log_collector_service_pb2 as pb

from log_collector.config import CollectorConfig
from log_collector.http.rates import OriginRates
from service_host.auth.exposure import exposure_fault
from service_host.auth.key_file import StoredKey, new_key, write_keys
from service_host.auth.scopes import Scope
from service_host.status.status import ServiceError
from tests.eventually import eventually_async
from tests.log_collector.harness import collector, stub
from tests.log_collector.http.client import JSON, PROTOBUF, Halfway, ask
from tests.log_collector.http.test_otlp import HTTP, in_json, json_log
from tests.log_collector.rpc.test_export import log, request
from tests.service_host.certificates import Authority

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
ROUTES = {
    "/v1/logs": [(in_json(json_log()), JSON), (request(log()).SerializeToString(), PROTOBUF)],
    "/v1/records": [(b'{"msg": "m"}', {})],
}


def keys_in(path: Path, **scopes: Scope) -> dict[str, str]:
    """A file of keys, and the header with each."""
    made = {name: new_key(name, "studio-a", (scope,), created_at=NOW) for name, scope in scopes.items()}
    write_keys(path, tuple(stored for _, stored in made.values()))
    return {name: f"Bearer {key}" for name, (key, _) in made.items()}


async def test_each_route_asks_who_calls_and_for_its_scope(tmp_path: Path) -> None:
    keys = keys_in(tmp_path / "keys.json", writer=Scope.LOGS_WRITE, reader=Scope.LOGS_READ, admin=Scope.ADMIN)
    expected = {
        "": (401, "CREDENTIALS_MISSING"),
        "Bearer nonsense": (401, "CREDENTIALS_REFUSED"),
        "Basic YTpi": (401, "CREDENTIALS_REFUSED"),
        keys["reader"]: (403, "NOT_PERMITTED"),
        keys["writer"]: (200, ""),
        keys["admin"]: (200, ""),
    }
    refusals = 0
    with capture_logs() as logged:
        async with collector(
            tmp_path / "data", **HTTP, host__auth__keys_file=tmp_path / "keys.json"
        ) as running:
            for path, forms in ROUTES.items():
                for body, headers in forms:
                    for credential, (status, reason) in expected.items():
                        shown = {"authorization": credential} if credential else {}
                        answer = await ask(running.http, path, body, headers | shown)
                        assert answer.status == status, (path, credential)
                        if status != 200:
                            refusals += 1
                            assert answer.reason == reason
                            assert ("www-authenticate" in answer.headers) is (status == 401)
            stored = running.records()
    assert len(stored) == 6
    refused = [entry for entry in logged if entry["event"] == "access_refused"]
    assert len(refused) == refusals
    assert {entry["rpc"] for entry in refused} == set(ROUTES)
    assert keys["reader"].removeprefix("Bearer ") not in str(logged)


def ended(stored: StoredKey, how: str) -> tuple[StoredKey, ...]:
    """What is left of a key in its file."""
    return {
        "revoked": (msgspec.structs.replace(stored, revoked_at=NOW),),
        "removed": (),
        "narrowed": (msgspec.structs.replace(stored, scopes=(Scope.LOGS_READ,)),),
        "moved": (msgspec.structs.replace(stored, tenant="studio-b"),),
        "unchanged": (stored,),
    }[how]


@pytest.mark.parametrize("how", ["revoked", "removed", "narrowed", "moved", "unchanged"])
async def test_a_credential_that_ends_while_the_body_comes_stores_nothing(tmp_path: Path, how: str) -> None:
    key, stored = new_key("writer", "studio-a", (Scope.LOGS_WRITE,), created_at=NOW)
    keys_file = tmp_path / "keys.json"
    write_keys(keys_file, (stored,))
    # No look at the file but the request's own.
    settings = {"host__auth__keys_file": keys_file, "host__auth__recheck_seconds": 5}
    with capture_logs() as logged:
        async with collector(tmp_path / "data", **HTTP, **settings) as running:
            sending = [
                await Halfway.of(running.http, path, body, {"authorization": f"Bearer {key}"} | headers)
                for path, forms in ROUTES.items()
                for body, headers in forms
            ]
            write_keys(keys_file, ended(stored, how))
            answers = [await each.finish() for each in sending]
            stored_count = len(running.records())
    refusals = [entry for entry in logged if entry["event"] == "credential_ended"]
    if how == "unchanged":
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 3
        assert (stored_count, refusals) == (3, [])
        return
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"CREDENTIALS_EXPIRED" in answer
    assert stored_count == 0
    assert sorted(entry["rpc"] for entry in refusals) == ["/v1/logs", "/v1/logs", "/v1/records"]
    assert key not in str(logged)


async def test_a_key_that_expires_while_the_body_comes_stores_nothing(tmp_path: Path) -> None:
    expires_at = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=3)
    key, stored = new_key("writer", "a", (Scope.LOGS_WRITE,), created_at=NOW, expires_at=expires_at)
    write_keys(tmp_path / "keys.json", (stored,))
    async with collector(tmp_path / "data", **HTTP, host__auth__keys_file=tmp_path / "keys.json") as running:
        sending = await Halfway.of(running.http, "/v1/records", b"{}", {"authorization": f"Bearer {key}"})
        await eventually_async(lambda: datetime.datetime.now(datetime.UTC) > expires_at)
        answer = await sending.finish()
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"has expired" in answer
        assert running.records() == []


async def test_a_page_whose_key_is_revoked_while_the_body_comes_stores_nothing(tmp_path: Path) -> None:
    key, stored = new_key("page", "a", (Scope.LOGS_WRITE,), created_at=NOW, origins=(OURS,))
    keys_file = tmp_path / "keys.json"
    write_keys(keys_file, (stored,))
    settings = {"host__auth__keys_file": keys_file, "host__auth__recheck_seconds": 5}
    async with collector(tmp_path / "data", **HTTP, http__origins=(OURS,), **settings) as running:
        headers = {"origin": OURS, "content-type": "text/plain"}
        sending = await Halfway.of(running.http, "/v1/browser", batch(key), headers)
        write_keys(keys_file, ended(stored, "revoked"))
        assert (await sending.finish()).startswith(b"HTTP/1.1 401")
        assert running.records() == []


async def test_only_an_administrator_sends_for_another_tenant(tmp_path: Path) -> None:
    """As gRPC's metadata of the same name."""
    keys = keys_in(tmp_path / "keys.json", writer=Scope.LOGS_WRITE, admin=Scope.ADMIN)
    expected = {
        ("writer", "studio-a"): (200, ""),
        ("writer", "studio-b"): (403, "NOT_PERMITTED"),
        ("writer", "NOT/A/TENANT"): (400, "INVALID_FIELD"),
        ("admin", "studio-b"): (200, ""),
    }
    async with collector(tmp_path / "data", **HTTP, host__auth__keys_file=tmp_path / "keys.json") as running:
        for path, forms in ROUTES.items():
            for (name, tenant), (status, reason) in expected.items():
                body, headers = forms[0]
                shown = {"authorization": keys[name], "telecine-tenant": tenant}
                answer = await ask(running.http, path, body, headers | shown)
                assert (answer.status, "" if status == 200 else answer.reason) == (status, reason)
        await eventually_async(lambda: len(list((tmp_path / "data").rglob("studio-b/*.log"))) > 0)
        stored = [record["log_tenant"] for record in running.records()]
    assert sorted(stored) == ["studio-a"] * len(ROUTES) + ["studio-b"] * len(ROUTES)


async def test_what_is_sent_at_once_counts_in_the_quota_as_what_is_sent_in_turn(tmp_path: Path) -> None:
    keys = keys_in(tmp_path / "keys.json", writer=Scope.LOGS_WRITE)
    given = {"host__auth__keys_file": tmp_path / "keys.json", "quotas__each_tenant__records_per_second": 100}
    async with collector(tmp_path / "data", **HTTP, **given) as running:
        body, headers = b'{"msg": "m"}\n' * 1000, {"authorization": keys["writer"]}
        sent = [ask(running.http, "/v1/records", body, headers) for _ in range(4)]
        answers = await asyncio.gather(*sent)
        assert sorted(answer.status for answer in answers) == [200, 429, 429, 429]
        assert {answer.reason for answer in answers if answer.status == 429} == {"QUOTA_EXCEEDED"}
        assert len(running.records()) == 1000


@pytest.mark.parametrize("must_prove", [False, True])
async def test_the_port_shows_the_services_certificate_and_asks_for_the_clients(
    tmp_path: Path, must_prove: bool
) -> None:
    authority = Authority(tmp_path)
    tls = authority.server(must_clients_prove=must_prove)
    settings = {f"host__tls__{name}": value for name, value in _given(tls).items()}
    known = ssl.create_default_context(cafile=str(authority.ca_file))
    holder = ssl.create_default_context(cafile=str(authority.ca_file))
    holder.load_cert_chain(*authority.issue("client", "writer.example"))
    async with collector(tmp_path / "data", **HTTP, **settings) as running:
        assert (await ask(running.http, "/v1/records", b"{}", tls=holder)).status == 200
        if must_prove:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await ask(running.http, "/v1/records", b"{}", tls=known)
        else:
            assert (await ask(running.http, "/v1/records", b"{}", tls=known)).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(running.http, "/v1/records", b"{}", tls=ssl.create_default_context())
        assert len(running.records()) == (1 if must_prove else 2)


def _given(tls: object) -> dict[str, object]:
    names = ("cert_file", "key_file", "client_ca_file")
    return {name: getattr(tls, name) for name in names if getattr(tls, name) is not None}


async def test_the_holder_of_a_certificate_is_the_caller(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = {f"host__tls__{k}": v for k, v in _given(authority.server(must_clients_prove=True)).items()}
    grants = [{"value": "writer.example", "tenant": "studio-a", "scopes": ["logs.write"]}]
    contexts = []
    for name in ("writer.example", "stranger.example"):
        contexts.append(ssl.create_default_context(cafile=str(authority.ca_file)))
        contexts[-1].load_cert_chain(*authority.issue(name, name))
    async with collector(tmp_path / "data", **HTTP, **settings, host__auth__certificates=grants) as running:
        found = [await ask(running.http, "/v1/records", b"{}", tls=context) for context in contexts]
    assert found[0].status == 200
    assert found[1].status in (401, 403)


def test_a_port_that_others_reach_needs_what_the_grpc_port_needs() -> None:
    config = CollectorConfig(http_listen="0.0.0.0:4318")
    assert "0.0.0.0:4318" in exposure_fault(config.host, config.other_listens)
    private = CollectorConfig(http_listen="127.0.0.1:4318")
    assert exposure_fault(private.host, private.other_listens) == ""


OURS = "https://app.example"


def batch(key: str = "", **fields: object) -> bytes:
    return json.dumps({"key": key, "records": [{"msg": "m"}]} | fields).encode()


async def test_a_key_of_a_page_opens_nothing_but_its_own_route_and_no_other_key_opens_that(
    tmp_path: Path,
) -> None:
    made = {
        "page": new_key("page", "studio-a", (Scope.LOGS_WRITE,), created_at=NOW, origins=(OURS,)),
        "other page": new_key(
            "other", "studio-a", (Scope.LOGS_WRITE,), created_at=NOW, origins=("https://b.c",)
        ),
        "program": new_key("program", "studio-a", (Scope.ADMIN,), created_at=NOW),
    }
    write_keys(tmp_path / "keys.json", tuple(stored for _, stored in made.values()))
    keys = {name: key for name, (key, _) in made.items()}
    origin = {"origin": OURS}
    settings = {"http__origins": (OURS,), "host__auth__keys_file": tmp_path / "keys.json"}
    async with collector(tmp_path / "data", **HTTP, **settings) as running:

        async def status(path: str, body: bytes, headers: dict[str, str]) -> int:
            return (await ask(running.http, path, body, headers)).status

        assert await status("/v1/browser", batch(keys["page"]), origin) == 415
        origin["content-type"] = "text/plain;charset=UTF-8"
        assert await status("/v1/browser", batch(keys["page"]), origin) == 200
        for shown in ("", keys["other page"], keys["program"], "nonsense", "a b"):
            assert await status("/v1/browser", batch(shown), origin) == 401, shown
        for headers in ({}, {"origin": "https://b.c"}, {"origin": "null"}):
            typed = {"content-type": "text/plain"} | headers
            assert await status("/v1/browser", batch(keys["page"]), typed) == 403
        bearer = {"authorization": f"Bearer {keys['page']}"}
        assert await status("/v1/records", b"{}", bearer) == 401
        assert await status("/v1/records", b"{}", bearer | {"origin": OURS}) == 200
        async with stub(running.address) as client:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await client.GetStats(pb.GetStatsRequest(), metadata=tuple(bearer.items()))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_what_is_no_batch_or_too_much_of_it_is_refused(tmp_path: Path) -> None:
    headers = {"origin": OURS, "content-type": "text/plain"}
    limits = {"http__origins": (OURS,), "http__records_per_second": 1}
    async with collector(tmp_path, **HTTP, **limits) as running:
        for wrong in (b"[", b"{}", b'{"records": 1}', batch(id="a b"), batch(service="../x"), b"\xff"):
            assert (await ask(running.http, "/v1/browser", wrong, headers)).status == 400, wrong
        spread = b'{"records": [{"msg":\n "a"},\n 7, {"msg": "b"}], "id": "i1"}'
        for expected in ((2, 0), (0, 2)):
            taken = (await ask(running.http, "/v1/browser", spread, headers)).json
            assert (taken["accepted"], taken["duplicate"], taken["rejections"][0]["line"]) == (*expected, 2)
        many = await ask(running.http, "/v1/browser", batch(records=[{}] * 8), headers)
        assert (many.status, many.reason) == (429, "QUOTA_EXCEEDED")
        assert 1 <= int(many.headers["retry-after"]) <= 60
        assert many.headers["access-control-allow-origin"] == OURS
        assert (await ask(running.http, "/v1/browser", b" " * (2 << 20), headers)).status == 413
        assert {r["service"] for r in running.records()} == {"browser"}
        assert running.service._accounting.is_balanced()


async def test_the_logger_is_handed_out_small_and_is_asked_for_again_only_when_it_has_changed(
    tmp_path: Path,
) -> None:
    async with collector(tmp_path, **HTTP) as running:
        first = await ask(running.http, "/telecine-log.js", None, method="GET")
        known = {"if-none-match": first.headers["etag"]}
        again = await ask(running.http, "/telecine-log.js", None, known, "GET")
        head = await ask(running.http, "/telecine-log.js", None, method="HEAD")
    assert (first.status, again.status, again.body, head.body) == (200, 304, b"", b"")
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["access-control-allow-origin"] == "*"
    assert len(first.body) <= 6000


def test_a_bucket_fills_with_time_and_is_not_emptied_by_what_is_refused() -> None:
    now = 0.0
    rates = OriginRates(lambda: now)
    rates.take("a", 20, 2, ["a", "b"])
    rates.take("b", 15, 2, ["a", "b"])
    for _ in range(2):
        with pytest.raises(ServiceError) as refused:
            rates.take("a", 6, 2, ["a"])
        assert refused.value.retry_after_seconds == 3
    now = 3.0
    rates.take("a", 6, 2, ["a"])
    now = 100.0
    rates.take("a", 500, 2, ["a"])
    with pytest.raises(ServiceError):
        rates.take("a", 1, 2, ["a"])
