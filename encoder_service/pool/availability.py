"""Asks a worker once what can be made here, when a client first asks or when the service is idle."""

from __future__ import annotations

import asyncio
import shutil
import tempfile

import msgspec
import structlog

from encoder_service import errors
from encoder_service.errors import ServiceError
from encoder_service.evidence.facts import Failed
from encoder_service.pool.pool import NoWorkersError, WorkerPool
from encoder_service.pool.worker_process import WorkerDiedError, WorkerProcess
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import JobSpec, OutputSpec, SkippedOutput
from encoder_service.worker_protocol import EncoderProbe, FormatProbe, Probe, Probed
from service_host.status.disclosure import for_clients

_ATTEMPTS = 2
_PROBE_SECONDS = 120.0


class CapabilityProbe:
    """Lives on the event loop. An answer is kept for the life of the process."""

    def __init__(self, pool: WorkerPool, log: structlog.typing.FilteringBoundLogger) -> None:
        self._pool = pool
        self._log = log
        self._probing: asyncio.Task[Probed | NoWorkersError] | None = None

    def begin(self) -> None:
        """Starts probing unless that has been done or is being done."""
        if self._probing is None or (self._probing.done() and not self._is_answered(self._probing)):
            self._probing = asyncio.create_task(self._probe())

    async def answer(self) -> Probed:
        """Returns what can be made; waits for a worker and for the probe.

        Raises NoWorkersError where no worker can be started; the next call probes again.
        """
        self.begin()
        assert self._probing is not None  # noqa: S101 - begin has just set it
        answer = await asyncio.shield(self._probing)
        if isinstance(answer, NoWorkersError):
            raise answer
        return answer

    async def published(self) -> Probed:
        """Returns the same as `answer`; without workers, that nothing can be made and why."""
        try:
            return await self.answer()
        except NoWorkersError as error:
            return _nothing_works(f"no worker can be started: {for_clients(str(error))}")

    @staticmethod
    def _is_answered(probing: asyncio.Task[Probed | NoWorkersError]) -> bool:
        return not probing.cancelled() and isinstance(probing.result(), Probed)

    async def close(self) -> None:
        """Gives up; idempotent."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])

    async def _probe(self) -> Probed | NoWorkersError:
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                worker = await self._pool.wait_for_one()
            except NoWorkersError as error:
                return error
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


def refusal(spec: JobSpec, probed: Probed) -> ServiceError | None:
    """Why the job must not be taken; None when every strict output has an encoder. Pure."""
    for output in spec.outputs:
        if output.strict and (found := _missing(output, probed)) is not None:
            encoder, reason = found
            return errors.encoder_unavailable(output.name, encoder, reason)
    return None


def without_unavailable(spec: JobSpec, probed: Probed) -> JobSpec:
    """The job without the outputs that have no encoder, strict ones excepted. Pure.

    Raises ServiceError ENCODER_UNAVAILABLE when none is left.
    """
    left, skipped = [], list(spec.skipped)
    for output in spec.outputs:
        found = None if output.strict else _missing(output, probed)
        if found is None:
            left.append(output)
        else:
            skipped.append(SkippedOutput(output, ": ".join(part for part in found if part)))
    if not left:
        raise errors.nothing_available([f"{entry.output.name}: {entry.reason}" for entry in skipped])
    return msgspec.structs.replace(spec, outputs=tuple(left), skipped=tuple(skipped))


def _missing(output: OutputSpec, probed: Probed) -> tuple[str, str] | None:
    row = next((row for row in probed.formats if row.format == output.format), None)
    if row is None:
        return "", f"format {output.format!r} was not probed"
    codec = output.codec or row.default_codec
    encoders = [probe for probe in row.encoders if probe.codec == codec]
    if any(probe.is_available for probe in encoders):
        return None
    if not encoders:
        return "", f"format {output.format!r} has no encoder for {codec!r}"
    return encoders[0].encoder, encoders[0].reason or "no encoder works"
