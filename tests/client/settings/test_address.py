"""Addresses are checked by their text alone, and what is wrong says what was probably meant."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.channel.arguments import Target
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.logs import LogClient
from telecine.clients.settings import load_sdk_config
from telecine.exceptions import InvalidRequestError
from telecine.logging import LogConfigError
from telecine.logging.configuration import log_config
from telecine.settings.address import Address, AddressError, parse_address

GOOD = [
    "localhost:50051", "10.1.2.3:1", "[::1]:65535", "unix:/run/a.sock", "unix:relative", "unix:///run/a.sock",
    "dns:///encoder:50051", "ipv4:10.0.0.1:5,10.0.0.2:6", "xds:///encoder", "unix-abstract:name:with:99999",
]  # fmt: skip
WRONG = {
    "http://gpu:50051": '"gpu:50051", without "http://"',
    "https://gpu:50051/x?y": '"tls://gpu:50051"',
    "grpc://gpu": '"gpu:50051"',
    "ftp://": "without",
    "gpu": "the port is missing",
    "gpu:": "the port is missing",
    "50051": "the host is missing",
    ":50051": "the host is missing",
    "::1": "in brackets",
    "fe80::1:50051": '"[fe80::1]:50051"',
    "gpu:0": "1 to 65535",
    "gpu:65536": "1 to 65535",
    "gpu:99999999999999999999": "1 to 65535",
    "dns:///gpu:70000": "1 to 65535",
    "ipv6:[::1]:70000": "1 to 65535",
    "gpu:-1": "host:port",
    "gpu:٣": "host:port",
    "a b:3": "host:port",
    "user:word@gpu:3": "host:port",
    "tls://gpu": '"tls://gpu:50051"',
    "unix:": "a path",
    "unix:/" + "a" * 200: "a path",
    "dns:": "a name",
    "": "host:port",
}


@pytest.mark.parametrize("text", GOOD)
def test_what_grpc_takes_is_taken_as_it_is(text: str) -> None:
    assert parse_address(text) == Address(text, is_secure=False)


def test_tls_asks_for_a_secure_connection() -> None:
    assert parse_address("tls://gpu:5") == Address("gpu:5", is_secure=True)
    target = Target("tls://gpu:5")
    assert target.address == "gpu:5"
    assert target.tls is not None


@pytest.mark.parametrize(("text", "hint"), WRONG.items())
def test_every_door_refuses_a_wrong_address_before_any_work(text: str, hint: str) -> None:
    with pytest.raises(AddressError) as raised:
        parse_address(text)
    assert hint in str(raised.value)
    if text:  # an empty text is "not said" where settings are read
        for open_client in (Client, AsyncClient, LogClient):
            with pytest.raises(InvalidRequestError) as refused:
                open_client(text)
            assert [fault.field for fault in refused.value.faults] == ["server"]
        with pytest.raises(InvalidRequestError, match=r"server: .*TELECINE_SERVER"):
            load_sdk_config({"TELECINE_SERVER": text})
        with pytest.raises(LogConfigError, match="collector: expected"):
            log_config("service", {}, {"TELECINE_LOG_COLLECTOR": text}, {})


@given(st.text(max_size=30))
def test_no_text_is_a_fault_of_ours(text: str) -> None:
    with suppress(AddressError):
        parse_address(text)
