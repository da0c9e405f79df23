"""Sets up the service's own records: local files, standard error, and the collector if one is named."""

from __future__ import annotations

from pathlib import Path

from telecine.logging import configure_service_logging

DIRECTORY = "logs"


def configure_own_log(data_directory: Path, config_file: Path | None = None) -> None:
    """The section `logging` of the file and `TELECINE_LOG_*` decide where they go.

    Raises LogConfigError, OSError.
    """
    configure_service_logging("encoder", data_directory / DIRECTORY, config_file)
