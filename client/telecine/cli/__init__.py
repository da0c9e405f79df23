"""The `telecine` command: what the SDK can do, for people and for scripts."""

from __future__ import annotations

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
    sys.exit(run(sys.argv[1:]))
