"""Takes one stream's chunks to the spool: off the event loop, many in one write, never more than a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

import msgspec

from encoder_service import errors, failpoints
from encoder_service.spool.clip_limit import NO_LIMIT, ClipLimit
from encoder_service.spool.quota import SpoolFullError, SpoolSpace
from encoder_service.spool.spool import DiskFullError, Spool
from service_host.quotas.exceeded import QuotaError, quota_exceeded

_FREE_CHECK_BYTES = 8 << 20


class IngestLimits(msgspec.Struct, frozen=True):
    """How frames are taken in, from the configuration."""

    max_pending_bytes: int
    """Received and not yet written, of one stream."""
    min_free_bytes: int | None
    """Frames are refused before less than this is free on the disk; None: the usual share of it."""
    is_synced: bool
    """Written through to the disk before they are acknowledged."""
    retry_after_seconds: float
    """After how long a refused client may try again."""


class Ingest:
    """Appends to one track for one attached stream. Its maker closes it before another is made for the job.

    While one write is under way in a thread the next chunks gather; `put` waits when they are too many.
    """

    def __init__(
        self,
        name: str,
        spool: Spool,
        space: SpoolSpace,
        executor: Executor,
        limits: IngestLimits,
        on_persisted: Callable[[], None],
        on_failed: Callable[[Exception], None],
        limit: ClipLimit = NO_LIMIT,
    ) -> None:
        """`on_failed` is called with a failed write at once: the sender may have nothing more to send.

        `name`: under which the track holds its room.
        """
        self._name = name
        self._spool = spool
        self._space = space
        self._executor = executor
        self._limits = limits
        self._on_persisted = on_persisted
        self._on_failed = on_failed
        self._limit = limit
        self._pending: list[tuple[bytes | memoryview, int]] = []
        self._pending_bytes = 0
        self._writing_bytes = 0
        self._write: asyncio.Future[None] | None = None
        self._progressed = asyncio.Event()
        self._failure: Exception | None = None
        self._end = spool.persisted_bytes
        self._unchecked_bytes = 0

    async def put(self, data: bytes | memoryview, checksum: int) -> None:
        """Takes a chunk with its CRC32C; returns once there is room for another. Raises ServiceError.

        A chunk that was taken is acknowledged only by the spool's length.
        """
        self._raise_failure()
        if self._limit.size_bytes and self._end + len(data) > self._limit.size_bytes:
            what = f"{self._limit.track}, {self._limit.reason}"
            raise errors.too_large(what, self._end + len(data), self._limit.size_bytes)
        try:
            self._space.hold(self._name, self._end + len(data))
        except SpoolFullError as error:
            raise errors.spool_full(self._limits.retry_after_seconds) from error
        except QuotaError as error:
            raise quota_exceeded(error, self._limits.retry_after_seconds) from error
        self._check_disk(len(data))
        self._end += len(data)
        self._pending.append((data, checksum))
        self._pending_bytes += len(data)
        self._start_write()
        while self._pending_bytes + self._writing_bytes > self._limits.max_pending_bytes:
            await self._wait_for_write()
            self._raise_failure()

    async def drain(self) -> None:
        """Returns when everything taken is persisted. Raises ServiceError."""
        while self._write is not None:
            await self._wait_for_write()
        self._raise_failure()

    async def close(self) -> None:
        """Writes what was taken, as far as that is possible, and ends. Never raises; idempotent."""
        while self._write is not None:
            await self._wait_for_write()

    def _check_disk(self, size_bytes: int) -> None:
        self._unchecked_bytes -= size_bytes
        if self._unchecked_bytes > 0:
            return
        try:
            room = self._spool.disk_room(self._limits.min_free_bytes)
        except OSError as error:
            raise errors.disk_error(error, self._limits.retry_after_seconds) from error
        # What is left free on a small disk is less than lies between two looks at a large one.
        self._unchecked_bytes = min(_FREE_CHECK_BYTES, room.most_bytes // 32)
        if not room.can_ever_hold(self._end + size_bytes):
            raise errors.disk_too_small(self._end + size_bytes, room)
        if not room.takes(size_bytes + self._pending_bytes + self._writing_bytes):
            raise errors.disk_full(self._limits.retry_after_seconds, room)

    def _start_write(self) -> None:
        if self._write is not None or not self._pending or self._failure is not None:
            return
        batch, self._pending = self._pending, []
        self._writing_bytes, self._pending_bytes = self._pending_bytes, 0
        loop = asyncio.get_running_loop()
        self._write = loop.run_in_executor(self._executor, self._append, batch)
        self._write.add_done_callback(self._written)

    def _append(self, batch: list[tuple[bytes | memoryview, int]]) -> None:
        chunks, sums = [data for data, _ in batch], [checksum for _, checksum in batch]
        self._spool.append(chunks, sums, is_synced=self._limits.is_synced)
        failpoints.reach("spool_written")

    def _written(self, write: asyncio.Future[None]) -> None:
        self._write = None
        self._writing_bytes = 0
        error = write.exception()
        if error is not None:
            self._failure = self._translated(error)
            self._pending, self._pending_bytes = [], 0
            self._on_failed(self._failure)
        self._on_persisted()
        self._start_write()
        self._progressed.set()

    def _translated(self, error: BaseException) -> Exception:
        if isinstance(error, DiskFullError):
            room = None
            with suppress(OSError):
                room = self._spool.disk_room(self._limits.min_free_bytes)
            return errors.disk_full(self._limits.retry_after_seconds, room)
        if isinstance(error, OSError):
            return errors.disk_error(error, self._limits.retry_after_seconds)
        return RuntimeError(f"spool write failed: {error!r}")

    async def _wait_for_write(self) -> None:
        self._progressed.clear()
        await self._progressed.wait()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
