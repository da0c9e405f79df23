"""The field catalogue and the stage taxonomy of a log record: one spec for SDK, collector and docs.

A record is one JSON object on one line. The fields below have a fixed name, type and meaning; any
other field is kept as it is. Every record has `timestamp`, `level`, `msg` and `service`.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import msgspec


class Level(IntEnum):
    """Severity; the numbers are those of Python's `logging`, with TRACE below DEBUG."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


LEVEL_ALIASES: Final[dict[str, Level]] = {
    **{level.name: level for level in Level},
    "WARN": Level.WARNING,
    "ERR": Level.ERROR,
    "EXCEPTION": Level.ERROR,
    "FATAL": Level.CRITICAL,
    "ALERT": Level.CRITICAL,
    "EMERGENCY": Level.CRITICAL,
    "PANIC": Level.CRITICAL,
    "NOTICE": Level.INFO,
    "INFORMATION": Level.INFO,
    "VERBOSE": Level.DEBUG,
    "NOTSET": Level.INFO,
}
"""What others call a level, in capitals."""
_MAX_LEVEL_DIGITS: Final = 4


class FieldType(StrEnum):
    """The JSON type of a field, and how strange values are coerced."""

    TIMESTAMP = "timestamp"
    """UTC, RFC 3339 with microseconds and Z: `2026-11-11T22:30:45.123456Z`, so text order is time order.
    Seconds, milli-, micro- or nanoseconds since the epoch and other offsets are converted."""
    LEVEL = "level"
    """A name of `Level`. Other cases, `LEVEL_ALIASES` and Python's numbers are converted."""
    TEXT = "text"
    """A string. Numbers and booleans are converted; objects and lists become JSON text."""
    ID = "id"
    """A string or an integer, compared as text. Other numbers and booleans are converted to strings."""
    INTEGER = "integer"
    """An integer. Strings and floats that state one are converted."""
    NUMBER = "number"
    """A float or integer, finite. Strings that state one are converted."""


class Field(msgspec.Struct, frozen=True):
    """One field of the catalogue."""

    name: str
    """Its key in the record."""
    type: FieldType
    meaning: str
    """One sentence for people."""
    otlp: tuple[str, ...] = ()
    """OpenTelemetry attribute names that are mapped to it, the preferred one first. The bare name and
    `telecine.<name>` are always taken."""
    ecs: str = ""
    """Its name in the Elastic Common Schema; empty: none."""
    is_required: bool = False
    """Whether every record has it."""


_T = FieldType

FIELDS: Final[tuple[Field, ...]] = (
    Field("timestamp", _T.TIMESTAMP, "When it happened, in UTC.", (), "@timestamp", is_required=True),
    Field("level", _T.LEVEL, "Severity.", (), "log.level", is_required=True),
    Field(
        "severity_text",
        _T.TEXT,
        "The sender's own word for the level, where it says more than the level.",
        (),
        "labels.severity_text",
    ),
    Field("msg", _T.TEXT, "Short event message; values belong into fields.", (), "message", is_required=True),
    Field("service", _T.TEXT, "Component that emits.", ("service.name",), "service.name", is_required=True),
    Field(
        "env",
        _T.TEXT,
        "Deployment environment: dev, staging, prod.",
        ("deployment.environment.name", "deployment.environment"),
        "service.environment",
    ),
    Field("logger", _T.TEXT, "Dotted name of the logger.", (), "log.logger"),
    Field("event", _T.TEXT, "Name of the event where it has one.", ("event.name",), "event.action"),
    Field(
        "request_id",
        _T.ID,
        "Correlates all work for one request.",
        ("request.id", "http.request.header.x-request-id"),
        "http.request.id",
    ),
    Field("job_id", _T.ID, "Correlates one job over all services.", ("job.id",), "labels.job_id"),
    Field(
        "submission_id", _T.ID, "One submission to a provider.", ("submission.id",), "labels.submission_id"
    ),
    Field("artifact_id", _T.ID, "One produced artifact.", ("artifact.id",), "labels.artifact_id"),
    Field(
        "provider_job_id",
        _T.ID,
        "The provider's own id of the job.",
        ("provider.job.id",),
        "labels.provider_job_id",
    ),
    Field(
        "log_tenant",
        _T.TEXT,
        "Who shipped it, by credential; written by the collector alone, absent for its root tenant.",
        (),
        "labels.log_tenant",
    ),
    Field("provider_id", _T.ID, "Which provider.", ("provider.id",), "labels.provider_id"),
    Field(
        "operation_type",
        _T.TEXT,
        "Kind of generation, such as image_to_video.",
        ("operation.type",),
        "labels.operation_type",
    ),
    Field("stage", _T.TEXT, "Stage of the life cycle; see `STAGES`.", (), "labels.stage"),
    Field("operation", _T.TEXT, "Name of the piece of work that it belongs to.", (), "labels.operation"),
    Field("operation_id", _T.ID, "Which operation; 8 hex digits.", (), "labels.operation_id"),
    Field("parent_operation_id", _T.ID, "The operation that it began in.", (), "labels.parent_operation_id"),
    Field(
        "operation_started",
        _T.TEXT,
        "When the operation began that this record ends; as timestamp.",
        (),
        "event.start",
    ),
    Field("output", _T.TEXT, "Name of the output that an encode stage makes.", (), "labels.output"),
    Field(
        "attempt",
        _T.INTEGER,
        "How many tries came before this one; 0: it is the first.",
        (),
        "labels.attempt",
    ),
    Field("duration_ms", _T.NUMBER, "How long it took, in milliseconds.", (), "labels.duration_ms"),
    Field("error", _T.TEXT, "What went wrong, for people.", ("exception.message",), "error.message"),
    Field("error_type", _T.TEXT, "Class of the error.", ("error.type", "exception.type"), "error.type"),
    Field("stack", _T.TEXT, "Stack trace.", ("exception.stacktrace",), "error.stack_trace"),
    Field("user_id", _T.ID, "Originating user; no e-mail, no name.", ("user.id", "enduser.id"), "user.id"),
    Field("tenant", _T.ID, "Whose job or record it is.", (), "labels.tenant"),
    Field("subject", _T.ID, "Who called, as its credential says.", (), "labels.subject"),
    Field("account_id", _T.ID, "Provider account used.", ("account.id",), "labels.account_id"),
    Field("reproducible_hash", _T.ID, "Hash of the canonical parameters.", (), "labels.reproducible_hash"),
    Field("retry_policy", _T.TEXT, "Policy that was applied.", (), "labels.retry_policy"),
    Field("trace_id", _T.TEXT, "OpenTelemetry trace id, 32 hex digits.", (), "trace.id"),
    Field("span_id", _T.TEXT, "OpenTelemetry span id, 16 hex digits.", (), "span.id"),
    Field("uid", _T.ID, "Unique id of the record itself.", ("log.record.uid",), "event.id"),
    Field(
        "service_version",
        _T.TEXT,
        "Version of the component.",
        ("service.version",),
        "service.version",
    ),
    Field("instance", _T.TEXT, "Which instance of it.", ("service.instance.id",), "service.node.name"),
    Field("host", _T.TEXT, "Name of the machine.", ("host.name",), "host.name"),
    Field("pid", _T.INTEGER, "Process id.", ("process.pid",), "process.pid"),
    Field("thread", _T.TEXT, "Name of the thread.", ("thread.name",), "process.thread.name"),
    Field(
        "module",
        _T.TEXT,
        "File or module of the call.",
        ("code.file.path", "code.filepath"),
        "log.origin.file.name",
    ),
    Field(
        "function",
        _T.TEXT,
        "Function of the call.",
        ("code.function.name", "code.function"),
        "log.origin.function",
    ),
    Field(
        "line",
        _T.INTEGER,
        "Line of the call.",
        ("code.line.number", "code.lineno"),
        "log.origin.file.line",
    ),
    Field(
        "sample_rate",
        _T.INTEGER,
        "How many records this one stands for; absent: 1. 0: kept as the last of its stage, see sampled_out.",
        (),
        "labels.sample_rate",
    ),
    Field(
        "sampled_out",
        _T.INTEGER,
        "How many records of this job and stage were left out before this one.",
        (),
        "labels.sampled_out",
    ),
)
"""Every field with a fixed meaning."""

FIELDS_BY_NAME: Final[dict[str, Field]] = {field.name: field for field in FIELDS}
ID_FIELDS: Final[tuple[str, ...]] = tuple(field.name for field in FIELDS if field.type is FieldType.ID)
LEADING_FIELDS: Final[tuple[str, ...]] = ("timestamp", "level", "service", "msg")
"""What the SDK writes first, in this order and without blanks: a collector can then see at fixed places
that a line is sound, and takes its batch as it came. Other orders are fine, and cost it more."""
KEY_ALIASES: Final[dict[str, str]] = {
    "message": "msg",
    "severity": "level",
    "levelname": "level",
    "time": "timestamp",
    "ts": "timestamp",
    "@timestamp": "timestamp",
    "exception": "stack",
    "asctime": "timestamp",
    "log.level": "level",
    "log.logger": "logger",
}
"""Keys that others write, taken when the field itself is absent."""


class StageSpec(msgspec.Struct, frozen=True):
    """One stage of the taxonomy."""

    name: str
    """As it stands in `stage`."""
    meaning: str
    """One sentence for people."""
    is_high_volume: bool = False
    """Whether sampling it is the usual thing to do."""


STAGES: Final[tuple[StageSpec, ...]] = (
    StageSpec("pipeline:start", "Pipeline run invoked for a job."),
    StageSpec("pipeline:artifact", "Canonical parameters and artifact created."),
    StageSpec("pipeline:complete", "Pipeline run ended well."),
    StageSpec("pipeline:error", "Pipeline run ended with an error."),
    StageSpec("provider:map_params", "Parameters mapped to the provider's."),
    StageSpec("provider:submit", "Submission sent to the provider."),
    StageSpec("provider:status", "Status polled.", is_high_volume=True),
    StageSpec("provider:complete", "Provider signalled completion."),
    StageSpec("provider:error", "Provider returned an error."),
    StageSpec("retry:decision", "Retry strategy evaluated."),
    StageSpec("encode:accepted", "The encoder took a job."),
    StageSpec("encode:frames", "Frames are arriving, or have all arrived.", is_high_volume=True),
    StageSpec("encode:output", "One output: started, made, failed."),
    StageSpec("encode:progress", "Progress of an output.", is_high_volume=True),
    StageSpec("encode:verify", "An artifact was read back and compared."),
    StageSpec("encode:manifest", "The manifest was written."),
    StageSpec("encode:complete", "The job ended well."),
    StageSpec("encode:error", "The job ended with an error."),
)
"""Every known stage. Others are kept; their form is `family:step`."""

OPERATION_FAMILY: Final = "operation"
"""Family of the stages that applications name themselves: `operation:<name>`."""

STAGES_BY_NAME: Final[dict[str, StageSpec]] = {stage.name: stage for stage in STAGES}

REDACTED: Final = "***redacted***"
"""What stands in the place of a secret."""

EVENT_RATE_LIMITED: Final = "log:rate_limited"
"""`event` of the summary of records that a rate limit left out."""
EVENT_RECORDS_LOST: Final = "log:records_lost"
"""`event` of a record that says how many records its producer had to drop."""
EVENT_PROGRESS: Final = "log:progress"
"""`event` of a folded progress line."""


def parse_level(value: object) -> Level | None:
    """Returns the level that a name or one of Python's numbers means; None: it means none."""
    if isinstance(value, str):
        text = value.strip()
        if not text.isdecimal() or len(text) > _MAX_LEVEL_DIGITS:
            return LEVEL_ALIASES.get(text.upper())
        value = int(text)
    if isinstance(value, float) and not value.is_integer():
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    candidates = [level for level in Level if level <= value]
    return candidates[-1] if candidates else None
