"""The connection that calls go over, made anew when the client's certificate files have changed.

gRPC reads a client's certificate once for each channel, and short-lived ones are replaced every hour: calls
that run stay on their channel, the next ones go over another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import grpc

from telecine.channel.arguments import Target, channel_options, credentials_of, pem_files
from telecine.tls.pem_files import PemFiles

ChannelT = TypeVar("ChannelT")

_Insecure = Callable[[str, Any], ChannelT]
_Secure = Callable[[str, grpc.ChannelCredentials, Any], ChannelT]


class Connection(Generic[ChannelT]):
    """One channel, and how many calls go over it."""

    def __init__(self, channel: ChannelT) -> None:
        self.channel = channel
        self._lock = threading.Lock()
        self._calls = 0

    @property
    def is_idle(self) -> bool:
        """Whether no call goes over it."""
        return self._calls == 0

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Holds the channel while the body calls."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def hold_for(self, call: Any) -> None:
        """Holds the channel until the call ends, a stream's too; from a blocking or an asyncio channel."""
        self._add(1)

        def ended(*_: object) -> None:
            self._add(-1)

        if hasattr(call, "add_done_callback"):
            call.add_done_callback(ended)
        elif not call.add_callback(ended):
            ended()

    def _add(self, calls: int) -> None:
        with self._lock:
            self._calls += calls


class Connections(Generic[ChannelT]):
    """The channel in use, and older ones that calls still go over. Thread-safe."""

    def __init__(self, target: Target, insecure: _Insecure[ChannelT], secure: _Secure[ChannelT]) -> None:
        """Reads the certificate files. Raises InvalidRequestError for what cannot be used."""
        self._target = target
        self._insecure = insecure
        self._secure = secure
        self._lock = threading.Lock()
        self._files: PemFiles | None = pem_files(target.tls) if target.tls is not None else None
        self._current = self._made()
        self._older: list[Connection[ChannelT]] = []

    def current(self) -> Connection[ChannelT]:
        """The connection for the next call."""
        if self._files is None:
            return self._current
        with self._lock:
            if self._files.has_changed():
                self._older.append(self._current)
                self._current = self._made()
            return self._current

    def unused(self) -> list[ChannelT]:
        """Channels to close: older ones that no call goes over any more. Each is returned once."""
        if not self._older:
            return []
        with self._lock:
            idle = [connection for connection in self._older if connection.is_idle]
            self._older = [connection for connection in self._older if not connection.is_idle]
        return [connection.channel for connection in idle]

    def every(self) -> list[ChannelT]:
        """All channels that are open, for the end."""
        with self._lock:
            return [connection.channel for connection in (self._current, *self._older)]

    def _made(self) -> Connection[ChannelT]:
        options = channel_options(self._target)
        if self._files is None:
            return Connection(self._insecure(self._target.address, options))
        return Connection(self._secure(self._target.address, credentials_of(self._files.pem), options))
