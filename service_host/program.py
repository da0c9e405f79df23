"""The program around a service: flags, configuration, signals, the ready line and the exit code."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from telecine.embedding.private_directory import remove_private
from telecine.settings.loading import ConfigError, Loaded, load_config

from service_host.address import AddressError
from service_host.auth.exposure import exposure_fault
from service_host.errors import StartError
from service_host.host import Host, Listening, Stop
from service_host.lifecycle import HostedService
from service_host.malloc import tune_malloc
from service_host.metrics import new_registry
from service_host.parent import watch_parent
from service_host.settings.host_config import HostConfig

EXIT_OK = 0
EXIT_CANNOT_START = 1
EXIT_BAD_CONFIGURATION = 2

_OPEN_FILES = 65_536

_OWNER_ALONE = 0o077
_GROUP_MAY_READ = 0o027
"""As umask: nothing that a service writes is for other users."""


class ServiceConfig(Protocol):
    """What every service's configuration has."""

    @property
    def host(self) -> HostConfig:
        """How the service is hosted."""
        ...


ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)


class Program(msgspec.Struct, Generic[ConfigT], frozen=True):
    """One service as a program. `config_type` has a field `host: HostConfig`."""

    name: str
    """As it is called, such as "telecine serve encoder"."""
    prefix: str
    """Of its environment variables, such as "TELECINE_ENCODER_"."""
    config_type: type[ConfigT]
    section: str
    """Its own in a file for everything."""
    create: Callable[[Loaded[ConfigT], CollectorRegistry], HostedService]
    """Makes the service; opens nothing yet. May raise StartError."""
    settings: Callable[[Any], Mapping[str, object]] | None = None
    """Returns the service's settings in force, redacted; None: they stay as they were loaded."""


def run_program(program: Program[ConfigT], argv: Sequence[str] | None = None) -> int:
    """Runs a service from a command line until it is asked to end; returns the exit code.

    0: ended in order. 1: cannot start. 2: wrong flags or configuration. 128 + n: a second signal n
    ended it at once.
    """
    arguments = _parser(program).parse_args(argv)
    overrides: dict[str, object] = {}
    for setting in arguments.set:
        key, has_value, value = setting.partition("=")
        if not has_value:
            _say_fault(program.name, f"--set takes KEY=VALUE, got {setting!r}")
            return EXIT_BAD_CONFIGURATION
        overrides[key] = value
    for flag, key in _shortcuts(program).items():
        value = getattr(arguments, flag)
        if value is not None:
            overrides[key] = value
    mode = "print" if arguments.print_config else "check" if arguments.check_config else "serve"
    return serve_program(program, path=arguments.config, overrides=overrides, mode=mode)


def serve_program(
    program: Program[ConfigT],
    *,
    path: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    mode: str = "serve",
) -> int:
    """As `run_program`, for a caller that has read its own command line.

    `mode`: "serve", "check" (load the configuration and end) or "print" (show it and end).
    """
    if mode == "serve":
        tune_malloc()
    try:
        loaded = load_config(
            program.config_type,
            prefix=program.prefix,
            section=program.section,
            path=path,
            overrides=overrides,
        )
    except ConfigError as error:
        _say_fault(program.name, error)
        return EXIT_BAD_CONFIGURATION
    if mode == "print":
        sys.stdout.write(loaded.describe() + "\n")
        return EXIT_OK
    config: HostConfig = loaded.value.host  # type: ignore[attr-defined]  # ServiceConfig, by contract
    if fault := exposure_fault(config, getattr(loaded.value, "other_listens", ())):
        _say_fault(program.name, fault)
        return EXIT_BAD_CONFIGURATION
    if mode == "check":
        return EXIT_OK
    os.umask(_GROUP_MAY_READ if config.is_readable_by_group else _OWNER_ALONE)
    _allow_open_files()
    leftovers = _Leftovers(config.temporary_directories)
    _log_to_stderr()
    try:
        asyncio.run(_serve(program, loaded))
    except (AddressError, StartError) as error:
        _say_fault(program.name, error)
        return EXIT_CANNOT_START
    leftovers.are_wanted = False
    return EXIT_OK


class _Leftovers:
    """The temporary directories of an embedded service, which has to remove them where its parent was killed.

    After a failed start a parent that lives wants to read the log there; it removes them itself.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories
        self._parent = os.getppid()
        self.are_wanted = True
        if directories:
            # Before the service registers anything: what it writes when it ends comes first.
            atexit.register(self._remove)

    def _remove(self) -> None:
        if not self.are_wanted or os.getppid() != self._parent:
            for directory in self._directories:
                remove_private(directory)


async def _serve(program: Program[ConfigT], loaded: Loaded[ConfigT]) -> None:
    config: HostConfig = loaded.value.host  # type: ignore[attr-defined]  # ServiceConfig, by contract
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop, number)
    unwatch = watch_parent(stop.request) if config.exit_with_parent else lambda: None
    registry = new_registry()
    try:
        service = program.create(loaded, registry)
        shown = loaded.redacted()
        settings_of = program.settings

        def settings() -> Mapping[str, object]:
            return shown if settings_of is None else settings_of(service)

        audit = getattr(service, "audit", None)
        host = Host(service, config, registry=registry, settings=settings, audit=audit)
        await host.serve(stop, _say_listening)
    finally:
        unwatch()


def _allow_open_files() -> None:
    """Takes as many open files as the system lets the process have: each connection and upload needs some.

    Where a filter around the service denies it (systemd's `SystemCallFilter=~@resources`) all stays as it is.
    """
    with contextlib.suppress(OSError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _on_signal(stop: Stop, number: signal.Signals) -> None:
    if stop.is_requested:
        # A second signal means: do not wait; recovery is the normal way to start anyway.
        os._exit(128 + number)
    stop.request(number.name)


def _say_listening(listening: Listening) -> None:
    line = {"event": "listening", "address": listening.address, "admin": listening.admin, "pid": os.getpid()}
    if listening.http:
        line["http"] = listening.http
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def _say_fault(name: str, fault: object) -> None:
    sys.stderr.write(f"{name}: {fault}\n")


def _log_to_stderr() -> None:
    """Standard output is for the ready line; a service that configures logging itself is left alone."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory(sys.stderr),
            wrapper_class=structlog.make_filtering_bound_logger("info"),
        )


def _shortcuts(program: Program[ConfigT]) -> dict[str, str]:
    known = {field.name for field in msgspec.structs.fields(program.config_type)}
    shortcuts = {
        "listen": "host.listen",
        "admin_listen": "host.admin_listen",
        "exit_with_parent": "host.exit_with_parent",
        "insecure": "host.is_insecure",
    }
    return {**shortcuts, "data_dir": "data_dir"} if "data_dir" in known else shortcuts


def _parser(program: Program[ConfigT]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program.name,
        description=f"Settings come from defaults, then --config, then {program.prefix}*, then flags.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML, YAML or JSON file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting")
    parser.add_argument("--listen", metavar="ADDRESS", help="host:port (0: any port) or unix:/path")
    parser.add_argument("--admin-listen", metavar="ADDRESS", help="port of /metrics; empty: off")
    parser.add_argument("--insecure", action="store_true", default=None, help="open to a whole network")
    parser.add_argument("--exit-with-parent", action="store_true", default=None, help="for embedding")
    if "data_dir" in _shortcuts(program):
        parser.add_argument("--data-dir", metavar="DIR", help="where the service keeps its files")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--check-config", action="store_true", help="say what is wrong and end")
    which.add_argument("--print-config", action="store_true", help="show all settings and end")
    return parser
