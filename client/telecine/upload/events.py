"""What the upload machine is told, and what it asks for: plain values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from telecine import exceptions as errors
from telecine.results.values import Artifact, JobInfo, JobState, JobWarning, OutputProgress

# --- what the server said ------------------------------------------------------------------------


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
    keep_alive_seconds: float = 0.0
    """How often the server wants to hear of a client with nothing to send. 0: never."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Bytes below `persisted_bytes` are safe; `is_complete`: and so is the end of the upload."""

    persisted_bytes: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Result:
    """The job has ended."""

    job: JobInfo
    manifest_json: bytes


Event: TypeAlias = Accepted | Acknowledged | OutputProgress | JobWarning | Artifact | Result

# --- what the shell shall send -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendSpec:
    """Send the spec."""


@dataclass(frozen=True, slots=True)
class SendChunk:
    """Send these bytes of the video track, as one chunk."""

    offset: int
    pieces: list[bytes | memoryview]
    is_in_ring: bool = False
    """Lay them into the connection's ring, and send where they are."""


@dataclass(frozen=True, slots=True)
class SendFinish:
    """Send that no more will come."""

    total_frames: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class SendKeepAlive:
    """Send that the client is there."""


Outgoing: TypeAlias = SendSpec | SendChunk | SendFinish | SendKeepAlive

# --- what the shell shall do ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection and send what `next_message(connection)` says."""

    connection: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Cancel the connection (nothing came for too long) and report it as `lost` with `error`."""

    connection: int
    error: errors.TelecineError


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for this long, unless something happens."""

    seconds: float


Step: TypeAlias = Connect | Disconnect | Wait | None
"""None: the job has ended; there is nothing more to do."""
