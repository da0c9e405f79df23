"""The table of sinks: a section of the configuration that carries a `SinkRow` is a kind of sink."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import msgspec

from log_collector.sinks.sink import Sink


class Repeat(StrEnum):
    """What becomes of records that are written again after a crash."""

    UNDONE = "undone"
    """The first attempt is undone before: each record is there once."""
    KNOWN = "known"
    """They carry the same id, by which the other side keeps them once."""
    SEEN = "seen"
    """They are there twice."""


class Place(msgspec.Struct, frozen=True):
    """Where a sink lives in its collector."""

    name: str
    """Of the sink, such as "loki.main"."""
    data_dir: Path
    report: Callable[[str, str], None]
    """Notes an event and its reason in the collector's own log."""


class SinkRow(msgspec.Struct, frozen=True):
    """What the collector needs to know of a kind of sink besides its settings."""

    opens: str
    """`module:function`. The function takes the section's settings and a `Place` and returns the sink. It is
    imported when it is called, so that a sink's library is loaded only where the sink is used."""
    repeat: Repeat
    name: str = ""
    """Name of the only sink of this kind. Empty: there may be several, named `<section>.<name>`."""

    def open(self, settings: msgspec.Struct, place: Place) -> Sink:
        """Opens the sink; it connects or writes at its first record."""
        module, _, function = self.opens.partition(":")
        return cast(Sink, getattr(importlib.import_module(module), function)(settings, place))


class PlannedSink(msgspec.Struct, frozen=True):
    """A sink that the configuration asks for."""

    row: SinkRow
    settings: Any

    @property
    def lag_bytes(self) -> int:
        """How far it may fall behind before the oldest records are dropped; 0: never."""
        return cast(int, getattr(self.settings, "lag_bytes", 0))


@cache
def sink_rows(config_type: type[msgspec.Struct]) -> dict[str, SinkRow]:
    """The rows by their sections."""
    return {
        section: row
        for section, hint in get_type_hints(config_type, include_extras=True).items()
        if get_origin(hint) is Annotated
        for row in get_args(hint)[1:]
        if isinstance(row, SinkRow)
    }


def planned_sinks(config: msgspec.Struct) -> dict[str, PlannedSink]:
    """The sinks that a configuration asks for, by their names."""
    planned: dict[str, PlannedSink] = {}
    for section, row in sink_rows(type(config)).items():
        settings = getattr(config, section)
        if not row.name:
            planned |= {f"{section}.{one.name}": PlannedSink(row, one) for one in settings}
        elif settings.is_on:
            planned[row.name] = PlannedSink(row, settings)
    return planned


def repeated_names(config_type: type[msgspec.Struct], config: object) -> Iterator[str]:
    """Yields the sections in which two sinks have the same name. `config` has the fields of the type."""
    for section, row in sink_rows(config_type).items():
        names = [one.name for one in getattr(config, section)] if not row.name else []
        if len(set(names)) != len(names):
            yield section
