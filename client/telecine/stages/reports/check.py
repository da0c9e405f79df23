"""Validates a job directory: is everything there that the manifests list, unchanged, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from telecine.stages.errors import StageError
from telecine.stages.manifest import InputFile, IntermediateFile, OutputFile, StageManifest
from telecine.stages.metering.files import measure
from telecine.stages.reports.reading import JobStages, StageRecord, StageState
from telecine.stages.running.ending import untracked_files

_MAX_FILES = 1_000_000
_MAX_FINDINGS_OF_A_KIND = 1000


class FindingCode(StrEnum):
    """What can be wrong; docs/stages.md says what to do about each."""

    NO_MANIFEST = "NO_MANIFEST"
    STAGE_RUNNING = "STAGE_RUNNING"
    STAGE_DIED = "STAGE_DIED"
    STAGE_UNKNOWN = "STAGE_UNKNOWN"
    STAGE_FAILED = "STAGE_FAILED"
    NUMBER_DIFFERS = "NUMBER_DIFFERS"
    NUMBER_TWICE = "NUMBER_TWICE"
    MISSING_OUTPUT = "MISSING_OUTPUT"
    MISSING_INPUT = "MISSING_INPUT"
    MISSING_INTERMEDIATE = "MISSING_INTERMEDIATE"
    NOT_REMOVED = "NOT_REMOVED"
    UNLISTED_FILE = "UNLISTED_FILE"
    SIZE_DIFFERS = "SIZE_DIFFERS"
    HASH_DIFFERS = "HASH_DIFFERS"
    STALE_INPUT = "STALE_INPUT"
    UNCHECKED = "UNCHECKED"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    code: FindingCode
    stage: str
    path: str
    """As manifests write it; empty: the stage as a whole."""
    message: str


class JobCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What `telecine stages check --json` prints."""

    job_dir: str
    is_complete: bool
    """Every stage has ended well, and nothing was found."""
    stages: dict[str, str]
    """Stage to how it stands."""
    files_checked: int
    are_hashes_checked: bool
    findings: tuple[Finding, ...]


def check_job(job: JobStages, *, are_hashes_checked: bool = True) -> JobCheck:
    """Looks at every stage and file. What cannot be read is a finding; raises nothing of its own."""
    findings = list(_numbers(job))
    files_checked = 0
    for record in job.stages:
        findings += _standing(record)
        if record.manifest is not None:
            found, number = _files(job.job_dir, record.manifest, are_hashes_checked=are_hashes_checked)
            findings += found
            files_checked += number
            findings += _unlisted(job.job_dir, record)
    findings += _stale(job)
    return JobCheck(
        job_dir=str(job.job_dir),
        is_complete=not findings,
        stages={record.name: str(record.state) for record in job.stages},
        files_checked=files_checked,
        are_hashes_checked=are_hashes_checked,
        findings=tuple(findings),
    )


def _standing(record: StageRecord) -> Iterator[Finding]:
    """How the stage as a whole stands."""
    manifest, name = record.manifest, record.name
    if manifest is None:
        yield Finding(FindingCode.NO_MANIFEST, name, record.directory.path.name, record.fault)
        return
    who = f"process {manifest.process.pid} on {manifest.process.hostname}"
    since = f"since {manifest.timestamp:%Y-%m-%d %H:%M:%S} UTC"
    if record.state is StageState.DIED:
        message = f"it says running, {since}, but {who} is dead: run the stage again"
        yield Finding(FindingCode.STAGE_DIED, name, "", message)
    elif record.state is StageState.RUNNING:
        yield Finding(FindingCode.STAGE_RUNNING, name, "", f"it is running, {since}: {who}")
    elif record.state is StageState.UNKNOWN:
        message = f"it says running, {since}; {who} cannot be asked from here"
        yield Finding(FindingCode.STAGE_UNKNOWN, name, "", message)
    elif record.state is StageState.FAILED:
        why = manifest.errors[-1].message if manifest.errors else "it does not say why"
        yield Finding(FindingCode.STAGE_FAILED, name, "", why)
    if (manifest.stage, manifest.stage_number) != (name, record.directory.number):
        message = f"its manifest is of stage {manifest.stage_number} {manifest.stage}"
        yield Finding(FindingCode.NUMBER_DIFFERS, name, record.directory.path.name, message)


def _numbers(job: JobStages) -> Iterator[Finding]:
    """Two stages with one number, or one stage with two directories."""
    for record, following in zip(job.stages, job.stages[1:], strict=False):
        if record.directory.number == following.directory.number:
            message = f"{record.directory.path.name} has the same number"
            yield Finding(FindingCode.NUMBER_TWICE, following.name, following.directory.path.name, message)
    seen: dict[str, str] = {}
    for record in job.stages:
        path = record.directory.path.name
        if record.name in seen:
            message = f"{seen[record.name]} is of the same stage"
            yield Finding(FindingCode.NUMBER_TWICE, record.name, path, message)
        seen[record.name] = path


def _files(job_dir: Path, manifest: StageManifest, *, are_hashes_checked: bool) -> tuple[list[Finding], int]:
    findings: list[Finding] = []
    for output in manifest.outputs:
        findings += _against_disk(
            job_dir, manifest, output, FindingCode.MISSING_OUTPUT, are_hashes_checked=are_hashes_checked
        )
    for read in manifest.inputs:
        if not (job_dir / read.path).exists():
            message = "it was read, and is no longer there"
            findings.append(Finding(FindingCode.MISSING_INPUT, manifest.stage, read.path, message))
    has_ended = manifest.completed_at is not None
    for file in manifest.intermediate_files:
        is_there = (job_dir / file.path).exists()
        if file.is_retained and has_ended:
            missing = FindingCode.MISSING_INTERMEDIATE
            findings += _against_disk(job_dir, manifest, file, missing, are_hashes_checked=are_hashes_checked)
        elif is_there and has_ended:
            message = "it was not to be kept, and is there"
            findings.append(Finding(FindingCode.NOT_REMOVED, manifest.stage, file.path, message))
    number = len(manifest.outputs) + len(manifest.inputs) + len(manifest.intermediate_files)
    return findings, number


def _against_disk(
    job_dir: Path,
    manifest: StageManifest,
    said: OutputFile | IntermediateFile,
    missing: FindingCode,
    *,
    are_hashes_checked: bool,
) -> Iterator[Finding]:
    """Holds a file against what the manifest says of it."""
    path = job_dir / said.path
    if not path.exists():
        yield Finding(missing, manifest.stage, said.path, "the manifest lists it, and it is not there")
        return
    try:
        has_checksum = are_hashes_checked and said.sha256 is not None
        found = measure(path, has_checksum=has_checksum, max_files=_MAX_FILES)
    except (OSError, StageError) as error:
        yield Finding(FindingCode.UNCHECKED, manifest.stage, said.path, str(error))
        return
    if found.size_bytes != said.size_bytes:
        message = f"it has {found.size_bytes} bytes; the manifest says {said.size_bytes}"
        yield Finding(FindingCode.SIZE_DIFFERS, manifest.stage, said.path, message)
    elif has_checksum and found.sha256 != said.sha256:
        message = f"its SHA-256 is {found.sha256}; the manifest says {said.sha256}"
        yield Finding(FindingCode.HASH_DIFFERS, manifest.stage, said.path, message)


def _unlisted(job_dir: Path, record: StageRecord) -> Iterator[Finding]:
    manifest = record.manifest
    if manifest is None:
        return
    listed = [entry.path for entry in manifest.outputs]
    listed += [entry.path for entry in manifest.intermediate_files]
    listed += [entry.path for entry in manifest.inputs]
    try:
        unlisted = untracked_files(record.directory.path, job_dir, listed, _MAX_FILES)
    except (OSError, StageError) as error:
        yield Finding(FindingCode.UNCHECKED, record.name, record.directory.path.name, str(error))
        return
    for path in unlisted[:_MAX_FINDINGS_OF_A_KIND]:
        yield Finding(FindingCode.UNLISTED_FILE, record.name, path, "no manifest lists it")
    if len(unlisted) > _MAX_FINDINGS_OF_A_KIND:
        message = f"and {len(unlisted) - _MAX_FINDINGS_OF_A_KIND} more files"
        yield Finding(FindingCode.UNLISTED_FILE, record.name, record.directory.path.name, message)


def _stale(job: JobStages) -> Iterator[Finding]:
    """Inputs that were read before their stage made them anew."""
    made: dict[str, tuple[StageManifest, OutputFile]] = {
        output.path: (record.manifest, output)
        for record in job.stages
        if record.manifest is not None
        for output in record.manifest.outputs
    }
    for record in job.stages:
        for read in record.manifest.inputs if record.manifest is not None else ():
            if read.path in made and _is_stale(read, made[read.path][1]):
                producer = made[read.path][0]
                message = f"stage {producer.stage} made it anew since: run {record.name} again"
                yield Finding(FindingCode.STALE_INPUT, record.name, read.path, message)


def _is_stale(read: InputFile, made: OutputFile) -> bool:
    if read.sha256 is None or made.sha256 is None:
        return read.size_bytes != made.size_bytes
    return read.sha256 != made.sha256
