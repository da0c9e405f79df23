"""The sections of a configuration file as the command line knows them: their types, variables and values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from telecine.cli.show.failures import missing_extra
from telecine.settings.config_file import SECTIONS, is_sectioned, read_file
from telecine.settings.loading import ConfigError, Loaded, load_config, redacted
from telecine.settings.sources import ConfigFault

Row = tuple[str, Any, str]
"""Key, value with secrets redacted, source."""

_LOGGING_PREFIX = "TELECINE_LOGGING_"


def kind_of(section: str) -> type[msgspec.Struct]:
    """What a section holds. Raises UnavailableHereError where its program is not installed."""
    try:
        match section:
            case "encoder":
                from encoder_service.config import EncoderConfig

                return EncoderConfig
            case "collector":
                from log_collector.config import CollectorConfig

                return CollectorConfig
            case "sdk":
                from telecine.clients.settings import SdkConfig

                return SdkConfig
            case "tls":
                from telecine.tls.options import TlsFiles

                return TlsFiles
            case _:
                from telecine.logging.configuration import LoggingSettings

                return LoggingSettings
    except ModuleNotFoundError as error:
        raise missing_extra(section, error) from error


def load_section(
    section: str, path: Path | None, overrides: Mapping[str, object], environ: Mapping[str, str]
) -> Loaded[msgspec.Struct]:
    """Loads a section as its program would. Raises ConfigError."""
    from telecine.clients.settings import ALIASES

    prefix = _LOGGING_PREFIX if section == "logging" else f"TELECINE_{section.upper()}_"
    return load_config(
        kind_of(section),
        prefix=prefix,
        section=section,
        path=path,
        environ=environ,
        overrides=overrides,
        aliases=ALIASES if section == "sdk" else None,
        needs_sections=section in ("logging", "tls"),
    )


def rows_of(
    section: str, path: Path | None, overrides: Mapping[str, object], environ: Mapping[str, str]
) -> list[Row]:
    """Every setting of a section with its value in force. Raises ConfigError."""
    loaded = load_section(section, path, overrides, environ)
    return _logging_rows(loaded, environ) if section == "logging" else loaded.values()


def _logging_rows(loaded: Loaded[msgspec.Struct], environ: Mapping[str, str]) -> list[Row]:
    """Logging has variables of its own, `TELECINE_LOG_*`, and defaults that depend on one another."""
    from telecine.logging.configuration import LogConfigError, LoggingSettings, log_config, log_variable

    said = loaded.value.values() if isinstance(loaded.value, LoggingSettings) else {}
    try:
        config = log_config("service", {}, environ, said)
    except LogConfigError as error:
        raise ConfigError([ConfigFault("", "env TELECINE_LOG_*", str(error))]) from error
    rows = []
    for name in loaded.value.__struct_fields__:
        variable = log_variable(name)
        source = f"env {variable}" if variable and environ.get(variable) else loaded.sources_of(name)
        value = getattr(config, name)
        rows.append((name, redacted(value.name if name == "level" else value, name), source))
    return rows


def faults_of_file(path: Path, section: str | None) -> tuple[list[str], list[ConfigFault]]:
    """The sections that a file holds, and all that is wrong in them.

    A file without sections is one program's own: that of `section`, or of the one that knows its keys.
    """
    try:
        tree = read_file(path)
    except ValueError as error:
        return [], [ConfigFault("", f"file {path.name}", str(error))]
    if is_sectioned(tree):
        found: Sequence[str] = [name for name in SECTIONS if name in tree]
    else:
        found = [section] if section else _owners(tree)
        if len(found) != 1:
            expected = f"has no section of {', '.join(SECTIONS)}; say whose file it is with --as"
            return [], [ConfigFault("", f"file {path.name}", expected)]
    faults: dict[str, ConfigFault] = {}
    for name in found:
        try:
            load_config(kind_of(name), prefix="", section=name, path=path, environ={})
        except ConfigError as error:
            for fault in error.faults:
                key = _whole_key(name, fault.key, tree)
                faults[f"{key} {fault.expected}"] = ConfigFault(key, fault.source, fault.expected)
    return list(found), list(faults.values())


def _whole_key(section: str, key: str, tree: Mapping[str, object]) -> str:
    """The key as it stands in the file; what stands beside the sections has no section before it."""
    is_beside = key in tree
    return key if is_beside or not key or not is_sectioned(tree) else f"{section}.{key}"


def _owners(tree: Mapping[str, object]) -> list[str]:
    return [name for name in SECTIONS if tree and set(tree) <= set(kind_of(name).__struct_fields__)]


def environment() -> Mapping[str, str]:
    """This process's."""
    return os.environ
