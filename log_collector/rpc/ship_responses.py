"""The responses of one Ship stream: in order, each once its records are durable, acknowledgements merged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from telecine.logs.v1 import log_collector_service_pb2 as pb

from log_collector import errors
from log_collector.ingest.accounting import Way
from log_collector.ingest.ingest import Ingest
from log_collector.journal import JournalFailedError
from log_collector.journal.ownership import producer_key
from log_collector.rpc import ship_wire as wire

Write: TypeAlias = Callable[[pb.ShipResponse], Awaitable[None]]


class PendingResponse(msgspec.Struct):
    """What is to be sent, once `durable` has ended where there is one."""

    producer: str
    before: list[pb.ShipResponse] = []
    last_seq: int | None = None
    durable: asyncio.Future[int] | None = None
    first_seq: int = 0
    count: int = 0
    refusal: str = ""
    """Why it was not taken, a key of REFUSALS."""


class ResponseQueue:
    """A bounded queue of responses, and its sender. Belongs to the stream's tasks."""

    def __init__(
        self, ingest: Ingest, write: Write, limit: int, retry_seconds: float, tenant: str = ""
    ) -> None:
        """`tenant`: whose the producers are."""
        self._tenant = tenant
        self._ingest = ingest
        self._write = write
        self._limit = limit
        self._retry_seconds = retry_seconds
        self._queue: asyncio.Queue[PendingResponse | None] = asyncio.Queue(limit)

    async def put(self, answer: PendingResponse | None) -> None:
        """Queues a response, None after the last one; waits while the sender lags behind."""
        await self._queue.put(answer)

    def _refusal(self, producer: str, first_seq: int, reason: str) -> pb.ShipResponse:
        """Asks a sender to send again, from where and when.

        To be made when it is sent and not before: what was still on its way to the disk when the batch was
        refused may have failed meanwhile, and a sender takes everything before the number for safe.
        """
        delay = 0.0 if reason in ("out_of_order", "corrupted") else self._retry_seconds
        if reason == "not_owner":
            return wire.refused(producer, first_seq, reason, delay, 0)
        key = producer_key(self._tenant, producer)
        expected = self._ingest.journal.producers.durable_seq(key) + 1
        return wire.refused(producer, first_seq, reason, delay, expected)

    async def send_all(self) -> None:
        """Sends until None is queued; every response waits for its turn."""
        unsent: dict[str, int] = {}
        while True:
            if unsent and (self._queue.empty() or len(unsent) > self._limit):
                await self._flush(unsent)
            answer = await self._queue.get()
            if answer is None:
                await self._flush(unsent)
                return
            if answer.durable is not None and not answer.durable.done():
                await self._flush(unsent)
            before, last_seq = await self._settled(answer)
            if before:
                await self._flush(unsent)
                for response in before:
                    await self._write(response)
            if last_seq is not None:
                unsent[answer.producer] = last_seq

    async def _settled(self, answer: PendingResponse) -> tuple[list[pb.ShipResponse], int | None]:
        """What to send first, and what is safe then; after a failure of the disk a refusal instead."""
        if answer.refusal:
            return [self._refusal(answer.producer, answer.first_seq, answer.refusal)], None
        if answer.durable is not None:
            try:
                await answer.durable
            except JournalFailedError as error:
                reason = errors.refusal_reason(error)
                if answer.count:
                    for books in self._ingest.accounting.books_of(self._tenant):
                        books.count_refused(Way.SHIP, reason, answer.count)
                return [self._refusal(answer.producer, answer.first_seq, reason)], None
        return answer.before, answer.last_seq

    async def _flush(self, unsent: dict[str, int]) -> None:
        for producer, last_seq in unsent.items():
            await self._write(wire.acknowledged(producer, last_seq))
        unsent.clear()
