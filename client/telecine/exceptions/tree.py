"""The errors of calls and of the service; `telecine.exceptions` draws the whole tree."""

from __future__ import annotations

from telecine.exceptions.root import ErrorKind, TelecineError

# --- you -----------------------------------------------------------------------------------------


class CallerError(TelecineError):
    """The call is wrong; sending it again as it is cannot help."""

    kind = ErrorKind.CALLER
    recovery = "Fix the call; the message names what is wrong."


class InvalidFramesError(CallerError, ValueError):
    """The frames have a shape, type or size that cannot be taken."""

    about = "frames"
    recovery = (
        "Pass uint8, uint16 or float (0 to 1) frames as (T, H, W, C), (H, W, C), (T, H, W) or (H, W), "
        'PIL images, or say layout="TCHW".'
    )


class ValueRangeError(InvalidFramesError):
    """Frames hold NaN or values outside of their range; nothing was wrapped or sent."""

    recovery = 'Scale the frames to 0..1, or pass out_of_range="clip" to clip and count such values.'


class InvalidRequestError(CallerError, ValueError):
    """A field of the request is wrong."""

    reason = "INVALID_FIELD"
    recovery = "Fix the named fields; `faults` lists each of them."


class MalformedMessageError(InvalidRequestError):
    """The server could not read a message."""

    reason = "MALFORMED_MESSAGE"
    recovery = "Use an SDK of the server's version."


class TargetError(CallerError, OSError):
    """The directory or file that was named for artifacts cannot be made or written."""

    recovery = "Name a directory that can be made and written, or make room there."


class TooLargeError(CallerError):
    """A message, frame or job is larger than its limit."""

    reason = "TOO_LARGE"
    recovery = "Send a smaller or shorter clip, or raise the server's limit; `metadata` has both figures."


class UnauthenticatedError(CallerError):
    """The server asks who calls, and does not take what it was shown."""

    recovery = "Name a file with a token or an API key of that server, or let TELECINE_TOKEN_FILE name it."


class CredentialsMissingError(UnauthenticatedError):
    """The server asks for a credential, and none was sent."""

    reason = "CREDENTIALS_MISSING"


class CredentialsRefusedError(UnauthenticatedError):
    """The server does not know the credential, or it is for somebody else."""

    reason = "CREDENTIALS_REFUSED"
    recovery = "Use a credential of this server; its operator finds the refusal in the audit file."


class CredentialsExpiredError(UnauthenticatedError):
    """The credential has expired or was revoked."""

    reason = "CREDENTIALS_EXPIRED"
    recovery = "Get a new credential and call again; a token file is read again at every call."


class NotPermittedError(CallerError):
    """The server knows who calls, and this caller may not do that; `metadata["scope"]` is what is missing."""

    reason = "NOT_PERMITTED"
    recovery = "Ask the server's operator for the scope that the message names, or use another credential."


class OutOfOrderError(CallerError):
    """A message or call came where it is not allowed."""

    reason = "OUT_OF_ORDER"
    recovery = "Push all frames first, then finish once; open a new job for more frames."


class TotalsMismatchError(CallerError):
    """The frames that were announced and those that came differ."""

    reason = "TOTALS_MISMATCH"
    recovery = "Push the same frames as before when you resume a job, or use a new job_id."


class JobSpecConflictError(CallerError):
    """The job_id is known with another spec."""

    reason = "JOB_SPEC_CONFLICT"
    recovery = "Use another job_id, or pass exactly the options of the first call."


class JobNotFoundError(CallerError, LookupError):
    """There is no such job, or it was deleted."""

    reason = "JOB_NOT_FOUND"
    recovery = "Look at `Client.jobs()`; ended jobs are deleted after the server's retention time."


class ArtifactNotFoundError(CallerError, LookupError):
    """The job has no such artifact (yet)."""

    reason = "ARTIFACT_NOT_FOUND"
    recovery = "Look at the job's artifacts: their `path` is the name to ask for."


class FrameNotThereError(CallerError):
    """The job has no such frame, or it has not come yet."""

    reason = "FRAME_NOT_THERE"
    recovery = "Ask for a frame below persisted_frames, or wait until more have come."


class WrongStateError(CallerError):
    """The job's state does not allow the call."""

    reason = "WRONG_STATE"
    recovery = "Wait until the job has ended, or cancel it first."


class NotSupportedError(CallerError):
    """The contract knows it, but this server does not do it."""

    reason = "NOT_IMPLEMENTED"
    recovery = "Leave it out, or use a newer server; `Client.capabilities()` lists what this one can do."


class EncoderUnavailableError(CallerError):
    """A strict output has no usable encoder on this server."""

    reason = "ENCODER_UNAVAILABLE"
    recovery = "Ask `Client.capabilities()` what works there, or drop `strict`."


class EmbeddedUnavailableError(CallerError):
    """No server was named and the embedded one cannot be started."""

    recovery = (
        "Install what is missing with: pip install 'telecine[encoder]'; fix what the service complains "
        'about; or name a server: Client("host:50051").'
    )


# --- time ----------------------------------------------------------------------------------------


class LaterError(TelecineError):
    """Nothing is wrong with the call; it may succeed later."""

    kind = ErrorKind.LATER
    is_retryable = True
    recovery = "Try again later; what was acknowledged is safe, and the same job_id resumes."


class UnavailableError(LaterError):
    """The server cannot be reached or does not answer, or the connection broke."""

    reason = "TEMPORARILY_UNAVAILABLE"
    recovery = "Check the address and that the server runs; then try again with the same job_id."


class DrainingError(UnavailableError):
    """The service is starting or stopping."""

    reason = "DRAINING"
    recovery = (
        "Try again with the same job_id: another instance, or the next one on the same data, continues."
    )


class StorageUnavailableError(UnavailableError):
    """The directory in which the service keeps its data was moved or removed."""

    reason = "STORAGE_UNAVAILABLE"
    recovery = "Put the server's data directory back and restart it; then try again with the same job_id."


class VerifierUnavailableError(UnavailableError):
    """The server cannot check the credential now: its issuer's keys cannot be fetched."""

    reason = "VERIFIER_UNAVAILABLE"
    recovery = "Try again later; the server's operator must make the issuer's keys reachable."


class CredentialsRenewingError(UnavailableError):
    """The credential of a token file is no longer taken; the file is read again at the next try."""

    reason = ""
    recovery = "See that whatever writes the token file puts a valid token there, then try again."


class CircuitOpenError(UnavailableError):
    """What is called has just failed too often: no call goes through for `retry_delay_seconds`."""

    reason = ""
    recovery = "Wait for the time that it names, or fix what is called; the log says why that fails."


class TimedOutError(LaterError, TimeoutError):
    """There was no answer in time."""

    recovery = "Try again, or allow more time."


class StreamSilentError(TimedOutError):
    """The first message of a call did not come in time."""

    reason = "STREAM_SILENT"
    recovery = "Try again; if it happens again, look for what delays messages between here and the server."


class ExhaustedError(LaterError):
    """A quota of the service is used up for now."""


class SpoolFullError(ExhaustedError):
    """The spool quota is used up."""

    reason = "SPOOL_FULL"
    recovery = "Try again later with the same job_id; if it happens often, raise the server's spool quota."


class TooManyJobsError(ExhaustedError):
    """Too many jobs are waiting."""

    reason = "TOO_MANY_JOBS"
    recovery = "Try again later; if it happens often, give the server more workers or a longer queue."


class DiskFullError(ExhaustedError):
    """The disk behind the service is full."""

    reason = "DISK_FULL"
    recovery = "Make room on the server's disk; then try again with the same job_id, which resumes."


class JournalFullError(ExhaustedError):
    """The log collector's journal is full."""

    reason = "JOURNAL_FULL"
    recovery = "Keep the records and send them again; find out which of the collector's sinks is behind."


class TooManyStreamsError(ExhaustedError):
    """Too many streams are open."""

    reason = "TOO_MANY_STREAMS"
    recovery = "Close streams that you no longer read, and try again."


class QuotaExceededError(ExhaustedError):
    """The caller's tenant, or the caller itself, has as much of the server as it may."""

    reason = "QUOTA_EXCEEDED"
    recovery = "Try again later; if it happens often, ask the server's operator for a larger quota."


class TooManyFilesError(ExhaustedError):
    """The service has as many files and connections open as it may."""

    reason = "TOO_MANY_FILES"
    recovery = "Try again later; if it happens often, raise the server's limit of open files (ulimit -n)."


class TransferError(LaterError):
    """Bytes were damaged or lost on the way; resuming sends them again."""

    recovery = "Try again with the same job_id; if it happens again, suspect the network or its proxies."


class WrongOffsetError(TransferError):
    """A chunk was not the next one that the server expected."""

    reason = "WRONG_OFFSET"


class ChunkCorruptedError(TransferError):
    """A chunk's checksum does not match its data."""

    reason = "CHUNK_CORRUPTED"


class ChecksumMismatchError(TransferError):
    """A downloaded artifact's checksum does not match; the file was not kept."""

    recovery = "Download it again; if it happens again, check the server's copy with `telecine verify`."


# --- us ------------------------------------------------------------------------------------------


class ServiceFaultError(TelecineError):
    """The service has a fault."""

    kind = ErrorKind.SERVICE
    reason = "INTERNAL"
    recovery = "Report it with the request_id; the service's log has the details under that id."


class ProtocolError(ServiceFaultError):
    """The server sent something that the contract does not allow."""

    reason = ""
    recovery = "Check that client and server have the same version; then report it."


class LostDataError(ServiceFaultError):
    """The service no longer has bytes that it had acknowledged."""

    reason = ""
    recovery = "Push the clip again under a new job_id; check that the server's data directory is kept."


class JobDamagedError(LostDataError):
    """The job's record, frames or artifacts on the service's disk are damaged."""

    reason = "JOB_DAMAGED"
    recovery = "Push the clip again under a new job_id; the service's log names the damaged file."
