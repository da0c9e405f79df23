"""The section `logging` of a configuration file: what `configure_logging` takes, as a file can say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from telecine.logging.catalogue import Level, parse_level
from telecine.logging.outputs.console import ConsoleTarget
from telecine.logging.outputs.rendering import Format
from telecine.settings.config_file import SHARED_VARIABLE
from telecine.settings.loading import load_config
from telecine.settings.trust import NAMES_A_PATH

SECTION = "logging"

LogBytes = Annotated[int, msgspec.Meta(ge=1024)]
Count = Annotated[int, msgspec.Meta(ge=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class LoggingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where records go, and which. None: not said here."""

    env: str | None = None
    """Deployment environment."""
    service_version: str | None = None
    level: str | None = None
    """The lowest that is taken: TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    console: ConsoleTarget | None = None
    console_format: Format | None = None
    directory: Annotated[str, NAMES_A_PATH] | None = None
    """Of `<service>.log` and `errors.log`; "off": no local files."""
    file_format: Format | None = None
    file_max_bytes: LogBytes | None = None
    file_backups: Count | None = None
    errors_max_bytes: LogBytes | None = None
    errors_backups: Count | None = None
    collector: str | None = None
    """"host:port", "tls://host:port" or "unix:/path" of a log collector."""
    spool_directory: Path | None = None
    flush_seconds: NotNegative | None = None
    """How long the end of the process may wait for the collector, while it answers."""
    answer_seconds: NotNegative | None = None
    tells_origin: bool | None = None
    sampling: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = {}
    """Stage to N: 1 in N jobs is kept whole."""
    redacts_email: bool | None = None
    redacts_ip: bool | None = None
    redaction_key: str | None = None
    """Puts a keyed hash into each replacement, so that equal secrets stay correlatable."""
    bridges_stdlib: bool | None = None
    records_uncaught: bool | None = None
    folds_progress: bool | None = None

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if self.level is not None and parse_level(self.level) is None:
            yield "level", f"expected one of {', '.join(level.name for level in Level)}, got {self.level!r}"

    def values(self) -> dict[str, Any]:
        """What was said, as `LogConfig` takes it."""
        said = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        if self.level is not None:
            said["level"] = parse_level(self.level)
        if self.directory is not None:
            said["directory"] = (
                None if self.directory.lower() in ("", "off", "none") else Path(self.directory)
            )
        if self.redaction_key is not None:
            said["redaction_key"] = self.redaction_key.encode()
        return said


def file_settings(environ: Mapping[str, str], path: Path | None = None) -> tuple[dict[str, Any], str]:
    """What the file says, and its source for people. None: the file for everything, if there is one.

    A service's own file has no section for logging, and then says nothing. Raises ConfigError.
    """
    known = {SHARED_VARIABLE: environ[SHARED_VARIABLE]} if environ.get(SHARED_VARIABLE) else {}
    loaded = load_config(
        LoggingSettings,
        prefix="TELECINE_LOG_FILE_",
        section=SECTION,
        path=path,
        environ=known,
        needs_sections=True,
    )
    return loaded.value.values(), f"file {loaded.path.name}" if loaded.path is not None else ""
