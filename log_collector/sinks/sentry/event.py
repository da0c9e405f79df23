"""Makes a Sentry event of a record: what went wrong, where, for whom, and which events are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from telecine.logging.catalogue import FIELDS_BY_NAME

from log_collector.sinks.journal_record import JournalRecord
from log_collector.sinks.sentry.breadcrumbs import Breadcrumb, sentry_level
from log_collector.sinks.sentry.config import SentryConfig

_MAX_TAG_CHARS: Final = 200
_MAX_TEXT_CHARS: Final = 8192
_TAGS: Final = (
    "service", "logger", "event", "job_id", "request_id", "submission_id", "artifact_id", "provider_job_id",
    "provider_id", "operation_type", "stage", "output", "attempt", "account_id", "instance", "host",
    "error_type",
)  # fmt: skip
_ELSEWHERE: Final = frozenset(
    {
        "timestamp",
        "level",
        "msg",
        "error",
        "stack",
        "user_id",
        "env",
        "service_version",
        "trace_id",
        "span_id",
    }
) | frozenset(_TAGS)

Event = dict[str, Any]
"""Nested objects, ready for JSON."""


def sentry_event(record: JournalRecord, config: SentryConfig, breadcrumbs: Sequence[Breadcrumb]) -> Event:
    """The event of one record, within `config.event_bytes`.

    `event_id` is the record's id, so Sentry takes a repeat for the same event. Fingerprint:
    error type, service and logger; without an error type Sentry groups as it sees fit.
    """
    fields = record.fields or {}
    event: Event = {
        "event_id": record.id,
        "timestamp": fields.get("timestamp"),
        "platform": "python",
        "level": sentry_level(fields.get("level", "ERROR")),
        "logentry": {"formatted": _cut(fields.get("msg", ""))},
        "tags": {name: str(fields[name])[:_MAX_TAG_CHARS] for name in _TAGS if _is_given(fields, name)},
        "fingerprint": _fingerprint(fields),
        "extra": {n: v for n, v in fields.items() if n not in _ELSEWHERE and n in FIELDS_BY_NAME},
        "sdk": {"name": "telecine.log_collector", "version": "1"},
    }
    own = {n: v for n, v in fields.items() if n not in FIELDS_BY_NAME}
    contexts: Event = {"fields": own} if own else {}
    if _is_given(fields, "trace_id") and _is_given(fields, "span_id"):
        contexts["trace"] = {"trace_id": str(fields["trace_id"]), "span_id": str(fields["span_id"])}
    optional = {
        "logger": fields.get("logger"),
        "server_name": fields.get("host"),
        "release": config.release or fields.get("service_version"),
        "environment": config.environment or fields.get("env"),
        "user": {"id": str(fields["user_id"])} if _is_given(fields, "user_id") else None,
        "exception": _exception(fields),
        "contexts": contexts,
        "breadcrumbs": {"values": list(breadcrumbs)} if breadcrumbs else None,
    }
    event |= {name: value for name, value in optional.items() if value}
    return _within(event, config.event_bytes)


def _fingerprint(fields: Mapping[str, Any]) -> list[str]:
    if not _is_given(fields, "error_type"):
        return ["{{ default }}"]
    return [str(fields.get(name) or "") for name in ("error_type", "service", "logger")]


def _exception(fields: Mapping[str, Any]) -> Event | None:
    if not (_is_given(fields, "error_type") or _is_given(fields, "error") or _is_given(fields, "stack")):
        return None
    stack = str(fields.get("stack") or "")
    value: Event = {
        "type": str(fields.get("error_type") or "Error"),
        "value": _cut(fields.get("error") or fields.get("msg", "")),
        "mechanism": {"type": "logging", "handled": True},
    }
    frames = read_frames(stack)
    if frames:
        value["stacktrace"] = {"frames": frames}
    elif stack:
        # Of another language, or cut: shown as it is.
        value["value"] = _cut(f"{value['value']}\n{stack}")
    return {"values": [value]}


def _within(event: Event, limit_bytes: int) -> Event:
    """Gives up the less needful parts, and says so, until the event is small enough."""
    given_up = []
    for name in ("breadcrumbs", "contexts", "extra", "exception"):
        if len(msgspec.json.encode(event)) <= limit_bytes:
            break
        if event.pop(name, None):
            given_up.append(name)
    if given_up:
        event["tags"] = {**event["tags"], "telecine.left_out": ",".join(given_up)}
    return event


def _is_given(fields: Mapping[str, Any], name: str) -> bool:
    return fields.get(name) not in (None, "")


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_TEXT_CHARS else f"{text[: _MAX_TEXT_CHARS - 1]}…"


_FRAME: Final = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')


_HEAD: Final = "Traceback (most recent call last):"


_MAX_FRAMES: Final = 100


_LIBRARIES: Final = ("site-packages/", "dist-packages/", "/lib/python")


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One frame, with Sentry's names."""

    filename: str
    lineno: int
    function: str = "<module>"
    context_line: str = ""
    in_app: bool = True


def read_frames(stack: str) -> list[Frame]:
    """The frames of the last traceback in a text, the outermost first, as Sentry wants them; else none.

    Of more than 100 the innermost stay.
    """
    found: list[Frame] = []
    lines = stack[stack.rfind(_HEAD) + len(_HEAD) :].split("\n") if _HEAD in stack else []
    for index, line in enumerate(lines):
        match = _FRAME.match(line)
        if match is None:
            continue
        after = lines[index + 1].strip() if index + 1 < len(lines) else ""
        is_source = bool(after) and _FRAME.match(lines[index + 1]) is None and lines[index + 1][:4] == "    "
        file = match["file"]
        found.append(
            Frame(
                filename=file,
                lineno=int(match["line"]),
                function=match["function"] or "<module>",
                context_line=after if is_source else "",
                in_app=not any(part in file for part in _LIBRARIES),
            )
        )
    return found[-_MAX_FRAMES:]
