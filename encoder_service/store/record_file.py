"""A job's record as the bytes of its file, and whether such bytes can be believed."""

from __future__ import annotations

import msgspec

from encoder_service.data_layout import is_directory_of, is_job_id
from encoder_service.store.record import RECORD_VERSION, JobRecord
from encoder_service.store.seal import sealed, unsealed

_LATEST_UNIX_NANO = 253_402_300_799 * 10**9
"""The end of the year 9999: what a calendar can show."""


class DamagedRecordError(Exception):
    """The bytes are no sound record of this job; the message says why."""


def encode_record(record: JobRecord) -> bytes:
    """The record as it lies on the disk."""
    return sealed(msgspec.json.encode(record))


def decode_record(data: bytes, job_id: str) -> JobRecord:
    """Returns the record of this job. Raises DamagedRecordError."""
    try:
        record = msgspec.json.decode(unsealed(data), type=JobRecord)
        _check(record, job_id)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError, ValueError) as error:
        raise DamagedRecordError(str(error)) from error
    return record


def _check(record: JobRecord, job_id: str) -> None:
    """Whether the record can be what it says, before anything acts on it."""
    if record.version > RECORD_VERSION:
        raise DamagedRecordError(f"a later version wrote it (record version {record.version})")
    if not is_job_id(record.job_id) or record.job_id != job_id:
        raise DamagedRecordError(f"it is the record of job {record.job_id[:140]!r}")
    if not is_directory_of(record.directory, job_id):
        raise DamagedRecordError(f"its directory {record.directory[:140]!r} is not one of this job")
    if set(record.outputs) != {output.name for output in record.spec.outputs}:
        raise DamagedRecordError("its outputs are not those of its spec")
    times = (record.created_at_unix_nano, record.received_at_unix_nano, record.ended_at_unix_nano)
    if not all(0 <= time <= _LATEST_UNIX_NANO for time in times):
        raise DamagedRecordError("its times lie outside the calendar")
    if record.spec.video.frame_bytes < 1 or record.total_frames < 0:
        raise DamagedRecordError("its frames have no size")
    if record.has_ended and record.build is None:
        raise DamagedRecordError("it has ended and does not say with what it was made")
