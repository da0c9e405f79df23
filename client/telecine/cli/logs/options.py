"""The filters of the `logs` commands, read from the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from telecine.cli.completion import complete_id_field, complete_level, complete_logged_job
from telecine.cli.connection import DEFAULT_COLLECTOR
from telecine.cli.show.failures import UsageError
from telecine.clients.logs import LogFilter
from telecine.logging.catalogue import ID_FIELDS, LEVEL_ALIASES

CollectorOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        metavar="HOST:PORT",
        show_default=False,
        help="Log collector to talk to. Default: TELECINE_LOG_COLLECTOR, else logging.collector of the "
        f"configuration, else {DEFAULT_COLLECTOR}.",
    ),
]
DirectoryOption = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="Read log files, packed ones included, instead.")
]
LinesOption = Annotated[bool, typer.Option("--json", help="Print records as JSON lines instead of text.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="2026-11-21T08:00:00, or an age such as 15m, 2h."),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this time.")]
LevelOption = Annotated[
    str | None, typer.Option("--level", "-l", help="This level or above.", autocompletion=complete_level)
]
ServiceOption = Annotated[list[str] | None, typer.Option("--service", help="May be repeated.")]
JobOption = Annotated[
    str | None,
    typer.Option("--job", "-j", metavar="ID", help="Only this job.", autocompletion=complete_logged_job),
]
IdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--id", metavar="FIELD=VALUE", help="Any id, such as request_id=42.", autocompletion=complete_id_field
    ),
]
StageOption = Annotated[list[str] | None, typer.Option("--stage", help='Such as "encode:*".')]
LoggerOption = Annotated[list[str] | None, typer.Option("--logger", help="This logger and those below.")]
TextOption = Annotated[str, typer.Option("--text", "-t", help="Text anywhere in the record.")]
WhereOption = Annotated[
    str, typer.Option("--where", "-w", metavar="CONDITION", help='Such as "duration_ms > 500".')
]

_OFFSET: Final = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)?")
_AGE: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_filter(
    *,
    since: str | None = None,
    until: str | None = None,
    level: str | None = None,
    services: list[str] | None = None,
    job: str | None = None,
    ids: list[str] | None = None,
    stages: list[str] | None = None,
    loggers: list[str] | None = None,
    text: str = "",
    where: str = "",
) -> LogFilter:
    """Joins the options to a filter. Raises UsageError."""
    min_level = LEVEL_ALIASES.get(level.upper()) if level else None
    if level and min_level is None:
        raise UsageError(f"--level is {level!r}", "expected DEBUG, INFO, WARNING, ERROR or CRITICAL")
    wanted_ids = {"job_id": job} if job else {}
    for item in ids or []:
        name, equals, value = item.partition("=")
        if not equals or name not in ID_FIELDS:
            raise UsageError(f"--id is {item!r}", f"write FIELD=VALUE; fields are {', '.join(ID_FIELDS)}")
        wanted_ids[name] = value
    return LogFilter(
        since=_time(since, "--since"),
        until=_time(until, "--until"),
        min_level=min_level,
        services=services or (),
        ids=wanted_ids,
        stages=stages or (),
        loggers=loggers or (),
        text=text,
        expression=where,
    )


def zone_of(text: str) -> tzinfo | None:
    """The zone that a name or an offset means; None for an empty text: this machine's. Raises UsageError."""
    if not text:
        return None
    offset = _OFFSET.fullmatch(text)
    if offset is not None:
        apart = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-apart if offset[1] == "-" else apart)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"--timezone is {text!r}",
            'write a name such as "Europe/Berlin" or "UTC", or an offset such as "+02:00"',
        ) from None


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    age = _AGE.fullmatch(text)
    try:
        if age is not None:
            return datetime.now(UTC) - timedelta(seconds=float(age[1]) * _UNITS[age[2]])
        return datetime.fromisoformat(text.strip().replace(",", "."))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} is {text!r}",
            "write 2026-11-21T08:00:00, with Z or +01:00 where it is not local, or an age such as 30s, 2h",
        ) from None
