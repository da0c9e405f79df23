"""Every error that the SDK raises, in one tree that answers: who can fix it?

    TelecineError
    ├── CallerError                     you: the call is wrong, sending it again cannot help
    │   ├── InvalidFramesError          frames of a shape, type or size that cannot be taken
    │   │   └── ValueRangeError         values that are NaN or that no code value stands for
    │   ├── InvalidRequestError         a field of the request is wrong; `faults` names each
    │   │   └── MalformedMessageError   the server could not read a message
    │   ├── TargetError                 what was named for the artifacts cannot be written
    │   ├── TooLargeError               a message, frame or job is larger than its limit
    │   ├── UnauthenticatedError        the server asks who calls, and does not take what it was shown
    │   │   ├── CredentialsMissingError  no credential was sent
    │   │   ├── CredentialsRefusedError  the server does not know it
    │   │   └── CredentialsExpiredError  it has expired or was revoked
    │   ├── NotPermittedError           this caller may not do that; `metadata["scope"]` is missing
    │   ├── OutOfOrderError             a message or call came where it is not allowed
    │   ├── TotalsMismatchError         frames that were announced and frames that came differ
    │   ├── JobSpecConflictError        the job_id is known with another spec
    │   ├── JobNotFoundError            no such job
    │   ├── ArtifactNotFoundError       no such artifact
    │   ├── FrameNotThereError          the job has no such frame (yet)
    │   ├── WrongStateError             the job's state does not allow the call
    │   ├── NotSupportedError           the contract knows it, this server does not do it
    │   ├── EncoderUnavailableError     no usable encoder for a strict output
    │   └── EmbeddedUnavailableError    the embedded service cannot be started here
    ├── LaterError                      time: the same call may succeed later
    │   ├── UnavailableError            the server cannot be reached, or the connection broke
    │   │   ├── DrainingError           the service is starting or stopping
    │   │   ├── StorageUnavailableError  the service's data directory is gone
    │   │   ├── VerifierUnavailableError  the server cannot check credentials now
    │   │   ├── CredentialsRenewingError  a token file's credential is no longer taken; it is read again
    │   │   └── CircuitOpenError        it failed too often just now and is left alone for a while
    │   ├── TimedOutError               no answer in time
    │   │   └── StreamSilentError       the first message of a call did not come in time
    │   ├── ExhaustedError              a quota is used up
    │   │   ├── SpoolFullError          the spool quota
    │   │   ├── TooManyJobsError        the queue of jobs
    │   │   ├── DiskFullError           the disk behind the service
    │   │   ├── JournalFullError        the log collector's journal
    │   │   ├── TooManyStreamsError     the streams open at the same time
    │   │   ├── QuotaExceededError      what the caller's tenant, or the caller itself, may have
    │   │   └── TooManyFilesError       the files that the service may have open
    │   └── TransferError               bytes were damaged or lost; resuming sends them again
    │       ├── WrongOffsetError        a chunk is not the next one
    │       ├── ChunkCorruptedError     a chunk's checksum does not match
    │       └── ChecksumMismatchError   a downloaded artifact's checksum does not match
    ├── JobError                        the job did not end as you asked; `result` has it
    │   ├── JobFailedError              no output could be made
    │   ├── JobIncompleteError          some outputs are there, others failed
    │   ├── JobCancelledError           it was cancelled
    │   ├── JobExpiredError             its upload stopped for too long
    │   ├── JobDeadlineExceededError    it did not end before its deadline
    │   └── SupersededError             another connection took over the same job
    └── ServiceFaultError               us: a fault of the service
        ├── ProtocolError               an answer that the contract does not allow
        └── LostDataError               the service lost bytes that it had acknowledged
            └── JobDamagedError         the job's files on the service's disk are damaged

No other exception of a foreign library reaches a caller.
"""

from __future__ import annotations

from collections.abc import Mapping

from telecine.exceptions.job import JobCancelledError as JobCancelledError
from telecine.exceptions.job import JobDeadlineExceededError as JobDeadlineExceededError
from telecine.exceptions.job import JobError as JobError
from telecine.exceptions.job import JobExpiredError as JobExpiredError
from telecine.exceptions.job import JobFailedError as JobFailedError
from telecine.exceptions.job import JobIncompleteError as JobIncompleteError
from telecine.exceptions.job import SupersededError as SupersededError
from telecine.exceptions.root import ErrorKind as ErrorKind
from telecine.exceptions.root import FieldViolation as FieldViolation
from telecine.exceptions.root import TelecineError as TelecineError
from telecine.exceptions.tree import ArtifactNotFoundError as ArtifactNotFoundError
from telecine.exceptions.tree import CallerError as CallerError
from telecine.exceptions.tree import ChecksumMismatchError as ChecksumMismatchError
from telecine.exceptions.tree import ChunkCorruptedError as ChunkCorruptedError
from telecine.exceptions.tree import CircuitOpenError as CircuitOpenError
from telecine.exceptions.tree import CredentialsExpiredError as CredentialsExpiredError
from telecine.exceptions.tree import CredentialsMissingError as CredentialsMissingError
from telecine.exceptions.tree import CredentialsRefusedError as CredentialsRefusedError
from telecine.exceptions.tree import CredentialsRenewingError as CredentialsRenewingError
from telecine.exceptions.tree import DiskFullError as DiskFullError
from telecine.exceptions.tree import DrainingError as DrainingError
from telecine.exceptions.tree import EmbeddedUnavailableError as EmbeddedUnavailableError
from telecine.exceptions.tree import EncoderUnavailableError as EncoderUnavailableError
from telecine.exceptions.tree import ExhaustedError as ExhaustedError
from telecine.exceptions.tree import FrameNotThereError as FrameNotThereError
from telecine.exceptions.tree import InvalidFramesError as InvalidFramesError
from telecine.exceptions.tree import InvalidRequestError as InvalidRequestError
from telecine.exceptions.tree import JobDamagedError as JobDamagedError
from telecine.exceptions.tree import JobNotFoundError as JobNotFoundError
from telecine.exceptions.tree import JobSpecConflictError as JobSpecConflictError
from telecine.exceptions.tree import JournalFullError as JournalFullError
from telecine.exceptions.tree import LaterError as LaterError
from telecine.exceptions.tree import LostDataError as LostDataError
from telecine.exceptions.tree import MalformedMessageError as MalformedMessageError
from telecine.exceptions.tree import NotPermittedError as NotPermittedError
from telecine.exceptions.tree import NotSupportedError as NotSupportedError
from telecine.exceptions.tree import OutOfOrderError as OutOfOrderError
from telecine.exceptions.tree import ProtocolError as ProtocolError
from telecine.exceptions.tree import QuotaExceededError as QuotaExceededError
from telecine.exceptions.tree import ServiceFaultError as ServiceFaultError
from telecine.exceptions.tree import SpoolFullError as SpoolFullError
from telecine.exceptions.tree import StorageUnavailableError as StorageUnavailableError
from telecine.exceptions.tree import StreamSilentError as StreamSilentError
from telecine.exceptions.tree import TargetError as TargetError
from telecine.exceptions.tree import TimedOutError as TimedOutError
from telecine.exceptions.tree import TooLargeError as TooLargeError
from telecine.exceptions.tree import TooManyFilesError as TooManyFilesError
from telecine.exceptions.tree import TooManyJobsError as TooManyJobsError
from telecine.exceptions.tree import TooManyStreamsError as TooManyStreamsError
from telecine.exceptions.tree import TotalsMismatchError as TotalsMismatchError
from telecine.exceptions.tree import TransferError as TransferError
from telecine.exceptions.tree import UnauthenticatedError as UnauthenticatedError
from telecine.exceptions.tree import UnavailableError as UnavailableError
from telecine.exceptions.tree import ValueRangeError as ValueRangeError
from telecine.exceptions.tree import VerifierUnavailableError as VerifierUnavailableError
from telecine.exceptions.tree import WrongOffsetError as WrongOffsetError
from telecine.exceptions.tree import WrongStateError as WrongStateError


def _subclasses(of: type[TelecineError]) -> list[type[TelecineError]]:
    return [of, *(deeper for child in of.__subclasses__() for deeper in _subclasses(child))]


FieldFault = FieldViolation
"""The name of `FieldViolation` in 0.1.0; stays importable."""

BY_REASON: Mapping[str, type[TelecineError]] = {
    kind.reason: kind for kind in _subclasses(TelecineError) if "reason" in vars(kind) and kind.reason
}
"""The inverse of the services' status table: ErrorInfo.reason to the class that is raised."""

for _kind in _subclasses(TelecineError):
    if _kind.__module__.startswith(__name__):
        # Tracebacks and pickles name the place that callers import from.
        _kind.__module__ = __name__
