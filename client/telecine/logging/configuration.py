"""The settings of `configure_logging`, from arguments and `TELECINE_LOG_*`; checked as a whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from telecine.exceptions import CallerError
from telecine.exceptions.root import FieldViolation
from telecine.logging.catalogue import Level, parse_level
from telecine.logging.outputs.console import ConsoleTarget
from telecine.logging.outputs.rendering import Format
from telecine.logging.record.sampling import SampleUnit, stage_rates
from telecine.logging.redaction.rules import RulePack
from telecine.logging.shipping.spool import SpoolLimits
from telecine.settings.address import COLLECTOR_PORT, SECURE, AddressError, parse_address
from telecine.settings.config_file import SHARED_VARIABLE, named_file, shared_file
from telecine.settings.loading import ConfigError, load_config
from telecine.settings.token import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from telecine.settings.trust import NAMES_A_PATH, withheld_token
from telecine.tls.options import Tls, TlsFiles
from telecine.tls.settings import common_tls, tls_for

PREFIX = "TELECINE_LOG_"

_SWITCHES = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class LogConfigError(CallerError, ValueError):
    """The configuration cannot be used; the message lists every fault in it."""

    about = "configure_logging"
    recovery = "Fix what the message names: an argument of configure_logging, or a TELECINE_LOG_ variable."


class EffectiveLogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where records go, and which: arguments, environment and file taken together."""

    service: str
    """The component that emits. 1 to 64 characters of [A-Za-z0-9._-]."""
    env: str = "dev"
    """Deployment environment."""
    service_version: str = ""
    """The version of the component, in each record. Empty: left out."""
    level: Level = Level.INFO
    """The lowest that is taken; loggers may have their own."""
    console: ConsoleTarget = ConsoleTarget.STDOUT
    """Where records are shown."""
    console_format: Format | None = None
    """None: human on a terminal, else `file_format`."""
    directory: Path | None = Path("logs")
    """Of `<service>.log` and `errors.log`; None: no local files."""
    file_format: Format = Format.JSON
    """How records stand in local files."""
    file_max_bytes: int = 10 << 20
    """Of `<service>.log`, before it is rotated."""
    file_backups: int = 5
    """Rotated files of `<service>.log` that are kept."""
    errors_max_bytes: int = 5 << 20
    """Of `errors.log`, before it is rotated."""
    errors_backups: int = 3
    """Rotated files of `errors.log` that are kept."""
    collector: str | None = None
    """`host:port`, `tls://host:port` or `unix:/path` of a log collector; None: records stay here."""
    tls: Tls | None = None
    """How the collector is spoken to. None: plainly, unless its address asks for TLS."""
    spool_directory: Path | None = None
    """None: `spool` in `directory`, or `~/.cache/telecine/spool` without one. May be shared by all
    processes of a machine."""
    spool_limits: SpoolLimits = SpoolLimits()
    flush_seconds: float = 2.0
    """How long the end of the process may wait for the collector, while it answers."""
    answer_seconds: float = 15.0
    """How long a connection to the collector may leave records unanswered before a new one is tried."""
    tells_origin: bool = False
    """Whether each record says where it comes from: `host`, `pid`, and `thread` but for the main one."""
    sampling: dict[str, int] = msgspec.field(default_factory=dict)
    """Stage to N: 1 in N jobs is kept whole, or 1 in N records stays; see `sample_by`."""
    sample_by: SampleUnit = SampleUnit.JOB
    """Of what 1 in N is kept."""
    redacts_email: bool = False
    """Whether e-mail addresses are secrets too."""
    redacts_ip: bool = False
    """Whether IP addresses, but for the machine's own, are secrets too."""
    redaction_key: bytes | None = None
    """Puts a keyed hash into each replacement, so that equal secrets stay correlatable."""
    redaction_rules: RulePack | None = None
    """Own rules, on top of the default pack."""
    bridges_stdlib: bool = True
    """Whether stdlib `logging` and warnings come in."""
    records_uncaught: bool = True
    """Whether uncaught exceptions of the main thread, other threads and `__del__` are recorded."""
    folds_progress: bool = False
    """Whether progress bars on standard error become progress records."""

    def spool_root(self) -> Path:
        """Where the spools of this machine are."""
        if self.spool_directory is not None:
            return self.spool_directory
        if self.directory is not None:
            return self.directory / "spool"
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return Path(cache).expanduser() / "telecine" / "spool"


def log_config(
    service: str,
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    from_file: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
) -> EffectiveLogConfig:
    """Defaults, overridden by a file, by the environment, and by arguments that are not None.

    `config_file`: whose section `tls` holds. None: that of the file for everything.

    Raises:
        LogConfigError: with every fault in one message.
    """
    faults: list[str] = []
    values: dict[str, Any] = {**(from_file or {}), "service": service}
    for name, (variable, parse) in _VARIABLES.items():
        text = environ.get(PREFIX + variable)
        if text is not None and text.strip():
            _parsed(values, name, PREFIX + variable, text.strip(), parse, faults)
    if environ.get(PREFIX + "DIR", "x").strip().lower() in ("", "off", "none"):
        values["directory"] = None
    try:
        values["sampling"] = {**values.get("sampling", {}), **stage_rates(environ)}
    except ValueError as error:
        faults.append(str(error))
    for name, value in arguments.items():
        if value is None:
            continue
        reader = _ARGUMENTS.get(name)
        if reader is not None and not isinstance(value, (os.PathLike, float)):
            _parsed(values, name, name, value, reader, faults)
        else:
            values[name] = value
    _check(values, faults)
    if values.get("collector") is not None and not faults:
        _add_tls(values, environ, config_file, faults)
        is_named = config_file is not None or named_file(environ) is not None
        if not (is_named or arguments.get("collector") or environ.get(f"{PREFIX}COLLECTOR")):
            _check_trust(values, environ, faults)
    if faults:
        named = [fault.partition(": ") for fault in faults]
        raise LogConfigError(
            "logging cannot be configured: " + "; ".join(faults),
            faults=[FieldViolation(name, wrong) for name, _, wrong in named if wrong],
        )
    return EffectiveLogConfig(**values)


def logging_from_file(environ: Mapping[str, str], path: Path | None = None) -> dict[str, Any]:
    """What a configuration file says about logging: TELECINE_CONFIG, `telecine.toml`, or the one given.

    Raises:
        LogConfigError: with every fault in one message.
    """
    if path is None and shared_file(environ, Path.cwd()) is None:
        return {}
    try:
        return file_settings(environ, path)[0]
    except ConfigError as error:
        raise LogConfigError(f"logging cannot be configured: {error}") from error


def log_variable(name: str) -> str:
    """The environment variable of a field of `EffectiveLogConfig`; empty: it has none."""
    return PREFIX + _VARIABLES[name][0] if name in _VARIABLES else ""


def log_variables() -> frozenset[str]:
    """Returns the environment variables of logging, but for those of sampling, which stages name."""
    return frozenset(PREFIX + variable for variable, _ in _VARIABLES.values())


def _parsed(
    values: dict[str, Any], name: str, shown: str, text: Any, parse: Callable[[Any], Any], faults: list[str]
) -> None:
    try:
        values[name] = parse(text)
    except (TypeError, ValueError) as error:
        fault = f"{shown}: {error}"
        if fault not in faults:  # one variable may set several fields
            faults.append(fault)


def _check(values: dict[str, Any], faults: list[str]) -> None:
    service = values["service"]
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
    is_named = (
        isinstance(service, str) and 1 <= len(service) <= 64 and all(char in allowed for char in service)
    )
    if not is_named or not service[0].isalnum():
        faults.append(
            f"service: expected 1 to 64 of [A-Za-z0-9._-], beginning with a letter or digit, got {service!r}"
        )
    for name in ("file_max_bytes", "errors_max_bytes", "file_backups", "errors_backups", "flush_seconds"):
        value = values.get(name, 1024)
        if not isinstance(value, (int, float)) or value < 0 or (name.endswith("bytes") and value < 1024):
            faults.append(
                f"{name}: expected a number that is not negative (bytes: 1024 or more), got {value!r}"
            )
    for name, kind in _KINDS.items():
        value = values.get(name)
        if value is not None and not isinstance(value, kind):
            faults.append(f"{name}: expected {kind.__name__}, got a value of {type(value).__name__}")
    sampling = values.get("sampling", {})
    if not isinstance(sampling, Mapping) or not all(_is_rate(rate) for rate in sampling.values()):
        faults.append(f"sampling: expected stages with whole numbers from 1 on, got {sampling!r}")
    answer_seconds = values.get("answer_seconds", 1.0)
    if not isinstance(answer_seconds, (int, float)) or answer_seconds <= 0:
        faults.append(f"answer_seconds: expected a number above 0, got {answer_seconds!r}")
    collector = values.get("collector")
    if collector is not None:
        try:
            parse_address(str(collector), usual_port=COLLECTOR_PORT)
        except AddressError as error:
            faults.append(f"collector: {error}")


def _add_tls(
    values: dict[str, Any], environ: Mapping[str, str], config_file: Path | None, faults: list[str]
) -> None:
    """Fills in what holds for every client, and looks at the files once: shipping itself only tries again."""
    address = str(values["collector"])
    try:
        tls = values["tls"] = tls_for(address, values.get("tls"), common_tls(environ, config_file))
    except ConfigError as error:
        faults.append(str(error))
        return
    if tls is not None and tls.insecure and address.startswith(SECURE):
        faults.append("tls: insecure was said, but collector begins with tls://")
    elif tls is not None and not tls.insecure:
        from telecine.tls.pem_files import faults_of_files  # late: most programs need no ssl

        faults += [f"tls.{field}: {expected}" for field, expected in faults_of_files(tls)]


def _check_trust(values: Mapping[str, Any], environ: Mapping[str, str], faults: list[str]) -> None:
    """A directory that was unpacked or cloned is not trusted with a token: `settings.trust`."""
    if any(environ.get(name, "").strip() for name in (TOKEN_VARIABLE, TOKEN_FILE_VARIABLE)):
        faults.append(f"collector: {withheld_token(values['collector'], f'{PREFIX}COLLECTOR')}")


def _is_rate(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _level(value: str | int) -> Level:
    level = parse_level(value)
    if level is None:
        raise ValueError(f"expected one of {', '.join(name.name for name in Level)}, got {value!r}")
    return level


def _one_of(kind: type[E]) -> Callable[[Any], E]:
    def parse(text: Any) -> E:
        try:
            return kind(str(text).lower())
        except ValueError:
            known = ", ".join(member.value for member in kind)
            raise ValueError(f"expected one of {known}, got {text!r}") from None

    return parse


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _SWITCHES.get(str(value).lower())
    if known is None:
        raise ValueError(f"expected on or off, got {value!r}")
    return known


def _bytes(value: Any) -> int:
    if isinstance(value, int):
        return value
    text = str(value).lower().replace(" ", "")
    digits = text.rstrip("bgikm")
    unit = _UNITS.get(text[len(digits) :])
    if unit is None or not digits.isdecimal():
        raise ValueError(f"expected bytes such as 10MiB, got {value!r}")
    return int(digits) * unit


def _count(value: Any) -> int:
    if not str(value).isdecimal():
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"expected seconds, got {value!r}") from None


_form = _one_of(Format)

_VARIABLES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "level": ("LEVEL", _level),
    "env": ("ENV", str),
    "console": ("CONSOLE", _one_of(ConsoleTarget)),
    "console_format": ("FORMAT", _form),
    "file_format": ("FORMAT", _form),
    "directory": ("DIR", Path),
    "file_max_bytes": ("FILE_MAX_BYTES", _bytes),
    "file_backups": ("FILE_BACKUPS", _count),
    "errors_max_bytes": ("ERRORS_MAX_BYTES", _bytes),
    "errors_backups": ("ERRORS_BACKUPS", _count),
    "collector": ("COLLECTOR", str),
    "spool_directory": ("SPOOL_DIR", Path),
    "flush_seconds": ("FLUSH_SECONDS", _seconds),
    "answer_seconds": ("ANSWER_SECONDS", _seconds),
    "tells_origin": ("ORIGIN", _switch),
    "sample_by": ("SAMPLE_BY", _one_of(SampleUnit)),
    "redacts_email": ("REDACT_EMAIL", _switch),
    "redacts_ip": ("REDACT_IP", _switch),
    "redaction_key": ("REDACTION_KEY", str.encode),
    "folds_progress": ("FOLD_PROGRESS", _switch),
}

_ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "level": _level,
    "console": _one_of(ConsoleTarget),
    "console_format": _form,
    "file_format": _form,
    "sample_by": _one_of(SampleUnit),
    "directory": Path,
    "spool_directory": Path,
    "file_max_bytes": _bytes,
    "errors_max_bytes": _bytes,
}


_KINDS: dict[str, type] = {
    "redaction_rules": RulePack,
    "redaction_key": bytes,
    "spool_limits": SpoolLimits,
    "tls": Tls,
}
"""Arguments that only Python can say, and their classes."""


def program_name() -> str:
    """A service name for programs that log without having configured it."""
    name = "".join(char if char.isalnum() or char in "._-" else "-" for char in Path(sys.argv[0] or "").stem)
    return name.strip("._-")[:64] or "python"


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
    tls: TlsFiles = TlsFiles()
    """For this collector alone. Where nothing is said here, section `tls` and TELECINE_TLS_* hold, which are
    for every client."""
    spool_directory: Path | None = None
    flush_seconds: NotNegative | None = None
    """How long the end of the process may wait for the collector, while it answers."""
    answer_seconds: NotNegative | None = None
    tells_origin: bool | None = None
    sampling: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = {}
    """Stage to N: 1 in N jobs is kept whole, or 1 in N records stays; see `sample_by`."""
    sample_by: SampleUnit | None = None
    """"job" (default) or "record": of what 1 in N is kept."""
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
        if self.collector is not None:
            try:
                parse_address(self.collector, usual_port=COLLECTOR_PORT)
            except AddressError as error:
                yield "collector", str(error)

    def values(self) -> dict[str, Any]:
        """What was said, as `EffectiveLogConfig` takes it."""
        said = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        said["tls"] = self.tls.options()
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
