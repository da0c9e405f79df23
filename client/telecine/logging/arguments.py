"""The arguments of `configure_logging` as one value, which programs can build, keep and pass on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from telecine.logging.configuration import LogConfigError
from telecine.logging.redaction.rules import RulePack
from telecine.logging.shipping.spool import SpoolLimits
from telecine.tls.options import Tls

_SYNONYMS: Final = {"log_dir": "directory", "log_level": "level"}
_NOT_ARGUMENTS: Final = frozenset({"service", "has_files", "fmt_type", *_SYNONYMS})
_FORMATS: Final = {"key-value": "kv", "key_value": "kv", "keyvalue": "kv", "plain": "human", "text": "human"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """One configuration for the process: `configure_logging(LogConfig(service="worker", level="DEBUG"))`.

    A field that is None is not said here: it comes from `TELECINE_LOG_*`, or else from the file, or else is
    the default in brackets. `log_dir`, `log_level` and `fmt_type` are the names of other logging modules.
    """

    service: str | None = None
    """The component that emits. 1 to 64 characters of [A-Za-z0-9._-]. [the program's name]"""
    env: str | None = None
    """Deployment environment. ["dev"]"""
    service_version: str | None = None
    """Version of the component. [empty]"""
    level: str | int | None = None
    """The lowest that is taken; loggers may have their own. ["INFO"]"""
    console: str | None = None
    """"stdout", "stderr" or "off". ["stdout"]"""
    console_format: str | None = None
    """"json", "kv" or "human". [human on a terminal, else as the files]"""
    directory: str | Path | None = None
    """Of `<service>.log` and `errors.log`. ["logs"]"""
    has_files: bool = True
    """Whether there are local files."""
    file_format: str | None = None
    """"json", "kv" or "human". ["json"]"""
    file_max_bytes: int | str | None = None
    """Size at which `<service>.log` is rotated, from 1024 on, or text such as "10MiB". [10 MiB]"""
    file_backups: int | None = None
    """Rotated files that are kept. 0: none. [5]"""
    errors_max_bytes: int | str | None = None
    """Size at which `errors.log` is rotated, as above. [5 MiB]"""
    errors_backups: int | None = None
    """Rotated files of errors that are kept. 0: none. [3]"""
    collector: str | None = None
    """"host:port", "tls://host:port" or "unix:/path" of a log collector. [records stay here]"""
    tls: Tls | None = None
    """PEM files of a secure connection to the collector. [TELECINE_TLS_*, or section `tls` of a file]"""
    spool_directory: str | Path | None = None
    """Where records wait for the collector; may be shared by all processes of a machine.
    [`spool` in `directory`, or `~/.cache/telecine/spool` without one]"""
    spool_limits: SpoolLimits | None = None
    """How much may wait. [the defaults of `SpoolLimits`]"""
    flush_seconds: float | None = None
    """How long the end of the process may wait for the collector, while it answers. 0: not at all. [2]"""
    answer_seconds: float | None = None
    """How long a connection may leave records unanswered before a new one is tried. [15]"""
    tells_origin: bool | None = None
    """Whether each record says where it comes from: `host`, `pid`, and `thread` but for the main one. [no]"""
    sampling: dict[str, int] | None = None
    """Stage to N: 1 in N is kept. 1: all. [all of every stage]"""
    sample_by: str | None = None
    """Of what 1 in N is kept: "job" or "record". ["job"]"""
    redacts_email: bool | None = None
    """Whether e-mail addresses are secrets too. [no]"""
    redacts_ip: bool | None = None
    """Whether IP addresses, but for the machine's own, are secrets too. [no]"""
    redaction_key: bytes | None = None
    """Puts a keyed hash into each replacement, so that equal secrets stay correlatable. [no hash]"""
    redaction_rules: RulePack | None = None
    """Own rules, on top of the default pack. [none]"""
    bridges_stdlib: bool | None = None
    """Whether stdlib `logging` and warnings come in. [yes]"""
    records_uncaught: bool | None = None
    """Whether uncaught exceptions of the main thread, other threads and `__del__` are recorded. [yes]"""
    folds_progress: bool | None = None
    """Whether progress bars on standard error become progress records. [no]"""
    log_dir: str | Path | None = None
    """`directory` by another name."""
    log_level: str | int | None = None
    """`level` by another name."""
    fmt_type: str | None = None
    """One format for console and files: "json", "kv" ("key-value") or "human"."""

    def arguments(self) -> dict[str, Any]:
        """Returns what is said here, by the names that `configure_logging` has.

        Raises:
            LogConfigError: The same thing is said twice, by both of its names.
        """
        said = {
            field.name: value
            for field in fields(self)
            if field.name not in _NOT_ARGUMENTS and (value := getattr(self, field.name)) is not None
        }
        faults = []
        for synonym, name in _SYNONYMS.items():
            value = getattr(self, synonym)
            if value is not None and said.setdefault(name, value) != value:
                faults.append(f"{synonym} and {name} are both given: {value!r} and {said[name]!r}")
        if self.fmt_type is not None:
            form = _FORMATS.get(str(self.fmt_type).lower(), self.fmt_type)
            for name in ("console_format", "file_format"):
                said.setdefault(name, form)
        if faults:
            raise LogConfigError("logging cannot be configured: " + "; ".join(faults))
        return said
