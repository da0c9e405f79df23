"""The `telecine` command: what the SDK can do, for people and for scripts."""

from __future__ import annotations

import json
import os
import sys

from telecine.installation import install_command


def main() -> None:
    """Runs the command line and ends the process; the console script's entry point."""
    try:
        from telecine.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.stderr.write(
            "telecine: the command line needs an optional part that is not installed.\n"
            f"  Missing: {error.name}\n"
            f"  To do:   {install_command('cli')}\n"
            f"           or, to encode on this machine: {install_command('all')}\n"
        )
        sys.exit(3)
    except KeyboardInterrupt:  # while modules were loaded; later it is answered with the command's own words
        _say_interrupted()
        sys.exit(130)
    code = run(sys.argv[1:])
    _flush()
    sys.exit(code)


def _say_interrupted() -> None:
    if "--json" in sys.argv:
        failure = {"code": "INTERRUPTED", "message": "interrupted", "advice": "Repeat the command."}
        rest = {"exit_code": 130, "kind": "caller", "is_retryable": True, "details": [], "request_id": ""}
        sys.stdout.write(json.dumps({"error": {**failure, **rest}}) + "\n")
    else:
        sys.stderr.write("Error: interrupted\nTo do: Repeat the command.\n")


def _flush() -> None:
    """Writes what is buffered; a reader that has gone away is none of the interpreter's business."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
