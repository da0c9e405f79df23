"""Reads an ended job's manifest; one that is damaged or missing is made anew from the job's record."""

from __future__ import annotations

import msgspec
import structlog

from encoder_service.evidence.building import build_manifest
from encoder_service.evidence.manifest import SCHEMA_VERSION, ManifestError, decode_manifest, encode_manifest
from encoder_service.store.record import JobRecord, to_evidence
from encoder_service.store.store import Store
from service_host.auth.principal import DEFAULT_TENANT


def manifest_of(record: JobRecord, store: Store) -> bytes:
    """The manifest of an ended job. The same record gives the same bytes."""
    return encode_manifest(
        build_manifest(to_evidence(record, store.spool_name(record), store.audio_name(record)))
    )


def sound_manifest(record: JobRecord, store: Store) -> bytes:
    """The bytes of the manifest on the disk, which is put right first if it must be. Raises OSError.

    One of another version stays as that version wrote it: this one would write it otherwise.
    """
    expected = manifest_of(record, store)
    try:
        found = store.read_manifest(record)
    except OSError:
        found = b""
    if found == expected or _is_of_another_version(found, record):
        return found
    if record.tenant == store.rooms.root_tenant != DEFAULT_TENANT:
        # It was written before the tenant of the data directory itself had a name.
        unnamed = msgspec.structs.replace(record, tenant=DEFAULT_TENANT)
        if found == encode_manifest(build_manifest(to_evidence(unnamed, store.spool_name(record)))):
            return found
    structlog.get_logger("encoder_service").error(
        "a manifest was damaged and is made anew from the job's record", job_id=record.job_id
    )
    store.write_manifest(record, expected)
    return expected


def _is_of_another_version(data: bytes, record: JobRecord) -> bool:
    try:
        manifest = decode_manifest(data)
    except ManifestError:
        return False
    return manifest.schema_version != SCHEMA_VERSION and manifest.job_id == record.job_id
