"""Sets up the collector's own records: local files and standard error."""

from __future__ import annotations

from pathlib import Path

from telecine.logging import configure_service_logging

DIRECTORY = "own-logs"


def configure_own_log(data_directory: Path, config_file: Path | None = None) -> None:
    """The section `logging` of the file and `TELECINE_LOG_*` decide where they go.

    Raises LogConfigError, OSError.

    With `TELECINE_LOG_COLLECTOR` its records go to that collector, which may be itself: what it cannot
    take stays in the spool.
    """
    configure_service_logging("collector", data_directory / DIRECTORY, config_file)
