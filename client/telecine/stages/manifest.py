"""The stage manifest: what stands in a stage's `manifest.json`, and how it is read and written.

It shares its words with the encoder's manifest; `telecine/schemas/stage-manifest.schema.json` is generated
from these types. Metadata of the caller's own stands flat beside a file's fixed fields:
`jq '.outputs[].sample_rate'`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from telecine.stages.errors import StageManifestError
from telecine.stages.process_identity import Process

SCHEMA_ID = "urn:telecine:stage-manifest:1"
"""Names the meaning of the fields; a new number means that readers must change."""
SCHEMA_VERSION = "1.0"
"""Grows with additions that old readers may ignore."""
FILE_NAME = "manifest.json"
STAGE_LOG_NAME = "stage.log"

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]


class StageStatus(StrEnum):
    """How a stage stands; the encoder's manifest uses the same four words."""

    RUNNING = "running"
    """Only true while `process` lives: one that was killed leaves this word behind."""
    SUCCESS = "success"
    """Every output that was tracked is there."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Nothing had to be done."""


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory that the stage read, with the caller's own metadata beside these fields."""

    type: str
    """"audio", "video", "transcript" ..."""
    path: str
    """Below the job directory with "/", or absolute."""
    from_stage: str | None = None
    """The stage in whose directory it lies; null: none."""
    size_bytes: int
    """Of a directory: of all files in it."""
    sha256: str | None
    """Lower-case hex, taken when it was tracked; null: not asked for. Of a directory: the SHA-256 of its
    sorted lines `<sha256>  <path>`, as sha256sum prints them."""
    file_count: int | None = None
    """Of a directory; null: it is a file."""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class OutputFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory that the stage made, with the caller's own metadata beside these fields."""

    type: str
    """"audio", "transcript", "subtitle" ..."""
    path: str
    """Below the job directory with "/", or absolute."""
    size_bytes: int
    """Of a directory: of all files in it."""
    sha256: str | None
    """As of an input; taken when it was tracked, and again at the end if it has changed since."""
    file_count: int | None = None
    """Of a directory; null: it is a file."""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class IntermediateFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory that was made on the way, with the caller's own metadata beside these fields."""

    type: str = "intermediate"
    path: str
    """Below the job directory with "/", or absolute."""
    is_retained: bool = msgspec.field(name="retained")
    """Whether it is kept after the stage."""
    reason: str
    """Why it was made, and why it is kept or not."""
    size_bytes: int
    """When it was last looked at; 0: it was not there."""
    sha256: str | None = None
    """Null: not asked for."""
    file_count: int | None = None
    """Of a directory; null: it is a file, or was not there."""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class GpuUse(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU while the stage ran, as NVML reports it."""

    index: int
    uuid: str
    name: str
    is_attributed: bool
    """Whether NVML named the stage's own processes on it. False inside of most containers: the figures are
    then those of the whole device."""
    peak_memory_bytes: int
    """Of the stage's processes, or of the device."""
    mean_utilization_percent: float
    """Of the device: the share of time in which a kernel ran."""
    occupied_seconds: float
    """How long the stage's processes held memory on it, or the whole stage."""
    energy_joules: float | None
    """Of the device meanwhile; null: not reported."""


class StageResources(msgspec.Struct, frozen=True, kw_only=True):
    """What the stage used, measured without being asked, with the caller's own figures beside these."""

    cpu_seconds: float = 0.0
    """Of the process and its children, user and system."""
    cpu_percent: float = 0.0
    """`cpu_seconds` by `duration_seconds`; 100 is one core."""
    peak_rss_bytes: int = 0
    """The largest sum over the process and its children. Children are looked at twice a second, and pages
    that processes share count in each."""
    is_shared: bool = False
    """Whether another stage was open in the same process meanwhile: its use is then counted here too."""
    gpus: tuple[GpuUse, ...] = ()
    """Empty: none was used, or NVML is not there."""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class CostItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that costs money."""

    name: str
    """Of what was bought: an API, a model, "compute: cpu"."""
    amount: float
    """In `currency`."""
    currency: str
    """ISO 4217: "USD"."""
    quantity: float | None = None
    """How many of `unit`; null: not given."""
    unit: str = ""
    """"calls", "tokens", "h" ..."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the stage cost."""

    items: tuple[CostItem, ...] = ()
    totals: dict[str, float] = msgspec.field(default_factory=dict)
    """Currency to sum."""


class ErrorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A failure during the stage, with its message and code."""

    timestamp: Timestamp
    message: str
    code: str
    """The same as `exception_type`, or a code of Telecine's own such as MISSING_OUTPUT."""
    exception_type: str
    """Empty: there was no exception."""
    exception_detail: str
    """What the exception says; its stack stands in stage.log."""


class WarningLine(msgspec.Struct, frozen=True, kw_only=True):
    """A warning that the stage noted, with its code."""

    timestamp: Timestamp
    message: str
    code: str
    """Listed in docs/stages.md; empty: the caller's own."""


class Problem(msgspec.Struct, frozen=True):
    """Why an attempt failed."""

    code: str
    message: str


class EarlierAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A run of this stage before this one."""

    number: int
    """From 1."""
    started_at: Timestamp
    ended_at: Timestamp | None
    """Null: it died; nobody knows when."""
    status: StageStatus
    duration_seconds: float
    """Of one that died: until its last sign of life."""
    cpu_seconds: float
    cost: dict[str, float]
    """Currency to sum."""
    problem: Problem | None = None


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What ran the stage."""

    telecine: str
    """Version of the SDK."""
    python: str
    platform: str


class StageManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one stage of a pipeline read, made and used; replaced whole, whenever something is tracked."""

    schema: str = SCHEMA_ID
    schema_version: str = SCHEMA_VERSION
    job_id: str
    stage: str
    stage_number: int
    """From 1; the same in every run of the job."""
    attempt: int
    """From 1; grows with each run of the stage."""
    timestamp: Timestamp
    """When this attempt started."""
    status: StageStatus
    duration_seconds: float
    """From `timestamp` to `completed_at`, or, while it runs, to `updated_at`."""
    updated_at: Timestamp
    """When this was written."""
    completed_at: Timestamp | None
    """Null while it runs."""
    inputs: tuple[InputFile, ...]
    outputs: tuple[OutputFile, ...]
    intermediate_files: tuple[IntermediateFile, ...]
    config: dict[str, Any]
    """What the caller said about how the stage works."""
    resources: StageResources
    cost: Cost
    errors: tuple[ErrorEntry, ...]
    warnings: tuple[WarningLine, ...]
    metadata: dict[str, Any]
    """The caller's own data."""
    process: Process
    """Who runs it, or ran it last."""
    earlier_attempts: tuple[EarlierAttempt, ...]
    """Oldest first."""
    build: Build


_FLAT: dict[str, type[msgspec.Struct]] = {
    "inputs": InputFile,
    "outputs": OutputFile,
    "intermediate_files": IntermediateFile,
}
RESERVED: dict[type[msgspec.Struct], frozenset[str]] = {
    kind: frozenset(field.encode_name for field in msgspec.structs.fields(kind))
    for kind in (InputFile, OutputFile, IntermediateFile, StageResources)
}
"""Names that the caller's own metadata may not have, by the entry it stands beside."""


def encode_manifest(manifest: StageManifest) -> bytes:
    """Returns indented UTF-8 JSON that ends with a newline."""
    tree = msgspec.to_builtins(manifest)
    for entry in (*(entry for name in _FLAT for entry in tree[name]), tree["resources"]):
        entry.update(entry.pop("metadata"))
    return msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"


def decode_manifest(data: bytes) -> StageManifest:
    """Parses a manifest; fields that are not known are ignored, or metadata. Raises StageManifestError."""
    try:
        tree = msgspec.json.decode(data, type=dict[str, Any])
        if tree.get("schema") != SCHEMA_ID:
            raise StageManifestError(
                f"its schema is {tree.get('schema')!r}; this version reads {SCHEMA_ID!r}"
            )
        for name, kind in _FLAT.items():
            tree[name] = [_folded(entry, RESERVED[kind]) for entry in tree.get(name, ())]
        tree["resources"] = _folded(tree.get("resources", {}), RESERVED[StageResources])
        return msgspec.convert(tree, StageManifest)
    except (msgspec.ValidationError, msgspec.DecodeError, TypeError, AttributeError) as error:
        raise StageManifestError(f"it is no stage manifest: {error}") from error


def read_manifest(path: Path) -> StageManifest:
    """Reads a manifest file. Raises StageManifestError, OSError."""
    try:
        return decode_manifest(path.read_bytes())
    except StageManifestError as error:
        raise StageManifestError(f"{path}: {error.message}") from error


def _folded(entry: dict[str, Any], fixed: frozenset[str]) -> dict[str, Any]:
    """The flat entry with what is not fixed gathered under `metadata`."""
    known = {name: value for name, value in entry.items() if name in fixed and name != "metadata"}
    return known | {"metadata": {name: value for name, value in entry.items() if name not in fixed}}
