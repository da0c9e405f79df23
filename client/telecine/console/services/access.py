"""The two services with one viewer's credentials: what these may not see, the console does not show."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from telecine.clients.asynchronous import AsyncClient
from telecine.clients.logs import LogClient
from telecine.exceptions import (
    InvalidRequestError,
    NotPermittedError,
    TelecineError,
    UnauthenticatedError,
)
from telecine.request.options import RetryPolicy, Tls

CALL_SECONDS = 10.0
"""A page is not worth waiting longer for."""
_NAMED_CHARS = 16
"""Keys longer than this are shown by their last four characters."""
_PATIENCE = RetryPolicy(give_up_after_seconds=3.0)


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services are, and how they are spoken to. An empty address: that service is not shown."""

    encoder: str = ""
    collector: str = ""
    encoder_tls: Tls | None = None
    collector_tls: Tls | None = None
    token_file: Path | None = None
    """What the person who started the console shows; None: what the environment names, or nothing."""


class LogInError(Exception):
    """The key opens nothing here; the message says why, and holds nothing of it."""


class Access:
    """Connections of one session, opened when they are first used."""

    def __init__(
        self, services: Services, token: str | None, *, has_encoder: bool, has_collector: bool, name: str
    ) -> None:
        """`token`: None: the credentials of the person who started the console."""
        self.services = services
        self.has_encoder = has_encoder
        self.has_collector = has_collector
        self.name = name
        """Of the viewer, for people: never the key."""
        self._token = token
        self._encoder: AsyncClient | None = None
        self._collector: LogClient | None = None

    @property
    def encoder(self) -> AsyncClient:
        """The encoder. Raises NotPermittedError where these credentials do not open it."""
        if not self.has_encoder:
            raise NotPermittedError(_missing("encoder", self.services.encoder))
        if self._encoder is None:
            self._encoder = encoder_client(self.services, self._token)
        return self._encoder

    @property
    def collector(self) -> LogClient:
        """The collector. Raises NotPermittedError where these credentials do not open it."""
        if not self.has_collector:
            raise NotPermittedError(_missing("collector", self.services.collector))
        if self._collector is None:
            self._collector = collector_client(self.services, self._token)
        return self._collector

    def another_collector(self, timeout_seconds: float) -> LogClient:
        """A connection of its own, for a stream; the caller closes it. Raises NotPermittedError."""
        if not self.has_collector:
            raise NotPermittedError(_missing("collector", self.services.collector))
        return collector_client(self.services, self._token, timeout_seconds)

    async def close(self) -> None:
        """Closes what is open. Idempotent."""
        encoder, self._encoder = self._encoder, None
        collector, self._collector = self._collector, None
        if encoder is not None:
            await encoder.close()
        if collector is not None:
            await asyncio.to_thread(collector.close)


def of_the_starter(services: Services) -> Access:
    """What the one-time link opens: the services as the person who started the console reaches them."""
    return Access(
        services,
        None,
        has_encoder=bool(services.encoder),
        has_collector=bool(services.collector),
        name="one-time link",
    )


async def logged_in(services: Services, token: str) -> Access:
    """What a key or token opens. Raises LogInError.

    A service that asks nobody who they are takes any key: it is shown to those with the link alone, for a
    key proves nothing to it. So each service is first asked with a key that cannot be right.
    """
    opened = {
        "encoder": await _opens(services.encoder, token, lambda key: _ask_encoder(services, key)),
        "collector": await _opens(services.collector, token, lambda key: _ask_collector(services, key)),
    }
    if not any(opened.values()):
        raise LogInError("The key was not accepted. It may be mistyped, revoked or expired.")
    name = f"key …{token[-4:]}" if len(token) > _NAMED_CHARS else "key"
    return Access(
        services, token, has_encoder=opened["encoder"], has_collector=opened["collector"], name=name
    )


def encoder_client(services: Services, token: str | None) -> AsyncClient:
    """A client of the encoder with a key; None: as the starter."""
    return AsyncClient(
        services.encoder,
        tls=services.encoder_tls,
        token=token,
        token_file=services.token_file if token is None else None,
        retry=_PATIENCE,
        call_timeout_seconds=CALL_SECONDS,
        shares_memory=False,
    )


def collector_client(
    services: Services, token: str | None, timeout_seconds: float = CALL_SECONDS
) -> LogClient:
    """A client of the collector with a key; None: as the starter."""
    return LogClient(
        services.collector,
        tls=services.collector_tls,
        token=token,
        token_file=services.token_file if token is None else None,
        call_timeout_seconds=timeout_seconds,
    )


async def _opens(address: str, token: str, ask: Callable[[str], Awaitable[None]]) -> bool:
    if not address:
        return False
    try:
        if await _is_accepted(ask, secrets.token_urlsafe(24)):
            return False
        return await _is_accepted(ask, token)
    except InvalidRequestError as error:
        raise LogInError("That is no key and no token: one word is expected.") from error
    except TelecineError as error:
        raise LogInError(f"{address} does not answer: {error.message}") from error


async def _is_accepted(ask: Callable[[str], Awaitable[None]], key: str) -> bool:
    try:
        await ask(key)
    except UnauthenticatedError:
        return False
    except NotPermittedError:
        return True  # known, and held to less
    return True


async def _ask_encoder(services: Services, key: str) -> None:
    async with encoder_client(services, key) as client:
        async for _ in client.jobs(page_size=1):
            break


async def _ask_collector(services: Services, key: str) -> None:
    client = collector_client(services, key)
    try:
        await asyncio.to_thread(lambda: next(client.query(limit=1), None))
    finally:
        await asyncio.to_thread(client.close)


def _missing(name: str, address: str) -> str:
    if not address:
        return f"the console was started without a {name}"
    return f"the {name} at {address} is not open to what this session has shown"
