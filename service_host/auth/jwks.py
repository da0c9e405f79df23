"""The public keys of one issuer: fetched or read, kept for a while, and fetched again when they rotate."""

from __future__ import annotations

import asyncio
import ssl
import time
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.error import URLError

import jwt
import msgspec
import structlog

MAX_BYTES = 1 << 20
_CHUNK_BYTES = 64 << 10
_MIN_RSA_BITS = 2048
_log = structlog.get_logger("service_host.auth")


class JwksError(Exception):
    """The keys cannot be had; the message says why, for the operator's log."""


class KeySource(Protocol):
    """Where an issuer's keys come from. `read` runs in a thread of its own, one at a time."""

    def read(self) -> bytes:
        """The set as JSON. Raises JwksError."""
        ...


class FileSource:
    """Keys in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        """The file's content. Raises JwksError."""
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise JwksError(f"{self._path} cannot be read: {error.strerror}") from error


class UrlSource:
    """Keys behind a URL; redirects are not followed, for they could lead anywhere."""

    def __init__(
        self, url: str, timeout_seconds: float, ca_file: Path | None, token_file: Path | None
    ) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._ca_file = ca_file
        self._token_file = token_file

    def read(self) -> bytes:
        """The answer's body, whole within the time. Raises JwksError."""
        deadline = time.monotonic() + self._timeout_seconds
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
            opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirects())
            headers = self._headers()
            request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - checked: https
            with opener.open(request, timeout=self._timeout_seconds) as answer:
                return _body(answer, deadline)
        except (OSError, URLError, ValueError) as error:
            raise JwksError(f"{self._url}: {error}") from error

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self._token_file is not None:
            headers["Authorization"] = f"Bearer {self._token_file.read_text('ascii').strip()}"
        return headers


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Makes a redirect the HTTP error that it then is."""


def _body(answer: Any, deadline: float) -> bytes:
    body = b""
    while len(body) <= MAX_BYTES:
        if time.monotonic() > deadline:
            raise JwksError("the answer did not come in time")
        chunk: bytes = answer.read1(_CHUNK_BYTES)
        if not chunk:
            break
        body += chunk
    return body


class JwksTimes(msgspec.Struct, frozen=True):
    """How long keys are used, and how often they are fetched."""

    refresh_seconds: float
    retry_seconds: float
    keep_seconds: float


class KeySet:
    """One issuer's keys. Belongs to the event loop, which never waits for a file or a socket."""

    def __init__(
        self, name: str, source: KeySource, times: JwksTimes, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._source = source
        self._times = times
        self._monotonic = monotonic
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        """When the keys in force were had; None: never."""
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._is_failing = False

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of that id, or the only one where a token names none; None: the issuer has no such key.

        Raises JwksError where that cannot be known now.
        """
        if self._age() > self._times.keep_seconds:
            await self._fetch()
            if self._age() > self._times.keep_seconds:
                raise JwksError("its keys cannot be fetched")
        elif self._age() > self._times.refresh_seconds:
            self._begin_fetch()
        found = self._look_up(key_id)
        if found is None:
            await self._fetch()
            found = self._look_up(key_id)
            if found is None and self._is_failing:
                raise JwksError("it names a new key, and keys cannot be fetched")
        return found

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._monotonic() - self._fetched_at

    def _look_up(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _begin_fetch(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None where it is too early for one."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        now = self._monotonic()
        if self._tried_at is not None and now - self._tried_at < self._times.retry_seconds:
            return None
        self._tried_at = now
        self._fetching = asyncio.create_task(self._refresh())
        return self._fetching

    async def _fetch(self) -> None:
        fetching = self._begin_fetch()
        if fetching is not None:
            # A caller that leaves must not take the keys away from those who wait too.
            await asyncio.shield(fetching)

    async def _refresh(self) -> None:
        try:
            keys = keys_of(await asyncio.to_thread(self._source.read))
        except JwksError as error:
            self._is_failing = True
            in_force = len(self._keys)
            _log.warning("jwks_not_fetched", issuer=self.name, error=str(error), keys_in_force=in_force)
            return
        self._is_failing = False
        if keys.keys() != self._keys.keys():
            _log.info("jwks_changed", issuer=self.name, key_ids=sorted(keys))
        # Keys that are new objects have to verify everything anew, so only changed ones may be.
        same = {
            i: self._keys[i] for i, key in keys.items() if i in self._keys and _is_same(key, self._keys[i])
        }
        self._keys, self._fetched_at = {**keys, **same}, self._monotonic()


def keys_of(data: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys of a set by id; what cannot verify a signature safely is left out. Raises JwksError."""
    if len(data) > MAX_BYTES:
        raise JwksError("the set of keys is larger than 1 MiB")
    try:
        listed = msgspec.json.decode(data, type=_Set).keys
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JwksError(f"this is no JSON Web Key Set: {error}") from error
    usable = {}
    for index, entry in enumerate(listed):
        key = _usable(entry)
        if key is not None:
            usable[str(entry.get("kid", f"#{index}"))] = key
    return usable


def _is_same(one: jwt.PyJWK, other: jwt.PyJWK) -> bool:
    return one.algorithm_name == other.algorithm_name and bool(one.key == other.key)


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


def _usable(entry: dict[str, Any]) -> jwt.PyJWK | None:
    # A symmetric key in a public set is public, and proves nothing.
    if entry.get("kty") not in {"RSA", "EC", "OKP"} or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short keys, which are left out right below
            key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if entry["kty"] == "RSA" and key.key.key_size < _MIN_RSA_BITS:
        return None
    return key
