"""A secure connection that does not come about is one clear error: what is wrong, and what to set."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Self

import grpc.aio
import pytest
from telecine import AsyncClient, Client, LogClient, RetryPolicy, Tls
from telecine.cli.doctor.secure import check_secure
from telecine.exceptions import TelecineError, UnavailableError
from telecine.logging.shipping.messages import Broken
from telecine.logging.shipping.stream import open_ship_stream
from telecine.tls.handshake import TlsFault, diagnose

from service_host import healthcheck
from service_host.host import Host, running
from service_host.settings.host_config import HostConfig
from service_host.tls.config import TlsConfig
from tests.service_host.certificates import Authority
from tests.service_host.tiny_service import TinyService


class Place:
    """Servers of every kind, and files of every kind for clients."""

    def __init__(self, folder: Path) -> None:
        ours, foreign = Authority(folder), Authority(folder)
        self.files: dict[str, Any] = {
            "none": None,
            "ours": Tls(ca_file=ours.ca_file),
            "system's": Tls(),
            "another authority's": Tls(ca_file=foreign.ca_file),
            "known": self._pair(ours, ours.issue("known", "worker")),
            "foreign": self._pair(ours, foreign.issue("foreign", "worker")),
            "expired": self._pair(ours, ours.issue("expired", "worker", expires_in=timedelta(days=-1))),
        }
        self.late = ours.issue("late", expires_in=timedelta(days=-1))
        self.named = Tls(ca_file=ours.ca_file, server_name="elsewhere.example")
        self._kinds = {
            "plain": TlsConfig(),
            "tls": TlsConfig(*ours.issue("tls")),
            "mtls": TlsConfig(*ours.issue("mtls"), ours.ca_file),
            "other name": TlsConfig(*ours.issue("other", "elsewhere.example")),
            "soon": TlsConfig(*ours.issue("soon", expires_in=timedelta(days=3))),
        }
        self.address: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    @staticmethod
    def _pair(authority: Authority, paths: tuple[Path, Path]) -> Tls:
        return Tls(ca_file=authority.ca_file, cert_file=paths[0], key_file=paths[1])

    def __enter__(self) -> Self:
        self._thread.start()
        while len(self.address) <= len(self._kinds):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as held:
            for kind, tls in self._kinds.items():
                config = HostConfig(listen="127.0.0.1:0", tls=tls, stop_grace_seconds=0)
                listening = await held.enter_async_context(running(Host(TinyService(), config)))
                self.address[kind] = listening.address
            # A service of ours does not start with it; it may have expired since.
            expired = grpc.aio.server()
            pair = (self.late[1].read_bytes(), self.late[0].read_bytes())
            port = expired.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
            await expired.start()
            self.address["expired"] = f"127.0.0.1:{port}"
            await self._ended.wait()
            await expired.stop(None)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with Place(tmp_path_factory.mktemp("tls")) as opened:
        yield opened


FAULTS = [
    ("tls", "none", TlsFault.PLAIN_CLIENT, "speaks TLS, and this client does not", "TELECINE_TLS_CA_FILE"),
    ("mtls", "none", TlsFault.PLAIN_CLIENT, "speaks TLS, and this client does not", "tls://"),
    ("plain", "ours", TlsFault.PLAIN_SERVER, "speaks no TLS", "--tls-insecure"),
    ("tls", "system's", TlsFault.UNKNOWN_AUTHORITY, "does not trust", "--tls-ca-file"),
    ("tls", "another authority's", TlsFault.UNKNOWN_AUTHORITY, "does not trust", "Tls(ca_file=…)"),
    ("other name", "ours", TlsFault.WRONG_NAME, "for elsewhere.example and not for 127.0.0.1", "SERVER_NAME"),
    ("expired", "ours", TlsFault.NOT_VALID_NOW, "certificate has expired (it is valid until", "cert_file"),
    ("mtls", "ours", TlsFault.CLIENT_CERTIFICATE_MISSING, "asks for a client", "--tls-cert-file"),
    ("mtls", "foreign", TlsFault.CLIENT_CERTIFICATE_REFUSED, "does not accept the client", "client_ca_file"),
    ("mtls", "expired", TlsFault.CLIENT_CERTIFICATE_REFUSED, "which expired on", "client_ca_file"),
]


@pytest.mark.parametrize(("server", "files", "fault", "message", "advice"), FAULTS)
def test_each_fault_is_named_with_what_to_set(
    place: Place, server: str, files: str, fault: TlsFault, message: str, advice: str
) -> None:
    address, tls = place.address[server], place.files[files]
    found = diagnose(address, tls)
    assert found is not None
    assert found.fault is fault
    with (
        pytest.raises(UnavailableError) as raised,
        LogClient(address, tls=tls, call_timeout_seconds=0.3) as client,
    ):
        client.stats()
    assert message in raised.value.message
    assert advice in raised.value.recovery
    (check,) = (check for check in check_secure("server", address, tls) if check.status == "problem"
                and not check.name.endswith("client"))  # fmt: skip
    assert message in check.message
    assert advice in check.advice


def test_every_kind_of_client_names_the_fault(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    address, tls = place.address["mtls"], place.files["ours"]
    message = "asks for a client certificate"
    retry = RetryPolicy(give_up_after_seconds=0)
    with Client(address, tls=tls, retry=retry) as client, pytest.raises(UnavailableError, match=message):
        list(client.jobs())

    async def ask() -> None:
        async with AsyncClient(address, tls=tls, retry=retry) as client:
            [job async for job in client.jobs()]

    with pytest.raises(UnavailableError, match=message):
        asyncio.run(ask())
    stream = open_ship_stream(address, tls)
    try:
        (broken,) = stream.answers(10)
    finally:
        stream.close()
    assert isinstance(broken, Broken)
    assert message in broken.reason
    assert healthcheck.main([address, "--ca-file", str(tls.ca_file)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("server", "files"), [("plain", "none"), ("tls", "ours"), ("mtls", "known"), ("soon", "ours")]
)
def test_a_connection_that_comes_about_has_no_fault(place: Place, server: str, files: str) -> None:
    address, tls = place.address[server], place.files[files]
    with LogClient(address, tls=tls) as client, pytest.raises(TelecineError, match="does not know this call"):
        client.stats()
    found = diagnose(address, tls)
    assert found is None or found.fault is None
    statuses = {check.name: check.status for check in check_secure("server", address, tls)}
    assert statuses.get("server TLS", "ok") == ("warning" if server == "soon" else "ok")
    assert ("server TLS client" in statuses) == (files == "known")


def test_a_name_may_be_given_where_the_address_is_another(place: Place) -> None:
    with (
        LogClient(place.address["other name"], tls=place.named) as client,
        pytest.raises(TelecineError, match="does not know this call"),
    ):
        client.stats()


def test_of_a_name_with_several_addresses_each_counts(place: Place) -> None:
    """Where ::1 is tried last, gRPC says "refused", although 127.0.0.1 is where the fault is."""
    address = place.address["tls"].replace("127.0.0.1", "localhost")
    with (
        LogClient(address, call_timeout_seconds=0.3) as client,
        pytest.raises(UnavailableError, match="speaks TLS, and this client does not"),
    ):
        client.stats()


def test_nobody_there_is_no_fault_of_tls(place: Place) -> None:
    assert diagnose("127.0.0.1:1", place.files["ours"]) is None
    assert diagnose("127.0.0.1:1", None) is None
    assert diagnose("unix:/run/none.sock", place.files["ours"]) is None
