"""What happens to jobs, reported once: to the service's log, to its metrics and to webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import structlog

from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.job import Job
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.story import JobStory
from encoder_service.metrics import EncoderMetrics
from encoder_service.spec.spec import OutputSpec, WebhookEvent
from encoder_service.store.record import JobRecord, OutputState, tenant_field
from encoder_service.webhooks.delivery import WebhookDelivery
from encoder_service.webhooks.dispatcher import Persist, WebhookDispatcher


class JobEvents:
    """One method for each milestone. Lives on the event loop.

    A milestone that webhooks hear of is promised to them on the disk before the method returns.
    """

    def __init__(
        self,
        files: JobFiles,
        webhooks: WebhookDispatcher,
        metrics: EncoderMetrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._files = files
        self._webhooks = webhooks
        self._metrics = metrics
        self._log = log
        self._story = JobStory(log)

    # --- a job's life ----------------------------------------------------------------------------

    def accepted(self, record: JobRecord) -> None:
        """A new job was taken, and its record is on the disk."""
        self._metrics.job_accepted()
        self._story.accepted(record)

    def persisted(self, count: int) -> None:
        """So many bytes of frames have reached a spool."""
        self._metrics.persisted_bytes.inc(count)

    async def received(self, job: Job) -> None:
        """All frames of a job are here."""
        self._story.received(job.record)
        await self._webhooks.notify(job.record, WebhookEvent.JOB_RECEIVED, self._persist(job))

    async def output_made(
        self, job: Job, output: OutputSpec, evidence: AttemptEvidence, result: Produced
    ) -> None:
        """An output's files are in place."""
        self._metrics.attempt_ended(output.format, result, OutputState.SUCCEEDED)
        self._story.made(job.record, output.name, evidence, result)
        await self._output_ended(job, output)

    async def attempt_failed(
        self, job: Job, output: OutputSpec, evidence: AttemptEvidence, result: Failed, *, will_retry: bool
    ) -> None:
        """An attempt failed; unless it is tried again, so has the output."""
        state = OutputState.WAITING if will_retry else OutputState.FAILED
        self._metrics.attempt_ended(output.format, result, state)
        self._story.failed(job.record, output.name, evidence, result, will_retry=will_retry)
        if not will_retry:
            await self._output_ended(job, output)

    def manifest_written(self, record: JobRecord, path: str) -> None:
        """A job's manifest is in place."""
        self._story.manifested(record, path)

    async def end_recorded(self, job: Job) -> tuple[WebhookDelivery, ...]:
        """Promises what webhooks are owed for a job's end; `ended` sends it."""
        return await self._webhooks.promise(job.record, WebhookEvent.JOB_ENDED, self._persist(job))

    def ended(self, record: JobRecord, promised: Iterable[WebhookDelivery]) -> None:
        """A job is over and its frames are gone."""
        self._metrics.job_ended(record)
        self._story.ended(record)
        self._webhooks.send(promised)

    async def recovered(self, job: Job) -> None:
        """A job of a former process goes on: what that may have failed to promise is promised again."""
        await self._webhooks.catch_up(job.record, self._persist(job))

    # --- around it -------------------------------------------------------------------------------

    def not_created(self, job_id: str, tenant: str, error: OSError) -> None:
        """A job was refused, as the disk did not take its record."""
        self._log.error("a job cannot be created", job_id=job_id, **tenant_field(tenant), error=str(error))

    def forgotten(self, record: JobRecord) -> None:
        """A job without a byte went with its client."""
        about = tenant_field(record.tenant)
        self._log.info("job forgotten: its client left before a byte came", job_id=record.job_id, **about)

    def deleted(self, record: JobRecord) -> None:
        """An ended job was deleted with its artifacts."""
        self._log.info("job deleted", job_id=record.job_id, **tenant_field(record.tenant))

    def leftovers_removed(self, names: Sequence[str]) -> None:
        """Files that no job knew are gone."""
        self._log.info("leftovers removed", names=names[:20], count=len(names))

    def storage_changed(self, *, is_there: bool) -> None:
        """The data directory has gone, or has come back."""
        report = self._log.info if is_there else self._log.critical
        report("the data directory is there again" if is_there else "the data directory is gone")

    async def _output_ended(self, job: Job, output: OutputSpec) -> None:
        await self._webhooks.notify(job.record, WebhookEvent.OUTPUT_ENDED, self._persist(job), output.name)

    def _persist(self, job: Job) -> Persist:
        return partial(self._files.retry_until_done, job, "webhooks")
