"""What a job's state file holds: everything that must outlive the process, as frozen values.

Where a job stands is not stored but follows from these values and from the spool's length.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from encoder_service.evidence.building import AttemptEvidence, JobEvidence, OutputEvidence, RaisedWarning
from encoder_service.evidence.facts import Failed, Produced, ProducedFile
from encoder_service.evidence.manifest import Build, IntermediateFile, JobOutcome, Problem
from encoder_service.spec.codes import WarningCode
from encoder_service.spec.spec import JobSpec
from service_host.auth.principal import DEFAULT_TENANT
from service_host.quotas.holders import holders_of

RECORD_VERSION = 1


class OutputState(StrEnum):
    """Where an output stands. Only the first and the final ones are ever stored."""

    WAITING = "waiting"
    ENCODING = "encoding"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more will be done."""
        return self in {OutputState.SUCCEEDED, OutputState.FAILED, OutputState.CANCELLED}


class JobState(StrEnum):
    """Where a job stands; the contract's words."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    ENCODING = "encoding"
    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class OutputRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One output's final state, if it has one, and its tries."""

    state: OutputState = OutputState.WAITING
    attempts: tuple[AttemptEvidence, ...] = ()
    """Ended ones only; what a dying service interrupted is not counted."""

    @property
    def produced(self) -> Produced | None:
        """The evidence of success."""
        last = self.attempts[-1].result if self.attempts else None
        return last if isinstance(last, Produced) else None

    @property
    def failed(self) -> Failed | None:
        """Why the last try failed."""
        last = self.attempts[-1].result if self.attempts else None
        return last if isinstance(last, Failed) else None


class Owner(msgspec.Struct, frozen=True):
    """Whose a job is: taken from the caller's credential, never from what it sends."""

    tenant: str = DEFAULT_TENANT
    subject: str = ""
    """Who of the tenant began it; empty: nobody was asked."""


def job_key(tenant: str, job_id: str) -> str:
    """What tells a job from those of all tenants: ids are unique within one alone."""
    return f"{tenant}/{job_id}"


def tenant_field(tenant: str) -> dict[str, str]:
    """What the log and webhooks say of whose a job is; the default tenant goes without saying."""
    return {} if tenant == DEFAULT_TENANT else {"tenant": tenant}


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One job."""

    version: int = RECORD_VERSION
    spec: JobSpec
    tenant: str = DEFAULT_TENANT
    """Whose it is. A record in the data directory itself that names the default one, or none as those of
    older versions, belongs to the root tenant."""
    subject: str = ""
    """Who of the tenant began it; empty: nobody was asked, or an older version wrote it."""
    directory: str
    """The job directory's name below `artifacts/`."""
    created_at_unix_nano: int
    request_id: str = ""
    """Of the call that began the job; empty in records of older versions."""
    total_frames: int = 0
    """0 until `finish` was accepted."""
    total_samples: int = 0
    """Of the audio track; 0 until `finish` was accepted, and where there is none."""
    received_at_unix_nano: int = 0
    """When `finish` was accepted, or the upload given up; 0 before."""
    outputs: dict[str, OutputRecord]
    """By name, in the order of the spec."""
    warnings: tuple[RaisedWarning, ...] = ()
    outcome: JobOutcome | None = None
    """None until the job has ended."""
    ended_at_unix_nano: int = 0
    bytes_received: int = 0
    """Set when the job ends."""
    audio_bytes_received: int = 0
    """Set when the job ends."""
    audio_hash_hex: str = ""
    """SHA-256 of the audio track; set when the job ends with a complete upload."""
    input_hash_hex: str = ""
    """Set when the job ends with a complete upload."""
    problem: Problem | None = None
    build: Build | None = None
    """What made the artifacts; set when the job ends."""

    @property
    def job_id(self) -> str:
        """The client's id."""
        return self.spec.job_id

    @property
    def key(self) -> str:
        """What tells it from the jobs of all tenants."""
        return job_key(self.tenant, self.job_id)

    @property
    def holders(self) -> tuple[str, ...]:
        """Whose quotas it counts in: its tenant's, and those of who began it."""
        return holders_of(self.tenant, self.subject)

    @property
    def is_complete(self) -> bool:
        """All frames are here."""
        return self.total_frames > 0

    @property
    def has_ended(self) -> bool:
        """The end is decided; the manifest may still have to be written."""
        return self.outcome is not None

    @property
    def files(self) -> tuple[ProducedFile, ...]:
        """The files of all outputs that succeeded."""
        return tuple(
            file
            for output in self.outputs.values()
            if output.state is OutputState.SUCCEEDED and output.produced is not None
            for file in output.produced.files
        )

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    def with_output(self, name: str, output: OutputRecord) -> JobRecord:
        """The record with one output replaced."""
        return msgspec.structs.replace(self, outputs={**self.outputs, name: output})


def new_record(
    spec: JobSpec, directory: str, now_unix_nano: int, request_id: str = "", owner: Owner | None = None
) -> JobRecord:
    """A job that was just accepted. `owner`: None for one of a service that asks nobody."""
    owner = owner or Owner()
    return JobRecord(
        spec=spec,
        tenant=owner.tenant,
        subject=owner.subject,
        directory=directory,
        created_at_unix_nano=now_unix_nano,
        request_id=request_id,
        outputs={output.name: OutputRecord() for output in spec.outputs},
        warnings=tuple(
            RaisedWarning(
                code=WarningCode.OUTPUT_SKIPPED,
                message=f"{entry.output.name} is left out: {entry.reason}",
                output=entry.output.name,
                at_unix_nano=now_unix_nano,
            )
            for entry in spec.skipped
        ),
    )


def outcome_of(record: JobRecord) -> JobOutcome | None:
    """How a job whose outputs have all ended came out; None while one has not."""
    states = [output.state for output in record.outputs.values()]
    if not all(state.is_final for state in states):
        return None
    succeeded = states.count(OutputState.SUCCEEDED)
    if succeeded == len(states):
        return JobOutcome.SUCCEEDED
    return JobOutcome.PARTIALLY_SUCCEEDED if succeeded else JobOutcome.FAILED


def to_evidence(record: JobRecord, spool_path: str, audio_path: str = "") -> JobEvidence:
    """What the manifest of an ended job is made from. The same record gives the same manifest."""
    if record.outcome is None or record.build is None:
        raise ValueError(f"job {record.job_id} has not ended")
    spools = [
        IntermediateFile(
            path=path,
            is_retained=False,
            reason=f"the {what} as {verb} received; removed once the job had ended",
            size_bytes=size_bytes,
        )
        for path, what, verb, size_bytes in (
            (spool_path, "frames", "they were", record.bytes_received),
            (audio_path, "sound", "it was", record.audio_bytes_received),
        )
        if size_bytes
    ]
    return JobEvidence(
        spec=record.spec,
        tenant="" if record.tenant == DEFAULT_TENANT else record.tenant,
        outcome=record.outcome,
        created_at_unix_nano=record.created_at_unix_nano,
        received_at_unix_nano=record.received_at_unix_nano or record.ended_at_unix_nano,
        ended_at_unix_nano=record.ended_at_unix_nano,
        bytes_received=record.bytes_received,
        input_hash_hex=record.input_hash_hex,
        spool_path=spool_path,
        outputs=tuple(
            OutputEvidence(output=output, attempts=record.outputs[output.name].attempts)
            for output in record.spec.outputs
        ),
        build=record.build,
        warnings=record.warnings,
        problem=record.problem,
        intermediate_files=tuple(spools),
        audio_bytes_received=record.audio_bytes_received,
        audio_hash_hex=record.audio_hash_hex,
        audio_path=audio_path,
    )
