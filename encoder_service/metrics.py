"""Counts what the encoder service receives, produces and refuses, for Prometheus."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from encoder_service.evidence.facts import Failed, Produced
from encoder_service.evidence.manifest import JobOutcome
from encoder_service.store.record import JobRecord, OutputState
from service_host.quotas.busiest import BusiestCounter, BusiestMetrics


class Levels(Protocol):
    """Figures that are read when Prometheus asks; must be cheap."""

    def spool_bytes(self) -> int:
        """Held by all jobs."""
        ...

    def jobs_by_state(self) -> dict[str, int]:
        """Jobs that have not ended, by state."""
        ...

    def damaged(self) -> dict[str, int]:
        """What damage has left, by reason."""
        ...

    def waiting_outputs(self) -> int:
        """Outputs that could run and have no worker."""
        ...

    def idle_workers(self) -> int:
        """Workers that wait for an output."""
        ...

    def pending_webhooks(self) -> int:
        """Webhook deliveries that nobody has taken yet."""
        ...


class EncoderMetrics:
    """The service's counters. One per service; registers itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received_bytes = Counter(
            "telecine_encoder_received_bytes", "Chunk bytes that passed their checks.", registry=registry
        )
        self.persisted_bytes = Counter(
            "telecine_encoder_persisted_bytes", "Bytes written to spools.", registry=registry
        )
        self.acknowledged_bytes = Counter(
            "telecine_encoder_acknowledged_bytes",
            "Bytes whose persistence was acknowledged.",
            registry=registry,
        )
        self._jobs = Counter("telecine_encoder_jobs", "Jobs accepted.", registry=registry)
        self._jobs_ended = Counter(
            "telecine_encoder_jobs_ended", "Jobs ended, by state.", ["state"], registry=registry
        )
        self._outputs = Counter(
            "telecine_encoder_outputs", "Outputs ended.", ["format", "state"], registry=registry
        )
        self._frames = Counter(
            "telecine_encoder_frames",
            "Frames of finished outputs; the steps must agree.",
            ["format", "step"],
            registry=registry,
        )
        self._attempts_failed = Counter(
            "telecine_encoder_attempts_failed", "Attempts that failed.", ["format", "code"], registry=registry
        )
        self.outputs_preempted = Counter(
            "telecine_encoder_outputs_preempted",
            "Starved outputs that gave their worker back.",
            registry=registry,
        )
        self.worker_restarts = Counter(
            "telecine_encoder_worker_restarts", "Workers that died or hung.", registry=registry
        )
        self.webhooks = Counter(
            "telecine_encoder_webhooks",
            "Tries to deliver a webhook, and deliveries given up.",
            ["result"],
            registry=registry,
        )
        self._rejected = Counter(
            "telecine_encoder_rejected",
            "Encode streams that ended with an error.",
            ["reason"],
            registry=registry,
        )
        self._registry = registry
        self._begin_sharing(registry)

    def _begin_sharing(self, registry: CollectorRegistry) -> None:
        """What is counted by tenant and by quota."""
        self.tenant_bytes = BusiestCounter()
        """Frames that came, by tenant."""
        self._quota_refusals = Counter(
            "telecine_encoder_quota_refusals", "Refusals for a quota.", ["quota"], registry=registry
        )
        registry.register(
            BusiestMetrics(
                {"telecine_encoder_tenant_received_bytes": ("Bytes of frames.", self.tenant_bytes)}
            )
        )

    def watch(self, levels: Levels) -> None:
        """Registers the gauges that are read on demand."""

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"telecine_encoder_{name}", text, registry=self._registry)

        gauge("spool_bytes", "Bytes that the frames of all jobs take on the disk.").set_function(
            levels.spool_bytes
        )
        gauge("waiting_outputs", "Outputs that wait for a worker.").set_function(levels.waiting_outputs)
        gauge("idle_workers", "Workers that wait for an output.").set_function(levels.idle_workers)
        gauge("webhooks_pending", "Webhook deliveries that nobody has taken yet.").set_function(
            levels.pending_webhooks
        )
        damaged = Gauge(
            "telecine_encoder_damaged",
            "Jobs and files that damage has left and an operator has to repair or remove.",
            ["reason"],
            registry=self._registry,
        )
        for reason in levels.damaged():
            damaged.labels(reason).set_function(partial(_damaged, levels, reason))
        states = Gauge(
            "telecine_encoder_jobs_open", "Jobs that have not ended.", ["state"], registry=self._registry
        )
        for state in ("receiving", "queued", "encoding"):
            states.labels(state).set_function(partial(_count, levels, state))

    def job_accepted(self) -> None:
        """Counts a new job."""
        self._jobs.inc()

    def job_ended(self, record: JobRecord) -> None:
        """Counts a job's end and its outputs that never ended by themselves."""
        self._jobs_ended.labels(str(record.outcome)).inc()
        if record.outcome in {JobOutcome.CANCELLED, JobOutcome.EXPIRED}:
            for output in record.spec.outputs:
                if record.outputs[output.name].state is OutputState.CANCELLED:
                    self._outputs.labels(output.format, OutputState.CANCELLED.value).inc()

    def attempt_ended(self, format_name: str, result: Produced | Failed, state: OutputState) -> None:
        """Counts an attempt, and the output if this ended it."""
        if state.is_final:
            self._outputs.labels(format_name, state.value).inc()
        if isinstance(result, Failed):
            self._attempts_failed.labels(format_name, result.code).inc()
            return
        for step, count in (
            ("read", result.frames_read),
            ("encoded", result.frames_encoded),
            ("decoded", result.frames_decoded),
        ):
            self._frames.labels(format_name, step).inc(count)

    def stream_failed(self, reason: str, quota: str = "") -> None:
        """Counts an Encode stream that ended with a reason; `quota`: which one was used up."""
        self._rejected.labels(reason).inc()
        if quota:
            self._quota_refusals.labels(quota).inc()


def _damaged(levels: Levels, reason: str) -> float:
    return levels.damaged().get(reason, 0)


def _count(levels: Levels, state: str) -> float:
    return levels.jobs_by_state().get(state, 0)
