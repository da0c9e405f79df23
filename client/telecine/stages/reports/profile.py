"""Profiles a job, or several: where the time went, on what it was waited, and what each stage cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from telecine.stages.manifest import StageManifest
from telecine.stages.reports.graph import make_graph
from telecine.stages.reports.reading import JobStages, StageRecord

_DIGITS = 6
_NONE: tuple[float, tuple[str, ...]] = (0.0, ())
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class StageProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of one job."""

    stage: str
    stage_number: int
    state: str
    attempts: int
    duration_seconds: float
    """Of the last attempt."""
    earlier_seconds: float
    """Of all attempts before it."""
    share_percent: float
    """Of the last attempts of all stages together."""
    cpu_seconds: float
    """Of all attempts."""
    peak_rss_bytes: int
    gpu_seconds: float
    """In which GPUs were occupied, all of them together; last attempt."""
    input_bytes: int
    output_bytes: int
    cost: dict[str, float]
    """Currency to sum, of all attempts."""
    is_critical: bool
    """Whether it lies on the longest chain of stages that waited for one another."""
    errors: int
    warnings: int


class JobReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `telecine stages report --json` prints for one job."""

    job_id: str
    job_dir: str
    started_at: datetime | None
    """Of the stage that started first; null: no manifest can be read."""
    ended_at: datetime | None
    """Of the stage that was written last."""
    span_seconds: float
    """From the first start to the last end, waiting between stages included."""
    stage_seconds: float
    """Sum over the stages, last attempts."""
    critical_seconds: float
    """Along the longest chain: no number of machines makes the job faster than this."""
    cpu_seconds: float
    cost: dict[str, float]
    """Currency to sum, of all stages and attempts."""
    stages: tuple[StageProfile, ...]
    """By number."""


class StageStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One stage over several jobs."""

    stage: str
    jobs: int
    mean_seconds: float
    max_seconds: float
    total_seconds: float
    """All attempts."""
    failed: int
    """Jobs in which it failed or died."""
    cost: dict[str, float]


class Report(msgspec.Struct, frozen=True):
    """What `telecine stages report --json` prints."""

    jobs: tuple[JobReport, ...]
    stages: tuple[StageStatistics, ...]
    """Over all jobs, the most expensive in time first."""


def make_report(job: JobStages) -> JobReport:
    """Profiles one job; stages without a manifest are left out."""
    manifests = [record.manifest for record in job.stages if record.manifest is not None]
    stage_seconds = sum(manifest.duration_seconds for manifest in manifests)
    chain, critical_seconds = critical_chain(job)
    profiles = tuple(
        _profile(record, record.manifest, stage_seconds, is_critical=record.name in chain)
        for record in job.stages
        if record.manifest is not None
    )
    started_at = min((_first_start(manifest) for manifest in manifests), default=None)
    ended_at = max((manifest.updated_at for manifest in manifests), default=None)
    span = (ended_at - started_at).total_seconds() if started_at and ended_at else 0.0
    return JobReport(
        job_id=manifests[0].job_id if manifests else job.job_dir.name,
        job_dir=str(job.job_dir),
        started_at=started_at,
        ended_at=ended_at,
        span_seconds=round(span, _DIGITS),
        stage_seconds=round(stage_seconds, _DIGITS),
        critical_seconds=round(critical_seconds, _DIGITS),
        cpu_seconds=round(sum(profile.cpu_seconds for profile in profiles), _DIGITS),
        cost=sum_costs(profile.cost for profile in profiles),
        stages=profiles,
    )


def compare_jobs(reports: Sequence[JobReport]) -> Report:
    """Joins several jobs' reports, with statistics of each stage over them."""
    by_stage: dict[str, list[StageProfile]] = {}
    for report in reports:
        for profile in report.stages:
            by_stage.setdefault(profile.stage, []).append(profile)
    rows = [_statistics(stage, profiles) for stage, profiles in by_stage.items()]
    return Report(tuple(reports), tuple(sorted(rows, key=lambda row: -row.total_seconds)))


def critical_chain(job: JobStages) -> tuple[frozenset[str], float]:
    """The stages of the longest chain by time, and how long it is. A chain follows who read whose outputs."""
    graph = make_graph(job)
    stage_nodes = [node for node in graph.nodes if node.is_stage]
    names = {node.id: record.name for node, record in zip(stage_nodes, job.stages, strict=True)}
    starts = {
        node.id: record.manifest.timestamp if record.manifest is not None else _LONG_AGO
        for node, record in zip(stage_nodes, job.stages, strict=True)
    }
    seconds = {node.id: node.duration_seconds or 0.0 for node in graph.nodes if node.id in names}
    before: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.source in names:
            before.setdefault(edge.target, []).append(edge.source)
    longest: dict[str, tuple[float, tuple[str, ...]]] = {}
    # A stage starts after those whose files it reads; where runs made a circle, it is cut by this order.
    for node in sorted(seconds, key=lambda node: starts[node]):
        best = max((longest[source] for source in before.get(node, ()) if source in longest), default=_NONE)
        longest[node] = (best[0] + seconds[node], (*best[1], node))
    total, chain = max(longest.values(), default=_NONE)
    return frozenset(names[node] for node in chain), total


def sum_costs(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Adds up costs by currency."""
    totals: dict[str, float] = {}
    for cost in costs:
        for currency, amount in cost.items():
            totals[currency] = round(totals.get(currency, 0.0) + amount, 9)
    return totals


def _profile(
    record: StageRecord, manifest: StageManifest, stage_seconds: float, *, is_critical: bool
) -> StageProfile:
    earlier = manifest.earlier_attempts
    share = 100 * manifest.duration_seconds / stage_seconds if stage_seconds > 0 else 0.0
    cpu_seconds = manifest.resources.cpu_seconds + sum(attempt.cpu_seconds for attempt in earlier)
    return StageProfile(
        stage=record.name,
        stage_number=record.directory.number,
        state=str(record.state),
        attempts=manifest.attempt,
        duration_seconds=manifest.duration_seconds,
        earlier_seconds=round(sum(attempt.duration_seconds for attempt in earlier), _DIGITS),
        share_percent=round(share, 1),
        cpu_seconds=round(cpu_seconds, _DIGITS),
        peak_rss_bytes=manifest.resources.peak_rss_bytes,
        gpu_seconds=round(sum(gpu.occupied_seconds for gpu in manifest.resources.gpus), _DIGITS),
        input_bytes=sum(file.size_bytes for file in manifest.inputs),
        output_bytes=sum(file.size_bytes for file in manifest.outputs),
        cost=sum_costs((manifest.cost.totals, *(attempt.cost for attempt in earlier))),
        is_critical=is_critical,
        errors=len(manifest.errors),
        warnings=len(manifest.warnings),
    )


def _first_start(manifest: StageManifest) -> datetime:
    return min((manifest.timestamp, *(attempt.started_at for attempt in manifest.earlier_attempts)))


def _statistics(stage: str, profiles: Sequence[StageProfile]) -> StageStatistics:
    seconds = [profile.duration_seconds for profile in profiles]
    return StageStatistics(
        stage=stage,
        jobs=len(profiles),
        mean_seconds=round(sum(seconds) / len(seconds), _DIGITS),
        max_seconds=max(seconds),
        total_seconds=round(sum(seconds) + sum(profile.earlier_seconds for profile in profiles), _DIGITS),
        failed=sum(profile.state in ("failed", "died") for profile in profiles),
        cost=sum_costs(profile.cost for profile in profiles),
    )
