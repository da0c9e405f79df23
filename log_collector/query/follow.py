"""Follows the journal for one caller: what passes its selector, as it becomes durable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Final

from telecine.logs.v1 import log_collector_service_pb2 as pb

from log_collector.journal import Journal, StoredBatch
from log_collector.query.selector import Selector

_READ_BYTES: Final = 256 << 10
_LAG_BYTES: Final = 64 << 20
_ANSWER_BYTES: Final = 1 << 20


class Follower:
    """Belongs to the event loop; reading and testing happen in the executor."""

    def __init__(
        self,
        journal: Journal,
        selector: Selector,
        position: int,
        executor: Executor,
        tenant: str | None = None,
    ) -> None:
        """`tenant`: whose records are followed; "" is the root one's; None: those of all."""
        self._tenant = tenant
        self._journal = journal
        self._selector = selector
        self._position = position
        self._executor = executor
        self._shown: Counter[bytes] = Counter()
        self._shown_until = journal.durable_position

    def skip_once(self, lines: list[bytes]) -> None:
        """These have been shown already, should they come again."""
        self._shown.update(lines)
        self._shown_until = self._journal.durable_position

    async def follow(self) -> AsyncIterator[pb.TailResponse]:
        """Yields until the journal is closed or the caller stops asking."""
        loop = asyncio.get_running_loop()
        while True:
            missed, lines = await loop.run_in_executor(self._executor, self._read)
            if missed or lines:
                for answer in _answers(missed, lines):
                    yield answer
            elif self._position >= self._journal.durable_position:
                await self._journal.wait_for_more(self._position)
                if self._position >= self._journal.durable_position:
                    return

    def _read(self) -> tuple[int, list[bytes]]:
        missed = self._skip_far()
        lines: list[bytes] = []
        for batch in self._journal.read(self._position, _READ_BYTES):
            self._position = batch.next_position
            if self._is_followed(batch):
                unpacked = batch.unpack_records()[:-1].split(b"\n")
                lines += [line for line in unpacked if self._is_shown_now(line)]
        if self._position >= self._shown_until:
            self._shown.clear()
        return missed, lines

    def _is_followed(self, batch: StoredBatch) -> bool:
        return self._tenant is None or batch.tenant == self._tenant

    def _is_shown_now(self, line: bytes) -> bool:
        if not line or self._selector.passes(line) is None:
            return False
        if not self._shown.get(line):
            return True
        self._shown[line] -= 1
        return False

    def _skip_far(self) -> int:
        """Gives up what lies too far behind; returns how many records that were."""
        missed = 0
        if self._journal.durable_position - self._position <= _LAG_BYTES:
            return 0
        goal = self._journal.durable_position - _LAG_BYTES // 2
        while self._position < goal and (batches := self._journal.read(self._position, _READ_BYTES)):
            missed += sum(batch.record_count for batch in batches if self._is_followed(batch))
            self._position = batches[-1].next_position
        return missed


def _answers(missed: int, lines: list[bytes]) -> list[pb.TailResponse]:
    answers = [pb.TailResponse(missed=missed)]
    size = 0
    for line in lines:
        if size > _ANSWER_BYTES:
            answers.append(pb.TailResponse())
            size = 0
        answers[-1].records.append(line)
        size += len(line)
    return answers
