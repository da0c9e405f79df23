"""An address is read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from service_host.address import (
    AddressError,
    TcpAddress,
    UnixAddress,
    parse_address,
    parse_admin_address,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:50051", TcpAddress("127.0.0.1", 50051)),
        ("localhost:0", TcpAddress("localhost", 0)),
        ("[::1]:443", TcpAddress("::1", 443)),
        ("unix:/run/t.sock", UnixAddress(Path("/run/t.sock"))),
    ],
)
def test_an_address_is_read_and_written_the_same(text, address):
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "unix:/run/a%41",
        "unix:/run/a?b",
        "unix:/run/a b",
        "unix:/" + 100 * "x",
        "",
        "50051",
        ":50051",
        "host",
        "host:port",
        "host:70000",
        "::1:443",
        "unix:",
        "a b:1",
        "http://h:1",
    ],
)
def test_anything_else_is_refused_with_what_is_expected(text):
    with pytest.raises(AddressError, match="expected"):
        parse_address(text)


def test_the_admin_address_may_be_off_but_no_socket():
    assert parse_admin_address("") is None
    with pytest.raises(AddressError, match="off"):
        parse_admin_address("unix:/run/t.sock")
