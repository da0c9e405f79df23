"""What goes into the upload machine, and what it asks for: plain values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from telecine import exceptions as errors
from telecine.request.source_warnings import SourceWarning
from telecine.results.values import Artifact, JobInfo, JobState, JobWarning, OutputProgress

# --- what the server sent ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job is taken; begin at `persisted_bytes`."""

    persisted_bytes: int
    max_chunk_bytes: int
    max_job_bytes: int
    """0: no limit."""
    frame_bytes: int
    state: JobState
    ring_bytes: int = 0
    """Size of the memory that this connection shares with the server. 0: chunks are sent."""
    persisted_audio_bytes: int = 0
    """The same of the sound."""
    max_audio_bytes: int = 0
    """0: the job has no sound, or there is no limit."""
    keep_alive_seconds: float = 0.0
    """The longest silence that the server accepts of a client with nothing to send. 0: any."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Bytes below `persisted_bytes` are safe; `is_complete`: and so is the end of the upload."""

    persisted_bytes: int
    is_complete: bool
    persisted_audio_bytes: int = 0
    """The same of the sound."""


@dataclass(frozen=True, slots=True)
class Result:
    """The job has ended."""

    job: JobInfo
    manifest_json: bytes


Event: TypeAlias = Accepted | Acknowledged | OutputProgress | JobWarning | Artifact | Result

# --- what the shell is to send -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendSpec:
    """Send the spec of the job."""


@dataclass(frozen=True, slots=True)
class SendChunk:
    """Send these bytes of one track, as one chunk."""

    offset: int
    pieces: list[bytes | memoryview]
    is_in_ring: bool = False
    """Put them into the connection's ring, and send where they are."""
    is_audio: bool = False
    """They belong to the sound, not to the frames."""


@dataclass(frozen=True, slots=True)
class SendFinish:
    """Send that no more will come."""

    total_frames: int
    total_bytes: int
    warnings: tuple[SourceWarning, ...] = ()
    """What the frames do not carry."""
    total_samples: int = 0
    total_audio_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SendKeepAlive:
    """Send a sign of life."""


Outgoing: TypeAlias = SendSpec | SendChunk | SendFinish | SendKeepAlive

# --- what the shell is to do ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection and send what `next_message(connection)` says."""

    connection: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Cancel the connection (nothing came for too long) and report it to `lost` with `error`."""

    connection: int
    error: errors.TelecineError


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for this long, unless something happens."""

    seconds: float


Step: TypeAlias = Connect | Disconnect | Wait | None
"""None: the job has ended; there is nothing more to do."""
