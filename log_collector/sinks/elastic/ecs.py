"""Maps a record to a document with the names of the Elastic Common Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from telecine.logging.catalogue import FIELDS_BY_NAME

from log_collector.expression import Fields

ECS_VERSION: Final = "8.11.0"
_MAX_DEPTH: Final = 4
_MAX_LABELS: Final = 200
"""Of fields that are in no catalogue. An index takes 1000 fields by default."""
_NUMBERS: Final = frozenset({"process.pid", "log.origin.file.line"})

Document = dict[str, Any]
"""Nested objects, ready for JSON."""


def ecs_document(fields: Fields, record_id: str) -> Document:
    """The document of one record.

    Catalogue fields go where the catalogue says, all others below `labels` (as text) or, where they are
    numbers, below `numeric_labels`: those have one type each, so no value contradicts an earlier one.
    `event.id` is `record_id`; an own `uid` becomes a label.
    """
    document: Document = {"@timestamp": fields.get("timestamp"), "ecs": {"version": ECS_VERSION}}
    others: Document = {}
    for name, value in fields.items():
        field = FIELDS_BY_NAME.get(name)
        if field is None or not field.ecs or name == "uid":
            others[name] = value
        elif name == "level":
            _put(document, field.ecs, str(value).lower())
        elif name != "timestamp":
            _put(document, field.ecs, value if field.ecs in _NUMBERS else _text(value))
    duration_ms = fields.get("duration_ms")
    if isinstance(duration_ms, int | float):
        _put(document, "event.duration", round(duration_ms * 1_000_000))
    _put(document, "event.id", record_id)
    for name, value in list(_flat(others, "", 0))[:_MAX_LABELS]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        labels = document.setdefault("numeric_labels" if is_number else "labels", {})
        labels.setdefault(name, value if is_number else _text(value))
    return document


def _put(document: Document, path: str, value: object) -> None:
    *sections, last = path.split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value


def _flat(values: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    """Labels are no objects, and a dot in a name would make one."""
    for name, value in values.items():
        label = f"{prefix}{name.replace('.', '_')}"
        if isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
            yield from _flat(value, f"{label}_", depth + 1)
        elif value is not None:
            yield label, value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
