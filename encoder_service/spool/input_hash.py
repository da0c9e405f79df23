"""Hashes spools while they grow, in one background thread, so that the hash is ready when the job ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from encoder_service.evidence.checksum import FrameHash, TrackHash

# Large: each read and update asks for the interpreter's lock, which the event loop needs more.
_READ_BYTES = 2 << 20
_TURN_BYTES = 64 << 20


class HashThread:
    """The thread; serves all jobs in turns.

    At normal priority: a low one would let it be set aside while it holds the interpreter's lock.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "input-hash")

    def follow(self, path: Path, make_hash: Callable[[], TrackHash] = FrameHash) -> InputHash:
        """Begins to hash a spool file from its first byte."""
        return InputHash(path, self._executor, make_hash)

    def close(self) -> None:
        """Ends the thread; hashes that were not awaited are given up."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class InputHash:
    """The hash of one spool. Lives on the event loop."""

    def __init__(
        self, path: Path, executor: ThreadPoolExecutor, make_hash: Callable[[], TrackHash] = FrameHash
    ) -> None:
        self._path = path
        self._executor = executor
        self._make_hash = make_hash
        self._hash = make_hash()
        self._done_bytes = 0
        self._target_bytes = 0
        self._turn: asyncio.Future[int] | None = None

    def advance(self, persisted_bytes: int) -> None:
        """Says how far the file may be read."""
        self._target_bytes = max(self._target_bytes, persisted_bytes)
        if self._turn is None and self._done_bytes < self._target_bytes:
            loop = asyncio.get_running_loop()
            end = min(self._target_bytes, self._done_bytes + _TURN_BYTES)
            self._turn = loop.run_in_executor(self._executor, self._update, end)
            self._turn.add_done_callback(self._turn_ended)

    async def digest(self, total_bytes: int) -> str:
        """Returns the hash of the first `total_bytes` as lower-case hex. Raises OSError, EOFError."""
        self.advance(total_bytes)
        while self._done_bytes < total_bytes:
            if self._turn is None:
                self.advance(total_bytes)
            if self._turn is not None:
                await asyncio.wait([turn := self._turn])
                turn.result()
        return self._hash.hexdigest()

    def _update(self, end: int) -> int:
        buffer = memoryview(bytearray(_READ_BYTES))
        position = self._done_bytes
        with self._path.open("rb", buffering=0) as file:
            while position < end:
                count = os.preadv(file.fileno(), [buffer[: min(_READ_BYTES, end - position)]], position)
                if not count:
                    raise EOFError(f"{self._path.name} ends at byte {position}, expected {end}")
                self._hash.update(buffer[:count])
                position += count
        return position

    def _turn_ended(self, turn: asyncio.Future[int]) -> None:
        self._turn = None
        if turn.cancelled():
            return
        if turn.exception() is not None:
            # Nobody knows how much of it was hashed: the next call begins at the first byte.
            self._hash, self._done_bytes = self._make_hash(), 0
            return
        self._done_bytes = turn.result()
        self.advance(self._target_bytes)
