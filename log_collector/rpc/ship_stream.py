"""One Ship stream: opens batches beside one another, stores them in order, answers when they are durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import google_crc32c
import msgspec
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector import errors
from log_collector.ingest.accounting import Way
from log_collector.ingest.budget import ByteBudget
from log_collector.ingest.ingest import Envelope, Ingest
from log_collector.ingest.opening import OpenedBatch, ReceivedBatch
from log_collector.journal import JournalClosedError, JournalFailedError, JournalFullError, Verdict
from log_collector.journal.digests import RECORD_BYTES
from log_collector.journal.ownership import producer_key
from log_collector.processors.lanes import Lanes
from log_collector.quotas.intake_pace import ROOT, Sender
from log_collector.rpc import ship_wire as wire
from log_collector.rpc.ship_responses import PendingResponse, ResponseQueue, Write
from service_host.status.status import ServiceError

_INLINE_RECORDS: Final = 64
"""A batch of so few records is opened at once, if it is cheap: a thread would cost more than it gains."""


class ShipLimits(msgspec.Struct, frozen=True):
    """What bounds the streams."""

    batches_per_stream: int = 16
    """Opened or waiting for the disk at once."""
    records_per_batch: int = 50_000
    retry_seconds: float = 1.0
    """What a refused sender waits."""


class _Turn(msgspec.Struct):
    """A message in its order: a batch with what is being made of it, or the asking of a place."""

    producer: str
    secret: bytes = b""
    batch: ReceivedBatch | None = None
    envelope: Envelope | None = None
    opening: asyncio.Future[OpenedBatch] | None = None
    refusal: str = ""
    size_bytes: int = 0


class ShipStream:
    """Runs once. Whatever was taken before an error or a drain is answered before the stream ends."""

    def __init__(
        self,
        ingest: Ingest,
        lanes: Lanes,
        budget: ByteBudget,
        limits: ShipLimits,
        write: Write,
        count: Callable[[int], None],
        sender: Sender = ROOT,
    ) -> None:
        """`sender`: whose the records are.

        `count` is called with +1 when the stream begins and -1 when it has ended.
        """
        self._sender = sender
        self._count = count
        self._ingest = ingest
        self._lanes = lanes
        self._budget = budget
        self._limits = limits
        self._turns: asyncio.Queue[_Turn | None] = asyncio.Queue(limits.batches_per_stream)
        self._answers = ResponseQueue(
            ingest, write, limits.batches_per_stream, limits.retry_seconds, sender.tenant
        )

    async def run(self, requests: AsyncIterator[pb.ShipRequest], draining: asyncio.Event) -> None:
        """Returns when the client has ended its side and all is answered.

        Raises ServiceError for a message that no client of the contract sends, and when the server drains.
        """
        self._count(1)
        storing = asyncio.create_task(self._store_in_order())
        answering = asyncio.create_task(self._answers.send_all())
        reading = asyncio.create_task(self._read(requests))
        drained = asyncio.create_task(draining.wait())
        tasks = (storing, answering, reading, drained)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() and drained.done():
                reading.cancel()
            failure = await _outcome(reading, storing, answering)
            await self._turns.put(None)
            await storing
            await answering
            if failure is not None:
                raise failure
            if draining.is_set():
                raise errors.draining(self._limits.retry_seconds)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._release_rest()
            self._count(-1)

    async def _read(self, requests: AsyncIterator[pb.ShipRequest]) -> None:
        async for request in requests:
            match request.WhichOneof("message"):
                case "batch":
                    turn = await self._take(request.batch)
                    try:
                        await self._turns.put(turn)
                    except asyncio.CancelledError:
                        self._budget.release(turn.size_bytes)
                        raise
                case "resume":
                    wire.require_resume(request.resume)
                    await self._turns.put(_Turn(request.resume.producer, request.resume.secret))
                case _:
                    raise wire.empty_message()

    async def _take(self, message: logs_pb2.Batch) -> _Turn:
        """Checks the envelope and begins to open the batch."""
        wire.require_batch(message, self._limits.records_per_batch)
        await self._sender.keep_pace(message.count)
        received = self._ingest.now_unix_nano()
        origin = self._ingest.opener.redaction.redact_origin(wire.origin_of(message.resource))
        batch = ReceivedBatch(
            self._key(message.producer), message.first_seq, message.count, origin.service, message.records,
            wire.encoding_of(message), received, tenant=self._sender.tenant,
            needs_checksums=not message.secret,
        )  # fmt: skip
        envelope = Envelope(
            Way.SHIP,
            message.producer,
            message.first_seq,
            message.count,
            received,
            origin,
            message.lost_before,
            tenant=self._sender.tenant,
        )
        turn = _Turn(message.producer, message.secret, batch, envelope)
        if self._ingest.is_draining:
            turn.refusal = "draining"
        elif self._ingest.journal.is_full:
            turn.refusal = "journal_full"
        elif message.HasField("crc32c") and google_crc32c.value(message.records) != message.crc32c:
            turn.refusal = "corrupted"
        elif not (message.secret and self._is_stored(batch)):
            turn.size_bytes = len(message.records)
            await self._budget.acquire(turn.size_bytes, self._sender.tenant)
            turn.opening = self._open(batch)
        return turn

    def _key(self, producer: str) -> str:
        return producer_key(self._sender.tenant, producer)

    def _is_stored(self, batch: ReceivedBatch) -> bool:
        return batch.first_seq + batch.count - 1 <= self._ingest.journal.producers.durable_seq(batch.producer)

    def _open(self, batch: ReceivedBatch) -> asyncio.Future[OpenedBatch]:
        loop = asyncio.get_running_loop()
        cheap = self._ingest.opener.open_if_cheap(batch) if batch.count <= _INLINE_RECORDS else None
        if cheap is None:
            # Its own turn among the streams.
            return loop.create_task(
                self._lanes.run(self, partial(self._ingest.opener.open, batch), self._sender.tenant)
            )
        opened = loop.create_future()
        opened.set_result(cheap)
        return opened

    async def _store_in_order(self) -> None:
        while (turn := await self._turns.get()) is not None:
            try:
                answer = await self._store(turn)
            finally:
                self._budget.release(turn.size_bytes)
                turn.size_bytes = 0
            await self._answers.put(answer)
        await self._answers.put(None)

    async def _store(self, turn: _Turn) -> PendingResponse:
        batch, envelope = turn.batch, turn.envelope
        journal = self._ingest.journal
        if batch is None or envelope is None:
            key = self._key(turn.producer)
            if journal.producers.proof_for(key, turn.secret) is None:
                return PendingResponse(turn.producer, refusal="not_owner")
            return PendingResponse(turn.producer, last_seq=journal.producers.resume_seq(key))
        if turn.refusal:
            return self._refuse(envelope, turn.refusal)
        opened = await turn.opening if turn.opening is not None else None
        while True:
            proof = journal.producers.proof_for(envelope.key, turn.secret)
            if proof is None:
                return self._refuse(envelope, "not_owner")
            seen = journal.admit(envelope.key, batch.first_seq, batch.count, envelope.lost_before)
            if seen.verdict is Verdict.OUT_OF_ORDER:
                return self._refuse(envelope, "out_of_order")
            taken = batch.count if seen.verdict is Verdict.DUPLICATE else seen.skip
            skip = taken if proof or not taken else self._equal_records(batch, opened, taken)
            if skip == batch.count:
                return self._acknowledge_again(envelope, is_durable=seen.is_durable)
            if opened is not None and batch.skip == skip:
                break
            batch = msgspec.structs.replace(batch, skip=skip)
            opened = await self._open(batch)
        envelope = msgspec.structs.replace(
            envelope,
            first_seq=envelope.first_seq + skip,
            count=envelope.count - skip,
            # What it declares beyond the hole there is was declared, or stored, before.
            lost_before=min(envelope.lost_before, max(0, batch.first_seq - seen.expected_seq)),
            proof=proof,
            checksums=opened.checksums[skip * RECORD_BYTES :],
            is_conflicting=skip < taken,
        )
        if skip:
            self._count_duplicate(skip)
        return self._append(envelope, opened, seen.expected_seq)

    def _equal_records(self, batch: ReceivedBatch, opened: OpenedBatch | None, taken: int) -> int:
        """How many records at a batch's beginning are those that are stored under their numbers.

        A batch that is wrong as a whole cannot be compared: there is nothing in it to be lost.
        """
        if opened is None or not opened.checksums:
            return taken
        checksums = opened.checksums[: taken * RECORD_BYTES]
        return self._ingest.journal.digests.equal_prefix(batch.producer, batch.first_seq, checksums)

    def _append(self, envelope: Envelope, opened: OpenedBatch, expected_seq: int) -> PendingResponse:
        try:
            durable = self._ingest.store(envelope, opened)
        except JournalFullError:
            return self._refuse(envelope, "journal_full")
        except (JournalClosedError, JournalFailedError) as error:
            return self._refuse(envelope, errors.refusal_reason(error))
        before = [wire.rejected(envelope.producer, envelope.first_seq, r) for r in opened.rejections]
        if envelope.first_seq > expected_seq:
            before.append(wire.gap(envelope.producer, expected_seq, envelope.first_seq - expected_seq))
        last = envelope.first_seq + envelope.count - 1
        return PendingResponse(envelope.producer, before, last, durable, envelope.first_seq, envelope.count)

    def _acknowledge_again(self, envelope: Envelope, *, is_durable: bool) -> PendingResponse:
        self._count_duplicate(envelope.count)
        last = envelope.first_seq + envelope.count - 1
        if is_durable:
            return PendingResponse(envelope.producer, last_seq=last)
        try:
            durable = self._ingest.journal.wait_until_durable()
        except JournalClosedError:
            return PendingResponse(envelope.producer, first_seq=envelope.first_seq, refusal="draining")
        # The records are counted as duplicates already, whatever becomes of those that are on their way.
        return PendingResponse(envelope.producer, [], last, durable, envelope.first_seq, 0)

    def _count_duplicate(self, count: int) -> None:
        for books in self._ingest.accounting.books_of(self._sender.tenant):
            books.count_duplicate(Way.SHIP, count)

    def _refuse(self, envelope: Envelope, reason: str) -> PendingResponse:
        for books in self._ingest.accounting.books_of(self._sender.tenant):
            books.count_refused(Way.SHIP, reason, envelope.count)
        return PendingResponse(envelope.producer, first_seq=envelope.first_seq, refusal=reason)

    def _release_rest(self) -> None:
        while not self._turns.empty():
            turn = self._turns.get_nowait()
            if turn is not None:
                self._budget.release(turn.size_bytes)
                if turn.opening is not None:
                    turn.opening.cancel()


async def _outcome(
    reading: asyncio.Task[None], storing: asyncio.Task[None], answering: asyncio.Task[None]
) -> BaseException | None:
    """Waits for the reader; a storer or an answerer that fails first is the stream's end."""
    await asyncio.wait((reading, storing, answering), return_when=asyncio.FIRST_COMPLETED)
    for task in (storing, answering):
        if task.done():
            task.result()
    if reading.cancelled():
        return None
    failure = reading.exception()
    if failure is not None and not isinstance(failure, ServiceError):
        raise failure
    return failure
