"""What to do about an error, for people at a command line: it fits the command, and names what is there."""

from __future__ import annotations

from collections.abc import Mapping

from telecine import exceptions as sdk
from telecine.installation import install_command

ENCODE = "telecine encode"
_ENCODE_ALONE = ("--job-id", "--strict", "--timeout")
"""Options that no other command has."""
_AGAIN = "Repeat the command later."

_ADVICE: Mapping[type[BaseException], str] = {
    sdk.InvalidRequestError: "Fix what is named; `{command} --help` shows what is taken.",
    sdk.CallerError: "Fix what is named; `{command} --help` shows what is taken.",
    sdk.InvalidFramesError: "Convert the source first: frames of one size, of 8 or 16 bits, "
    "or floats from 0 to 1.",
    sdk.JobSpecConflictError: "Give another --job-id, or repeat exactly the options of the first call.",
    sdk.JobNotFoundError: "`telecine jobs list` shows what is there; ended jobs are deleted after a time.",
    sdk.ArtifactNotFoundError: "`telecine jobs show JOB` lists the job's artifacts by their paths.",
    sdk.WrongStateError: "`telecine jobs show JOB` shows the state; wait for its end, or cancel it first.",
    sdk.EncoderUnavailableError: "`telecine capabilities` shows what works and why the rest does not; "
    "or leave --strict out.",
    sdk.NotSupportedError: "Leave it out, or use a newer server; see `telecine capabilities`.",
    sdk.EmbeddedUnavailableError: f"Install it with: {install_command('encoder')}, or name a server: "
    "--server HOST:PORT.",
    sdk.UnavailableError: "Check the address and that the server runs, then repeat the command.",
    sdk.JobError: "Each output's problem says what to change; the server's log has more.",
    sdk.JobFailedError: "Each output's problem says what to change; the server's log has more.",
    sdk.JobIncompleteError: "What succeeded was kept; `telecine jobs show JOB` shows why the rest failed.",
    sdk.SupersededError: "Let the other command continue; use one --job-id in one place at a time.",
    sdk.JobDamagedError: "Encode the clip again under a new --job-id; the service's log "
    "names the damaged file.",
    sdk.LostDataError: "Encode the clip again under a new --job-id; check that the server's "
    "data directory is kept.",
    sdk.TotalsMismatchError: "Give the same frames as before to resume a job, or a new --job-id.",
    sdk.TooLargeError: "Encode a smaller or shorter clip, or raise the server's limit.",
    sdk.TooManyStreamsError: _AGAIN,
    sdk.TimedOutError: "Try again, or allow more time with --timeout.",
    sdk.ValueRangeError: "Scale float frames to 0..1 before saving them.",
    sdk.OutOfOrderError: "Report it: the command line itself has made a wrong call.",
}
"""Where the SDK's own advice speaks of Python calls, said for the command line."""

_ELSEWHERE: Mapping[type[BaseException], str] = {
    sdk.TimedOutError: "Try again; if it happens again, the server is too busy or too far away.",
    sdk.NotSupportedError: "Use a newer server, or leave the option out: `{command} --help`.",
}
"""For commands without the options of `encode`."""


def advice_for(error: sdk.TelecineError, command: str) -> str:
    """What to do. What this very case says goes before what its class says."""
    kind = type(error)
    if error.recovery != kind.recovery:
        text = error.recovery
    elif command.startswith(ENCODE):
        text = _ADVICE.get(kind, error.recovery)
    else:
        text = _ELSEWHERE.get(kind) or _ADVICE.get(kind, error.recovery)
    text = text.format(command=command) if "{command}" in text else text.replace("job_id", "--job-id")
    text = text.replace("----job-id", "--job-id")
    if command.startswith(ENCODE) or not any(option in text for option in _ENCODE_ALONE):
        return text
    return _AGAIN if error.is_retryable else f"`{command} --help` shows what it takes."


def advice_after_interruption(command: str) -> str:
    """What goes on after Ctrl-C, and how to take it up again."""
    if command == ENCODE:
        return "Repeat the command. Where both name the same server and --job-id, it goes on where it was."
    if command == "telecine jobs watch":
        return "The job goes on; repeat the command to follow it."
    if command == "telecine jobs download":
        return "Repeat the command: what has arrived is not fetched again."
    return "Repeat the command."
