"""A plain HTTP client of the collector's port, for what stock clients do and for what they never would."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from typing import Any

import msgspec
from google.rpc import error_details_pb2, status_pb2

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


class Answer(msgspec.Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """ErrorInfo.reason of google.rpc.Status, whichever its encoding."""
        if self.headers["content-type"] == "application/x-protobuf":
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(self.body).details:
                if detail.Unpack(info):
                    return info.reason
        return next(d["reason"] for d in self.json["details"] if d["@type"].endswith("ErrorInfo"))


async def ask(
    address: str,
    path: str,
    body: bytes | None = b"",
    headers: dict[str, str] | None = None,
    method: str = "POST",
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request on a connection of its own."""
    return await asyncio.to_thread(_ask, address, path, body, headers or {}, method, tls)


def _ask(
    address: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    method: str,
    tls: ssl.SSLContext | None,
) -> Answer:
    plain, secure = http.client.HTTPConnection, http.client.HTTPSConnection
    connection = plain(address, timeout=20) if tls is None else secure(address, timeout=20, context=tls)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


async def raw(address: str, sent: bytes, *, is_ended: bool = False) -> bytes:
    """Sends bytes as they are; returns all that comes until the collector closes or 10 s are over."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        if is_ended:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


class Halfway:
    """A request whose head was let in and whose body is still owed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._body = body

    @classmethod
    async def of(cls, address: str, path: str, body: bytes, headers: dict[str, str]) -> Halfway:
        """Returns when the collector has asked for the body: it does that once it knows the caller."""
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        own = {"host": "x", "connection": "close", "expect": "100-continue", "content-length": str(len(body))}
        lines = [f"{name}: {value}" for name, value in (own | headers).items()]
        writer.write("\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode())
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        return cls(reader, writer, body)

    async def finish(self) -> bytes:
        """Sends the body; returns the answer."""
        try:
            self._writer.write(self._body)
            async with asyncio.timeout(10):
                return await self._reader.read()
        finally:
            self._writer.close()
