"""Sets up the collector's own records: local files and standard error."""

from __future__ import annotations

import os
from pathlib import Path

from telecine.logging import configure_logging

DIRECTORY = "own-logs"


def configure_own_log(data_directory: Path) -> None:
    """`TELECINE_LOG_*` decides where it is set; see `telecine.logging`. Raises LogConfigError, OSError.

    With `TELECINE_LOG_COLLECTOR` its records go to that collector, which may be itself: what it cannot
    take stays in the spool.
    """
    configure_logging(
        "collector",
        # Standard output is for the ready line.
        console=os.environ.get("TELECINE_LOG_CONSOLE", "stderr"),
        directory=None if "TELECINE_LOG_DIR" in os.environ else data_directory / DIRECTORY,
    )
