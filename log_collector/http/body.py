"""Reads the body of a request: in time, up to its limit, and not too many bytes of all clients together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from telecine.errors.v1 import error_reason_pb2 as reasons

from log_collector import errors
from log_collector.http.packing import IDENTITY, TAKEN, unpack
from log_collector.ingest.budget import ByteBudget
from log_collector.processors.lanes import Lanes
from log_collector.record import BatchError, RejectionReason
from service_host.status.http_status import HttpError
from service_host.status.status import ServiceError

_ALWAYS_BYTES = 4 * 1024**2
"""What a body may unpack to, however well it is packed."""
_INLINE_BYTES = 4096
"""A body so small is unpacked at once: a thread would cost more than it gains."""
_INLINE_UNPACKED_BYTES = 64 * 1024


class BodyLimits(msgspec.Struct, frozen=True):
    """What bounds one body."""

    sent_bytes: int
    unpacked_bytes: int
    unpacked_ratio: int
    """How many times its size a body may unpack to, where that is above 4 MiB."""
    read_seconds: float
    retry_seconds: float
    held_bytes: int
    """Of all bodies that are being read."""


class Sent(msgspec.Struct, frozen=True):
    """A body on its way."""

    pieces: AsyncIterator[bytes]
    stated_bytes: int | None
    """What the request says; None: nothing."""
    encoding: str
    """How it is packed, in small letters; empty: not at all."""


class Bodies:
    """Belongs to the event loop."""

    def __init__(self, lanes: Lanes, limits: Callable[[], BodyLimits]) -> None:
        """`limits` is asked for each body: they change with the configuration."""
        self._limits = limits
        self._lanes = lanes
        self._held_bytes = 0
        self._unpacking = ByteBudget(limits().held_bytes)

    @asynccontextmanager
    async def received(self, sent: Sent, sender: str, limit_bytes: int = 0) -> AsyncIterator[bytes]:
        """The body, unpacked; it counts as held while the block runs. `limit_bytes` 0: the usual limits.

        Raises HttpError, or ServiceError.
        """
        limits = self._limits()
        sent_limit = min(limit_bytes or limits.sent_bytes, limits.sent_bytes)
        if sent.encoding not in IDENTITY and sent.encoding not in TAKEN:
            raise _unknown_encoding()
        if (sent.stated_bytes or 0) > sent_limit:
            raise _too_large(f"the body has {sent.stated_bytes} bytes, the limit is {sent_limit}")
        pieces: list[bytes] = []
        try:
            await self._read(sent, msgspec.structs.replace(limits, sent_bytes=sent_limit), pieces)
            body = b"".join(pieces)
            if sent.encoding in IDENTITY:
                yield body
                return
            limit = max(_ALWAYS_BYTES, len(body) * limits.unpacked_ratio)
            limit = min(limit_bytes or limits.unpacked_bytes, limits.unpacked_bytes, limit)
            async with self._unpacked(body, sent.encoding, limit, sender) as unpacked:
                yield unpacked
        finally:
            self._held_bytes -= sum(map(len, pieces))

    async def _read(self, sent: Sent, limits: BodyLimits, pieces: list[bytes]) -> None:
        seconds, limit = limits.read_seconds, limits.sent_bytes
        size = 0
        try:
            async with asyncio.timeout(seconds):
                async for piece in sent.pieces:
                    size += len(piece)
                    if size > limit:
                        raise _too_large(f"the body has more than {limit} bytes")
                    if self._held_bytes + len(piece) > limits.held_bytes:
                        raise errors.busy(limits.retry_seconds)
                    self._held_bytes += len(piece)
                    pieces.append(piece)
        except TimeoutError as error:
            raise _too_slow(seconds) from error

    @asynccontextmanager
    async def _unpacked(self, body: bytes, encoding: str, limit: int, sender: str) -> AsyncIterator[bytes]:
        """The unpacked body; what it may become is reserved before, what it became until the block ends."""
        await self._unpacking.acquire(limit)
        held = limit
        try:
            try:
                unpacked = await self._unpack(body, encoding, limit, sender)
            except BatchError as error:
                if error.reason is RejectionReason.TOO_LARGE:
                    raise _too_large(error.message) from error
                raise errors.malformed(error.message) from error
            self._unpacking.release(limit - len(unpacked))
            held = len(unpacked)
            yield unpacked
        finally:
            self._unpacking.release(held)

    async def _unpack(self, body: bytes, encoding: str, limit: int, sender: str) -> bytes:
        if len(body) <= _INLINE_BYTES:
            try:
                return unpack(body, encoding, min(limit, _INLINE_UNPACKED_BYTES))
            except BatchError as error:
                if error.reason is not RejectionReason.TOO_LARGE:
                    raise
        return await self._lanes.run(sender, lambda _limit: unpack(body, encoding, limit))


def _too_large(message: str) -> ServiceError:
    return ServiceError(reasons.ERROR_REASON_TOO_LARGE, f"{message}; send it in several requests")


def _too_slow(seconds: float) -> HttpError:
    message = f"the body did not come within {seconds:g} s"
    return HttpError(408, ServiceError(reasons.ERROR_REASON_STREAM_SILENT, message))


def _unknown_encoding() -> HttpError:
    taken = ", ".join(TAKEN)
    error = errors.invalid_field("content-encoding", f"expected one of {taken}, or none")
    return HttpError(415, error, {"accept-encoding": taken})
