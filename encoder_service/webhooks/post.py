"""Sends one webhook over HTTP: the only door to aiohttp, and the guard at the connection itself.

Names are looked up and judged here, and the address that was judged is the one connected to: a name
that changes its mind in between gains nothing. Redirects and proxies are not followed.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from telecine.tls.options import Tls
from telecine.tls.pem_files import TlsFileError, client_context

from encoder_service.webhooks.destination import host_of, is_address_allowed, literal_address

if TYPE_CHECKING:
    import aiohttp

_MAX_HEADER_BYTES = 8190


class PostError(Exception):
    """The delivery did not come about; the message says why, without path or query of the URL."""


class Answer(msgspec.Struct, frozen=True):
    """What the receiver said."""

    status: int
    retry_after_seconds: float = 0.0
    """0: it did not say."""


async def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    timeout_seconds: float,
    allowed_networks: Sequence[str] | None,
    tls: Tls,
) -> Answer:
    """Posts once and reads the answer's head. `allowed_networks` None: any address. Raises PostError."""
    try:
        import aiohttp
    except ModuleNotFoundError as error:
        raise PostError("webhooks need aiohttp: pip install 'telecine[encoder]'") from error
    host = host_of(url)
    address = literal_address(host)
    if (
        address is not None
        and allowed_networks is not None
        and not is_address_allowed(address, allowed_networks)
    ):
        raise PostError(_refusal(host))
    try:
        context = client_context(tls)
    except TlsFileError as error:
        raise PostError(f"webhooks.{error.field}: {error.expected}") from error
    connector = aiohttp.TCPConnector(
        resolver=_guard(allowed_networks), use_dns_cache=False, force_close=True, ssl=context
    )
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
            ) as session,
            session.post(url, data=body, headers=dict(headers), allow_redirects=False) as response,
        ):
            return Answer(response.status, _seconds(response.headers.get("Retry-After", "")))
    except TimeoutError as error:
        raise PostError(f"no answer within {timeout_seconds:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise PostError(_described(error)) from error


def _guard(allowed_networks: Sequence[str] | None) -> aiohttp.abc.AbstractResolver:
    """A resolver that hands out only addresses which may be connected to."""
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Guard(AbstractResolver):
        def __init__(self) -> None:
            self._names = aiohttp.ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await self._names.resolve(host, port, family)
            if allowed_networks is None:
                return found
            allowed = [
                entry
                for entry in found
                if (address := literal_address(entry["host"].partition("%")[0])) is not None
                and is_address_allowed(address, allowed_networks)
            ]
            if not allowed:
                raise OSError(_refusal(host))
            return allowed

        async def close(self) -> None:
            await self._names.close()

    return Guard()


def _refusal(host: str) -> str:
    return f"{host} is no public address; webhooks.allowed_networks lists the others that are allowed"


def _described(error: BaseException) -> str:
    cause = error.os_error if hasattr(error, "os_error") else error
    text = str(cause) or type(error).__name__
    return text if "://" not in text else type(error).__name__


def _seconds(text: str) -> float:
    """Retry-After in seconds; its form with a date is rare and counts as nothing said."""
    return float(text) if text.isascii() and text.isdigit() else 0.0
