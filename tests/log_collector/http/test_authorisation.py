"""The rows of docs/authorisation.md that are the collector's HTTP port: every cell, over real connections.

Two tenants send with every credential, and what is stored is each one's own.
"""

from __future__ import annotations

import datetime
import json
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from docs.tools.authorisation import PAGE, http_rules
from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope
from tests.log_collector.harness import collector
from tests.log_collector.http.client import JSON, ask
from tests.log_collector.http.test_otlp import HTTP, in_json, json_log
from tests.service_host.auth.issuer import AUDIENCE, ISSUER, Issuer
from tests.service_host.certificates import Authority

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
OURS = "https://app.example"
TENANTS = ("studio-a", "studio-b")
COLUMNS = ["anonymous", "known", *Scope]
BODIES = {
    "/v1/logs": (in_json(json_log()), JSON),
    "/v1/records": (b'{"msg": "m"}', {}),
    "/v1/browser": (b"", {"origin": OURS, "content-type": "text/plain"}),
}


def cells() -> dict[tuple[str, str], bool]:
    """(call, column) to whether it may, as the page says."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        (call, column): may == "yes"
        for call, line in rows
        for column, may in zip(COLUMNS, line.split(" | "), strict=True)
        if call in http_rules()
    }


CELLS = cells()


class Sender(msgspec.Struct, frozen=True):
    """Somebody of a tenant."""

    column: str
    tenant: str
    token: str = ""
    tls: ssl.SSLContext | None = None
    is_unknown_holder: bool = False
    """TLS knows its certificate, and no grant does."""

    def refusal(self) -> int:
        return 401 if self.column == "anonymous" and not self.is_unknown_holder else 403


async def wrong_cells(address: str, senders: list[Sender], paths: list[str]) -> dict[tuple[str, ...], object]:
    """Calls the POST routes as each sender, for its own tenant and for the other; returns the wrong cells."""
    wrong: dict[tuple[str, ...], object] = {}
    for sender in senders:
        for path in paths:
            for tenant in TENANTS:
                may = CELLS[f"POST {path}", sender.column]
                # The route of pages knows no tenant but the key's own.
                is_own = tenant == sender.tenant or path == "/v1/browser"
                status = await _status(address, sender, path, tenant)
                permitted = may and (is_own or sender.column == Scope.ADMIN)
                if status != (200 if permitted else sender.refusal()):
                    wrong[sender.column, sender.tenant, path, tenant] = status
    return wrong


async def _status(address: str, sender: Sender, path: str, tenant: str) -> int:
    body, headers = BODIES[path]
    headers = headers | {"telecine-tenant": tenant}
    if path == "/v1/browser":
        body = json.dumps({"key": sender.token, "records": [{"msg": "m"}]}).encode()
    elif sender.token:
        headers = headers | {"authorization": f"Bearer {sender.token}"}
    return (await ask(address, path, body, headers, tls=sender.tls)).status


def stored_of(senders: list[Sender], paths: list[str]) -> Counter[str]:
    """How many records each tenant has when every cell was right."""
    found: Counter[str] = Counter()
    for sender in senders:
        for path in paths:
            for tenant in TENANTS:
                if not CELLS[f"POST {path}", sender.column]:
                    continue
                if path == "/v1/browser":
                    found[sender.tenant] += 1
                elif tenant == sender.tenant or sender.column == Scope.ADMIN:
                    found[tenant] += 1
    return found


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


async def test_every_route_of_the_port_stands_on_the_page_and_is_called(tmp_path: Path) -> None:
    async with collector(tmp_path, **HTTP) as running:
        message = (await ask(running.http, "/nowhere")).json["message"]
    served = {f"POST {path}" for path in re.findall(r"/v1/[a-z]+", message)}
    assert served == {f"POST {path}" for path in BODIES}
    assert served | {"GET /telecine-log.js"} == set(http_rules()) == {call for call, _ in CELLS}


async def test_every_cell_of_two_tenants_with_keys_and_tokens(tmp_path: Path, issuer: Issuer) -> None:
    senders, keys = [Sender("anonymous", tenant) for tenant in TENANTS], []
    for tenant in TENANTS:
        for column in COLUMNS[1:]:
            scope = "" if column == "known" else column
            senders.append(Sender(column, tenant, issuer.token(tenant=tenant, scope=scope)))
    with_tokens = list(senders)
    for tenant in TENANTS:
        for scope in Scope:
            key, stored = new_key(f"{scope}-{tenant}", tenant, (scope,), created_at=NOW)
            senders.append(Sender(scope, tenant, key))
            keys.append(stored)
    pages = []
    for tenant in TENANTS:
        key, stored = new_key(f"page-{tenant}", tenant, (Scope.LOGS_WRITE,), created_at=NOW, origins=(OURS,))
        pages.append(Sender(Scope.LOGS_WRITE, tenant, key))
        keys.append(stored)
    write_keys(tmp_path / "keys.json", tuple(keys))
    issuers = [
        {
            "issuer": ISSUER,
            "audience": [AUDIENCE],
            "jwks_url": issuer.url,
            "tenant_claim": "tenant",
            "scope_claim": "scope",
        }
    ]
    auth = {"host__auth__keys_file": tmp_path / "keys.json", "host__auth__issuers": issuers}
    programs, browser = ["/v1/logs", "/v1/records"], ["/v1/browser"]
    async with collector(tmp_path / "data", **HTTP, http__origins=(OURS,), **auth) as running:
        wrong = await wrong_cells(running.http, senders, programs)
        wrong |= await wrong_cells(running.http, with_tokens + pages, browser)
        for sender in senders:
            headers = {"authorization": f"Bearer {sender.token}"} if sender.token else {}
            answer = await ask(running.http, "/telecine-log.js", None, headers, "GET")
            assert CELLS["GET /telecine-log.js", sender.column] is (answer.status == 200)
        stored = Counter(record["log_tenant"] for record in running.records())
    assert not wrong
    assert stored == stored_of(senders, programs) + stored_of(with_tokens + pages, browser)


async def test_every_cell_of_two_tenants_with_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.server(must_clients_prove=True)
    settings = {
        f"host__tls__{name}": getattr(tls, name) for name in ("cert_file", "key_file", "client_ca_file")
    }
    senders, grants = [], []
    for tenant in TENANTS:
        for column in ("anonymous", *Scope):
            name = f"{column}.{tenant}.example".replace("_", "-")
            context = ssl.create_default_context(cafile=str(authority.ca_file))
            context.load_cert_chain(*authority.issue(name, name))
            senders.append(Sender(column, tenant, tls=context, is_unknown_holder=True))
            if column != "anonymous":
                grants.append({"value": name, "tenant": tenant, "scopes": [column]})
    programs = ["/v1/logs", "/v1/records"]
    async with collector(tmp_path / "data", **HTTP, **settings, host__auth__certificates=grants) as running:
        wrong = await wrong_cells(running.http, senders, programs)
        stored = Counter(record["log_tenant"] for record in running.records())
    assert not wrong
    assert stored == stored_of(senders, programs)
