"""`telecine logs watch`: what must hold before its screen is opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from telecine.cli.connection import collector_of
from telecine.cli.logs import options as opt
from telecine.cli.logs.source import open_source
from telecine.cli.show.failures import UsageError, missing_extra
from telecine.log_view.record_source import RecordSource, WatchedPlace
from telecine.log_view.record_window import WindowLimits

_ADVICE = "use `telecine logs tail`, which prints lines wherever it runs"


def watch(
    *,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=10_000, help="Begin with so many.")] = 500,
    keep_records: Annotated[
        int, typer.Option("--keep", min=100, max=1_000_000, help="Hold so many records at most.")
    ] = 10_000,
    keep_megabytes: Annotated[
        int, typer.Option("--keep-mb", min=1, max=4096, help="Hold records of so many megabytes at most.")
    ] = 64,
    level: opt.LevelOption = None,
    service: opt.ServiceOption = None,
    job: opt.JobOption = None,
    ids: opt.IdOption = None,
    stage: opt.StageOption = None,
    logger: opt.LoggerOption = None,
    text: opt.TextOption = "",
    where: opt.WhereOption = "",
    server: opt.CollectorOption = None,
    directory: opt.DirectoryOption = None,
) -> None:
    """Watch records in the terminal: filter as you type, scroll back, read a job's story."""
    wanted = opt.read_filter(
        level=level,
        services=service,
        job=job,
        ids=ids,
        stages=stage,
        loggers=logger,
        text=text,
        where=where,
    )
    _require_terminal()
    place = _place(server, directory)
    try:
        from telecine.cli.logs.watch.app import WatchApp
    except ModuleNotFoundError as error:
        raise missing_extra("watch", error) from error
    limits = WindowLimits(records=keep_records, size_bytes=keep_megabytes * 1_000_000)
    WatchApp(place, wanted, last=last, limits=limits).run()


def _require_terminal() -> None:
    # Textual draws on standard error.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("`logs watch` needs a terminal for input, output and errors", _ADVICE)
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        name = os.environ.get("TERM", "")
        raise UsageError(f"this terminal can move no cursor (TERM={name!r})", _ADVICE)


def _place(server: str | None, directory: Path | None) -> WatchedPlace:
    def open_here(call_timeout_seconds: float) -> RecordSource:
        return open_source(server, directory, call_timeout_seconds)

    # Wrong arguments are reported before the screen opens.
    open_here(1.0).close()
    name = str(directory) if directory is not None else collector_of(server)
    return WatchedPlace(name, open_here, has_counters=directory is None)
