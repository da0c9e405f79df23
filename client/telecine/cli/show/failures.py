"""Turns every error into one clear block (or one JSON document) and an exit code; no traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import msgspec

from telecine import exceptions as sdk
from telecine.cli.show import terminal
from telecine.cli.show.advice import advice_after_interruption, advice_for
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.terminal import escape_lines as escape
from telecine.installation import install_command

TRACEBACK_VARIABLE = "TELECINE_TRACEBACK"
"""Set it to see where an error came from."""


class UsageError(Exception):
    """The command line is wrong. `advice` says how it is right."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class SourceError(Exception):
    """The source of frames cannot be read. `advice` says what to do about it."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class UnavailableHereError(Exception):
    """Something that this command needs is not there now. `advice` says how to get it."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class Failure(msgspec.Struct, frozen=True):
    """Why a command failed."""

    code: str
    """Stable: a telecine.errors.v1.ErrorReason, or the error's class in the same style."""
    message: str
    advice: str
    """What to do."""
    exit_code: int
    kind: str = "caller"
    """Who can fix it: "caller", "later" (time does), "job" (nobody: it has ended so), "service"."""
    is_retryable: bool = False
    """The same command may succeed later."""
    details: list[str] = []
    """Each wrong field."""
    request_id: str = ""
    """Id of the call in the service's log; empty when there was no call."""


class FailureDocument(msgspec.Struct, frozen=True):
    """What `--json` prints instead of the result when a command fails."""

    error: Failure


_EXIT_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (SourceError, ExitCode.USAGE),
    (UsageError, ExitCode.USAGE),
    (UnavailableHereError, ExitCode.UNAVAILABLE),
    (sdk.JobNotFoundError, ExitCode.REFUSED),
    (sdk.ArtifactNotFoundError, ExitCode.REFUSED),
    (sdk.FrameNotThereError, ExitCode.REFUSED),
    (sdk.WrongStateError, ExitCode.REFUSED),
    (sdk.JobSpecConflictError, ExitCode.REFUSED),
    (sdk.NotSupportedError, ExitCode.UNAVAILABLE),
    (sdk.EncoderUnavailableError, ExitCode.UNAVAILABLE),
    (sdk.EmbeddedUnavailableError, ExitCode.UNAVAILABLE),
    (sdk.CallerError, ExitCode.USAGE),
    (sdk.LaterError, ExitCode.UNAVAILABLE),
    (sdk.JobError, ExitCode.FINDINGS),
)
"""The first row that fits decides; what fits none is a fault of ours."""


def explain(error: BaseException, command: str = "telecine") -> Failure:
    """Says what happened and what to do about it. `command`: what failed, such as "telecine encode"."""
    exit_code = next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), ExitCode.FAULT)
    if isinstance(error, sdk.TelecineError):
        return Failure(
            code=error.code,
            message=error.message,
            advice=advice_for(error, command),
            exit_code=int(exit_code),
            kind=str(error.kind),
            is_retryable=error.is_retryable,
            details=[*(f"{fault.field}: {fault.description}" for fault in error.faults), *_problems(error)],
            request_id=error.request_id,
        )
    if isinstance(error, SourceError | UsageError | UnavailableHereError):
        return Failure(_code_of(error), str(error), _sentence(error.advice), int(exit_code))
    if isinstance(error, KeyboardInterrupt):
        advice = advice_after_interruption(command)
        return Failure("INTERRUPTED", "interrupted", advice, int(exit_code), is_retryable=True)
    if isinstance(error, OSError):
        return _explain_os_error(error)
    return Failure(
        code="FAULT",
        message=f"{type(error).__name__}: {error}",
        advice=f"This is a fault of ours: please report it with what {TRACEBACK_VARIABLE}=1 prints.",
        exit_code=int(exit_code),
        kind=str(sdk.ErrorKind.SERVICE),
    )


def command_line_failures() -> list[Failure]:
    """One of each kind that is none of the SDK's; where every case has its own advice, it says so."""
    named = "As it says: the advice depends on what is wrong."
    return [
        explain(UsageError("", named)),
        explain(SourceError("", named)),
        explain(UnavailableHereError("", named)),
        explain(FileNotFoundError(errno.ENOENT, "")),
        explain(OSError(errno.ENOSPC, "")),
        explain(KeyboardInterrupt(), "telecine encode"),
        explain(RuntimeError()),
    ]


def show_failure(error: BaseException, *, as_json: bool, command: str = "telecine") -> int:
    """Writes the failure to stderr (as JSON: to stdout, instead of the result); returns the exit code."""
    failure = explain(error, command)
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        terminal.write_json(FailureDocument(failure))
        return failure.exit_code
    console = terminal.notices()
    console.print(f"[bold red]Error:[/] {escape(failure.message)}")
    if not all(_is_said(detail, failure.message) for detail in failure.details):
        for detail in failure.details:
            console.print(f"  {escape(detail)}")
    console.print(f"[bold]To do:[/] {escape(failure.advice)}")
    if failure.is_retryable:
        console.print("[dim]Nothing is wrong with the command: the same one may succeed later.[/]")
    if failure.request_id:
        console.print(f"[dim]request id {escape(failure.request_id)}[/]")
    return failure.exit_code


def _is_said(detail: str, message: str) -> bool:
    """Whether every part of a detail, such as "fps: is '0'", stands in the message."""
    return all(part in message for part in detail.split(": "))


def _problems(error: sdk.TelecineError) -> list[str]:
    """What went wrong with each output of a job."""
    result = error.result if isinstance(error, sdk.JobError) else None
    outputs = result.job.outputs if result is not None else ()
    return [
        f"{each.name}: {each.problem.code}: {each.problem.message}"
        for each in outputs
        if each.problem is not None
    ]


def _explain_os_error(error: OSError) -> Failure:
    where = f": {error.filename}" if error.filename else ""
    message = f"{error.strerror or error}{where}"
    if error.errno == errno.ENOSPC:
        return Failure(
            "DISK_FULL", message, "Make room on that disk, then try again.", int(ExitCode.UNAVAILABLE),
            kind=str(sdk.ErrorKind.LATER), is_retryable=True,
        )  # fmt: skip
    if error.errno == errno.EPIPE:
        return Failure("BROKEN_PIPE", message, "The reader of the output went away.", int(ExitCode.OK))
    return Failure(
        "FILE_ERROR",
        message,
        "Check that the path exists and that you may read and write there.",
        int(ExitCode.USAGE),
    )


def _code_of(error: BaseException) -> str:
    name = type(error).__name__.removesuffix("Error")
    return "".join(
        f"_{letter}" if letter.isupper() and at else letter for at, letter in enumerate(name)
    ).upper()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def missing_extra(extra: str, error: ModuleNotFoundError) -> UnavailableHereError:
    """The error for a command whose optional part is not installed.

    A module that is missing from a package of ours which is there is a fault of ours, and raised as it is.
    """
    top, _, inside = (error.name or "").partition(".")
    if top == "telecine" or (inside and top in {"encoder_service", "log_collector", "service_host"}):
        raise error
    return UnavailableHereError(
        f"this needs an optional part that is not installed: {error.name}",
        f"install it: {install_command(extra)}",
    )
