"""What stages raise: part of the SDK's tree of errors, so that `except TelecineError` catches it."""

from __future__ import annotations

from telecine.exceptions import CallerError, LaterError


class StageError(CallerError):
    """A stage was used in a way that cannot work."""

    recovery = "Fix the call; docs/stages.md shows how stages are used."


class StageUsageError(StageError, ValueError):
    """A name, path, status or number that a stage cannot have."""


class StageNotFoundError(StageError, LookupError):
    """There is no such stage in the job directory."""

    recovery = "Run that stage first, or name one of those that are there."


class StageFileMissingError(StageError, FileNotFoundError):
    """A file that is to be tracked is not there, or was still being written."""

    recovery = (
        "Write and close the file before you track it; `stage.output_path(name)` says where it belongs."
    )


class StageIncompleteError(StageError):
    """The stage was to end well, and outputs that it tracked are gone; its manifest says `failed`."""

    recovery = "Keep what was tracked as an output until the stage has ended, and run the stage again."


class StageManifestError(StageError):
    """A file is no stage manifest that this version can read."""

    recovery = "Run the stage again, or read it with the version that wrote it."


class ToolFailedError(StageError):
    """A program that a stage ran ended with another code than 0."""

    recovery = "Read what the program said; stage.log has all of it, and the command."


class StageBusyError(LaterError):
    """The stage is running in another process, or may be."""

    recovery = (
        "Wait until it has ended. If you know that it is dead (its machine is gone), pass takes_over=True."
    )


class JobDirectoryBusyError(LaterError):
    """Somebody holds the lock of the job directory for too long."""

    recovery = "Try again; if it stays so, look for a process that hangs on that disk."
