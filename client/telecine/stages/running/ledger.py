"""What one running stage has said so far, kept within bounds, and the manifest that it makes; does no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from telecine.logging.record.plain import Room, plain, utf8_safe
from telecine.logging.redaction import Counts, Redactor
from telecine.stages.errors import StageUsageError
from telecine.stages.manifest import (
    RESERVED,
    Build,
    Cost,
    CostItem,
    EarlierAttempt,
    ErrorEntry,
    InputFile,
    IntermediateFile,
    OutputFile,
    StageManifest,
    StageResources,
    StageStatus,
    WarningLine,
)
from telecine.stages.metering.meter import MeterReading
from telecine.stages.process_identity import Process
from telecine.stages.settings import Rates, StageSettings


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which run of which stage this is."""

    job_id: str
    stage: str
    number: int
    attempt: int
    started_at: datetime
    process: Process
    earlier_attempts: tuple[EarlierAttempt, ...]
    build: Build


class Ledger:
    """Takes entries and refuses those that contradict others or exceed the bounds."""

    def __init__(self, identity: Identity, settings: StageSettings) -> None:
        self.identity = identity
        self._settings = settings
        self.inputs: dict[str, InputFile] = {}
        self.outputs: dict[str, OutputFile] = {}
        self.intermediates: dict[str, IntermediateFile] = {}
        self.config: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.resources: dict[str, Any] = {}
        """The caller's own."""
        self.costs: list[CostItem] = []
        """The caller's own."""
        self.errors: list[ErrorEntry] = []
        self.warnings: list[WarningLine] = []
        self.is_shared = False
        self._lost_messages = {"errors": 0, "warnings": 0}

    def put_input(self, entry: InputFile) -> None:
        """Notes an input; a second one with its path replaces it. Raises StageUsageError."""
        self._check_room(entry.path, self.inputs)
        self.inputs[entry.path] = entry

    def put_output(self, entry: OutputFile) -> None:
        """Notes an output; a second one with its path replaces it. Raises StageUsageError."""
        self._check_room(entry.path, self.outputs)
        if entry.path in self.intermediates:
            raise StageUsageError(f"{entry.path} is tracked as an intermediate file; it cannot be both")
        self.outputs[entry.path] = entry

    def put_intermediate(self, entry: IntermediateFile) -> None:
        """Notes an intermediate file; a second one with its path replaces it. Raises StageUsageError."""
        self._check_room(entry.path, self.intermediates)
        if entry.path in self.outputs:
            raise StageUsageError(f"{entry.path} is tracked as an output; it cannot be both")
        if not entry.is_retained and entry.path in self.inputs:
            raise StageUsageError(f"{entry.path} is an input: the stage must not remove it")
        self.intermediates[entry.path] = entry

    def add_error(self, entry: ErrorEntry) -> None:
        """Notes an error; beyond the bound it is only counted."""
        if len(self.errors) < self._settings.max_messages:
            self.errors.append(entry)
        else:
            self._lost_messages["errors"] += 1

    def add_warning(self, entry: WarningLine) -> None:
        """Notes a warning; beyond the bound it is only counted."""
        if len(self.warnings) < self._settings.max_messages:
            self.warnings.append(entry)
        else:
            self._lost_messages["warnings"] += 1

    def manifest(
        self, status: StageStatus, reading: MeterReading, duration_seconds: float, now: datetime
    ) -> StageManifest:
        """The manifest as it stands now; with a status other than `running` it has ended now."""
        who = self.identity
        resources = self._resources(reading, duration_seconds)
        computing = computing_items(self._settings.rates, resources, duration_seconds)
        # A clock that was set back meanwhile does not make the end precede the start.
        at = max(now, who.started_at)
        return StageManifest(
            job_id=who.job_id,
            stage=who.stage,
            stage_number=who.number,
            attempt=who.attempt,
            timestamp=who.started_at,
            status=status,
            duration_seconds=round(duration_seconds, 6),
            updated_at=at,
            completed_at=None if status is StageStatus.RUNNING else at,
            inputs=tuple(self.inputs.values()),
            outputs=tuple(self.outputs.values()),
            intermediate_files=tuple(self.intermediates.values()),
            config=self.config,
            resources=resources,
            cost=cost_of((*self.costs, *computing)),
            errors=_with_loss(self.errors, self._lost_messages["errors"]),
            warnings=_with_loss(self.warnings, self._lost_messages["warnings"]),
            metadata=self.metadata,
            process=who.process,
            earlier_attempts=who.earlier_attempts,
            build=who.build,
        )

    def _resources(self, reading: MeterReading, duration_seconds: float) -> StageResources:
        percent = 100 * reading.cpu_seconds / duration_seconds if duration_seconds > 0 else 0.0
        return StageResources(
            cpu_seconds=reading.cpu_seconds,
            cpu_percent=round(percent, 1),
            peak_rss_bytes=reading.peak_rss_bytes,
            is_shared=self.is_shared,
            gpus=reading.gpus,
            metadata=self.resources,
        )

    def _check_room(self, path: str, entries: dict[str, Any]) -> None:
        files = len(self.inputs) + len(self.outputs) + len(self.intermediates)
        if path not in entries and files >= self._settings.max_files:
            raise StageUsageError(
                f"the stage tracks {files} files already, as many as max_files allows: "
                "track a directory instead"
            )


def check_metadata(kind: type[msgspec.Struct], names: Iterable[str]) -> None:
    """Raises StageUsageError for metadata whose name is that of a fixed field."""
    taken = RESERVED[kind] & set(names)
    if taken:
        raise StageUsageError(
            f"metadata cannot be called {', '.join(sorted(taken))}: the manifest uses the name"
        )


def _with_loss(entries: list[Any], lost: int) -> tuple[Any, ...]:
    if not lost:
        return tuple(entries)
    last = entries[-1]
    return (*entries[:-1], replace(last, message=f"{last.message} (and {lost} more that are left out)"))


_SECONDS_PER_HOUR = 3600.0


_DIGITS = 9
"""Sums of small amounts are rounded here, so that they read as they were given."""


def cost_of(items: Iterable[CostItem]) -> Cost:
    """The items with their sum in each currency."""
    items = tuple(items)
    totals: dict[str, float] = {}
    for item in items:
        totals[item.currency] = round(totals.get(item.currency, 0.0) + item.amount, _DIGITS)
    return Cost(items=items, totals=totals)


def computing_items(
    rates: Rates | None, resources: StageResources, duration_seconds: float
) -> list[CostItem]:
    """What the time, the cores and the GPUs cost; nothing where no rate is set."""
    if rates is None:
        return []
    gpu_seconds = sum(gpu.occupied_seconds for gpu in resources.gpus)
    rows = (
        ("compute: time", rates.wall_hour, duration_seconds),
        ("compute: cpu", rates.cpu_hour, resources.cpu_seconds),
        ("compute: gpu", rates.gpu_hour, gpu_seconds),
    )
    return [
        CostItem(
            name=name,
            amount=round(rate * seconds / _SECONDS_PER_HOUR, _DIGITS),
            currency=rates.currency,
            quantity=round(seconds / _SECONDS_PER_HOUR, _DIGITS),
            unit="h",
        )
        for name, rate, seconds in rows
        if rate
    ]


_LARGEST = 2**63


_MAX_PARTS = 200_000
"""A manifest keeps more of a value than a record does; what is left out leaves a `…`."""


_MAX_CHARACTERS = 16 << 20


def storable(value: Any, redactor: Redactor) -> tuple[Any, Counts]:
    """What the manifest may hold of a value, and how many secrets each rule took out of it."""
    redacted, counts = redactor.redact_value(_safe(plain(value, Room(_MAX_PARTS, _MAX_CHARACTERS))))
    return redacted, counts


def _safe(value: Any) -> Any:
    """Text that is UTF-8, numbers that every reader of JSON can hold."""
    if isinstance(value, str):
        return utf8_safe(value)
    if isinstance(value, dict):
        return {utf8_safe(key): _safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -_LARGEST <= value < _LARGEST:
        return str(value)
    return value


def number_of(value: object, what: str) -> float:
    """A finite number, which `what` names. Raises StageUsageError."""
    is_number = hasattr(value, "__float__") and not isinstance(value, bool)
    try:
        found = float(cast(float, value)) if is_number else math.nan
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise StageUsageError(f"{what} is {value!r}; expected a number")
    return found
