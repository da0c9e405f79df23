"""What no honest client sends: bounded, answered where it can be, and of harm to nobody else."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from pathlib import Path

import pytest
import zstandard

from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, collector
from tests.log_collector.http.client import JSON, PROTOBUF, ask, raw
from tests.log_collector.http.test_otlp import HTTP, in_json, json_log

MIB = 1 << 20
SOUND = in_json(json_log())


def head(path: str = "/v1/logs", *lines: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: x", *lines, "", ""]).encode()


def statuses(answer: bytes) -> list[int]:
    """Of all answers on a connection."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def posted(body: bytes, *lines: str) -> bytes:
    return head("/v1/logs", "content-type: application/json", f"content-length: {len(body)}", *lines) + body


async def is_well(running: Collector) -> bool:
    """Whether an honest client is served, and nothing of the others is held."""
    answer = await ask(running.http, "/v1/logs", SOUND, JSON)
    await eventually_async(lambda: running.bytes_under_way == 0)
    return answer.status == 200


RAW = {
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [404, 400]),
    "a huge header": (head("/v1/logs", "x: " + "y" * 40_000), [431]),
    "many headers": (head("/v1/logs", *(f"x{n}: y" for n in range(3000))), [431]),
    "a head without end": (b"POST /v1/logs HTTP/1.1\r\n" + b"x: y\r\n" * 10_000, [400]),
    "a huge path": (head("/" + "y" * 40_000), [431]),
    "two lengths": (head("/v1/logs", "content-length: 1", "content-length: 2") + b"xx", [400]),
    "a length that is none": (head("/v1/logs", "content-length: -1"), [400]),
    "a chunk that is none": (
        head("/v1/logs", "content-type: application/json", "transfer-encoding: chunked") + b"zz\r\n\r\n",
        [400],
    ),
    # The second request could be another client's to a proxy that has read the other length.
    **{
        f"a length beside chunks: {method} {path}": (
            head(path, "content-length: 5", "transfer-encoding: chunked", method=method)
            + b"0\r\n\r\n"
            + posted(SOUND),
            [400],
        )
        for method, path in (
            ("POST", "/v1/logs"),
            ("POST", "/v1/records"),
            ("POST", "/v1/browser"),
            ("POST", "/nowhere"),
            ("GET", "/telecine-log.js"),
            ("OPTIONS", "/v1/logs"),
            ("PUT", "/v1/logs"),
        )
    },
    "a request in three chunks": (
        head("/v1/logs", "connection: close", "content-type: application/json", "transfer-encoding: chunked")
        + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (SOUND[:9], SOUND[9:11], SOUND[11:]))
        + b"0\r\n\r\n",
        [200],
    ),
    "three requests at once": (
        posted(SOUND) + posted(b"[") + posted(SOUND, "connection: close"),
        [200, 400, 200],
    ),
    "a body that ends early": (posted(SOUND)[:-5], []),
    "an upgrade": (posted(SOUND, "connection: upgrade, close", "upgrade: websocket"), [200]),
    "HEAD": (head("/v1/logs", "connection: close", method="HEAD"), [405]),
    "GET": (head("/v1/logs", "connection: close", method="GET"), [405]),
    "TRACE": (head("/v1/logs", "connection: close", method="TRACE"), [405]),
    "an invented method": (head("/v1/logs", "connection: close", method="POSTT"), [405]),
    "OPTIONS": (head("/v1/logs", "connection: close", method="OPTIONS"), [204]),
    "a path upwards": (head("/v1/../v1/logs", "connection: close"), [404]),
    "a path with a slash": (head("/v1/logs/", "connection: close"), [404]),
}


async def test_each_odd_request_has_its_answer_and_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with collector(tmp_path, **HTTP) as running:
        for name, (sent, expected) in RAW.items():
            assert statuses(await raw(running.http, sent, is_ended=not expected)) == expected, name
        assert await is_well(running)
        stored = len(running.records())
    assert stored == 1 + sum(expected.count(200) for _, expected in RAW.values())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    zeros = bytes(80 * MIB)
    member = gzip.compress(b"")
    bombs = {
        "gzip": ("gzip", gzip.compress(zeros), 413),
        "zstd": ("zstd", zstandard.ZstdCompressor().compress(zeros), 413),
        "members": ("gzip", member * 100_000, 400),
        "cut off": ("gzip", gzip.compress(SOUND)[:-9], 400),
        "not gzip": ("gzip", zlib.compress(SOUND), 400),
        "twice": ("gzip, gzip", gzip.compress(gzip.compress(SOUND)), 415),
        "unknown": ("br", SOUND, 415),
    }
    async with collector(tmp_path, **HTTP) as running:
        for name, (encoding, body, status) in bombs.items():
            for path, headers in (("/v1/logs", PROTOBUF), ("/v1/records", {})):
                answer = await ask(running.http, path, body, headers | {"content-encoding": encoding})
                assert answer.status == status, (name, path, answer)
        nested = b'{"resourceLogs":' + b"[" * (4 * MIB)
        assert (await ask(running.http, "/v1/logs", nested, JSON)).status == 400
        assert (await ask(running.http, "/v1/records", b"\n" * MIB)).status == 413
        padded = gzip.compress(SOUND) + gzip.compress(b" ") + bytes(512)
        assert (
            await ask(running.http, "/v1/logs", padded, JSON | {"content-encoding": "gzip"})
        ).status == 200
        assert await is_well(running)


async def test_a_body_that_is_too_large_is_refused_unread_or_when_it_has_become_so(tmp_path: Path) -> None:
    large = "content-length: 999999999"
    form = "content-type: application/json"
    endless = b"".join(b"10000\r\n" + bytes(1 << 16) + b"\r\n" for _ in range(3))
    async with collector(tmp_path, **HTTP, host__max_message_bytes=1 << 17) as running:
        asked = await _first_line(running, head("/v1/logs", large, form, "expect: 100-continue"))
        assert asked.startswith(b"HTTP/1.1 413")
        chunked = await _first_line(running, head("/v1/logs", "transfer-encoding: chunked", form) + endless)
        assert chunked.startswith(b"HTTP/1.1 413")
        expecting = head("/v1/logs", form, f"content-length: {len(SOUND)}", "expect: 100-continue")
        assert await _first_line(running, expecting) == b"HTTP/1.1 100 Continue\r\n"
        assert await is_well(running)


async def _first_line(running: Collector, sent: bytes) -> bytes:
    host, _, port = running.http.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        return await reader.readline()
    finally:
        writer.close()


async def test_who_sends_slowly_is_not_waited_for(tmp_path: Path) -> None:
    times = {"http__head_seconds": 0.3, "http__body_seconds": 0.3}
    async with collector(tmp_path, **HTTP, **times) as running:
        said_nothing, half_a_head, half_a_body, kept_open = await asyncio.gather(
            raw(running.http, b""),
            _dripping(running.http, b"POST /v1/logs HTTP/1.1\r\nx: ", b"y"),
            _dripping(running.http, posted(SOUND)[:-50], b" "),
            raw(running.http, posted(SOUND)),
        )
        assert said_nothing == half_a_head == b""
        assert statuses(half_a_body) == [408]
        assert statuses(kept_open) == [200]
        assert await is_well(running)


async def _dripping(address: str, begin: bytes, drop: bytes) -> bytes:
    """Sends a little again and again; returns what comes until the connection is closed."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(begin)
    reading = asyncio.create_task(reader.read())
    try:
        async with asyncio.timeout(10):
            while not reading.done():
                writer.write(drop)
                await asyncio.wait([reading], timeout=0.1)
        return await reading
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_who_takes_no_answer_loses_the_connection(tmp_path: Path) -> None:
    async with collector(tmp_path, **HTTP, http__head_seconds=0.5) as running:
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_ask_for_ever(running.http), 30)
        assert await is_well(running)


async def _ask_for_ever(address: str) -> None:
    """Reads nothing, and gives up when it is cut off."""
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, (host, int(port)))
        while True:
            await loop.sock_sendall(client, head("/telecine-log.js", method="GET") * 500)


async def test_silent_connections_give_way_to_others(tmp_path: Path) -> None:
    async with collector(tmp_path, **HTTP, http__connections=4) as running:
        host, _, port = running.http.rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(12)]
        assert await is_well(running)
        for _, writer in silent:
            writer.close()


async def test_a_page_of_another_origin_is_refused(tmp_path: Path) -> None:
    ours = "https://app.example"
    async with collector(tmp_path, **HTTP, http__origins=(ours,)) as running:
        for path in ("/v1/logs", "/v1/records"):
            for origin in ("https://evil.example", "null", "https://app.example.evil", "http://app.example"):
                answer = await ask(running.http, path, SOUND, JSON | {"origin": origin})
                asked = await ask(running.http, path, None, {"origin": origin}, "OPTIONS")
                assert (answer.status, asked.status) == (403, 403)
                assert "access-control-allow-origin" not in answer.headers | asked.headers
        assert running.records() == []
        allowed = await ask(running.http, "/v1/logs", SOUND, JSON | {"origin": ours})
        asked = await ask(running.http, "/v1/logs", None, {"origin": ours}, "OPTIONS")
    assert (allowed.status, asked.status) == (200, 204)
    assert (
        allowed.headers["access-control-allow-origin"] == asked.headers["access-control-allow-origin"] == ours
    )
    assert asked.headers["vary"] == "origin"
    assert "content-type" in asked.headers["access-control-allow-headers"]


async def test_a_refused_head_names_its_request_and_says_that_the_connection_ends(tmp_path: Path) -> None:
    refused = {
        head("/v1/logs", "content-length: 5", "transfer-encoding: chunked", "x-request-id: mine"): b"mine",
        head("/v1/logs", "x: " + "y" * 40_000): b"",
    }
    async with collector(tmp_path, **HTTP) as running:
        for sent, request_id in refused.items():
            answer = await raw(running.http, sent)
            assert b"\r\nconnection: close\r\n" in answer
            assert b"\r\nx-request-id: " + request_id in answer
