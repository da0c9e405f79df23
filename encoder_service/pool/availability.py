"""Asks a worker once what can be made here, as soon as somebody wants to know or the house is quiet."""

from __future__ import annotations

import asyncio
import shutil
import tempfile

import structlog

from encoder_service.evidence.facts import Failed
from encoder_service.pool.pool import WorkerPool
from encoder_service.pool.worker_process import WorkerDiedError, WorkerProcess
from encoder_service.spec.formats import FORMATS
from encoder_service.worker_protocol import EncoderProbe, FormatProbe, Probe, Probed

_ATTEMPTS = 2
_PROBE_SECONDS = 120.0


class CapabilityProbe:
    """Lives on the event loop. The answer is kept for the life of the process."""

    def __init__(self, pool: WorkerPool, log: structlog.typing.FilteringBoundLogger) -> None:
        self._pool = pool
        self._log = log
        self._probing: asyncio.Task[Probed] | None = None

    @property
    def probed(self) -> Probed | None:
        """The answer, if it is there."""
        if self._probing is None or not self._probing.done() or self._probing.cancelled():
            return None
        return self._probing.result()

    def begin(self) -> None:
        """Starts probing unless that has been done."""
        if self._probing is None:
            self._probing = asyncio.create_task(self._probe())

    async def answer(self) -> Probed:
        """Returns what can be made; waits for a worker and for the probe."""
        self.begin()
        assert self._probing is not None  # noqa: S101 - begin has just set it
        return await asyncio.shield(self._probing)

    async def close(self) -> None:
        """Gives up; idempotent."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])

    async def _probe(self) -> Probed:
        reason = ""
        for _ in range(_ATTEMPTS):
            worker = await self._pool.wait_for_one()
            directory = await asyncio.to_thread(tempfile.mkdtemp, prefix="telecine-probe-")
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    return await _ask(worker, Probe(directory, self._pool.settings.confinement))
            except (WorkerDiedError, TimeoutError) as error:
                reason = f"the probe failed: {error or 'it took too long'}"
                self._log.error("capabilities cannot be probed", error=reason)
                await worker.kill()
            finally:
                self._pool.give_back(worker)
                await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
        return _nothing_works(reason)


async def _ask(worker: WorkerProcess, order: Probe) -> Probed:
    worker.send(order)
    while True:
        event = await worker.receive()
        if isinstance(event, Probed):
            return event
        if isinstance(event, Failed):
            raise WorkerDiedError(event.message)


def _nothing_works(reason: str) -> Probed:
    return Probed(
        formats=tuple(
            FormatProbe(
                format=row.name,
                media_type=row.media_type,
                file_extension=row.extension,
                default_codec=row.default_codec,
                can_carry_alpha=row.can_carry_alpha,
                encoders=tuple(
                    EncoderProbe(encoder.encoder, encoder.codec, is_available=False, reason=reason)
                    for encoder in row.encoders
                ),
            )
            for row in FORMATS.values()
        ),
        library_versions={},
    )
