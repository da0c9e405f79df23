"""Sets up the service's own records: local files, standard error, and the collector if one is named."""

from __future__ import annotations

import os
from pathlib import Path

from telecine.logging import configure_logging

DIRECTORY = "logs"


def configure_own_log(data_directory: Path) -> None:
    """`TELECINE_LOG_*` decides where it is set; see `telecine.logging`. Raises LogConfigError, OSError."""
    configure_logging(
        "encoder",
        # Standard output is for the ready line.
        console=os.environ.get("TELECINE_LOG_CONSOLE", "stderr"),
        directory=None if "TELECINE_LOG_DIR" in os.environ else data_directory / DIRECTORY,
    )
