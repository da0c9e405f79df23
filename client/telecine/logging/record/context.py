"""Fields that belong to all records of a piece of work: bound to a logger, or to the running task."""

from __future__ import annotations

import secrets
import sys
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

import structlog.contextvars as structlog_context

REQUEST_ID_KEY = "x-request-id"
"""gRPC metadata key under which the request id travels, in both directions."""


# structlog keeps one variable per key; without any there is nothing to look for.
_KNOWN: dict[str, Any] = structlog_context._CONTEXT_VARS  # noqa: SLF001 - reading all contexts costs 1 µs a record


def task_fields() -> dict[str, Any] | None:
    """What all records of the running task carry: its bound fields, its trace and span; None for nothing."""
    context = context_fields() if _KNOWN else None
    if "opentelemetry.trace" in sys.modules and (traced := trace_fields()) is not None:
        return traced if context is None else context | traced
    return context


def context_fields() -> dict[str, Any] | None:
    """What the running task has bound through structlog's contextvars; None for nothing."""
    if not _KNOWN:
        return None
    found = None
    for name, variable in list(_KNOWN.items()):
        value = variable.get(...)
        if value is not ...:
            if found is None:
                found = {}
            found[name[len(structlog_context.STRUCTLOG_KEY_PREFIX) :]] = value
    return found


def trace_fields() -> dict[str, str] | None:
    """Trace and span id when OpenTelemetry is in use and a span is active."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    try:
        span = trace.get_current_span().get_span_context()
    except AttributeError:
        return None
    if not span.is_valid:
        return None
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


_entered: ContextVar[tuple[tuple[LogContext, dict[str, Token[Any]]], ...]] = ContextVar(
    "telecine_log_contexts", default=()
)
"""Which blocks the running task is in, the innermost last."""


class LogContext:
    """Binds fields to every record of the running task (and what it awaits) while the block lasts.

    Usage: `with LogContext(job_id=job.id): ...`; `async with` works as well. One object may be entered any
    number of times, within itself and by several tasks.
    """

    def __init__(self, **fields: Any) -> None:
        """Takes any fields; those of the catalogue keep their meaning."""
        self._fields = fields

    def __enter__(self) -> Self:
        tokens = dict(structlog_context.bind_contextvars(**self._fields))
        _entered.set((*_entered.get(), (self, tokens)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = _entered.get()
        for at in range(len(entered) - 1, -1, -1):
            if entered[at][0] is self:
                _entered.set(entered[:at] + entered[at + 1 :])
                try:
                    structlog_context.reset_contextvars(**entered[at][1])
                except (ValueError, RuntimeError):
                    # Of a context that this one is a copy of, or left there already.
                    break
                return
        # Left in another context than it was entered in (a generator closed elsewhere).
        structlog_context.unbind_contextvars(*self._fields)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def current_request_id() -> str:
    """The request id bound to the running task; empty without one."""
    fields = context_fields()
    return str(fields.get("request_id") or "") if fields else ""


def ensure_request_id() -> str:
    """The request id of the running task; makes and binds one where it has none."""
    request_id = current_request_id()
    if not request_id:
        request_id = secrets.token_hex(16)
        structlog_context.bind_contextvars(request_id=request_id)
    return request_id


def bind_job_context(
    logger: Any,
    *,
    job_id: str | int,
    operation_type: str | None = None,
    provider_id: str | None = None,
    **fields: Any,
) -> Any:
    """Returns a logger whose records carry the job.

    Args:
        logger: Any logger that has `bind`.
        job_id: The job's id, which correlates its records over all services.
        operation_type: Kind of generation, such as "image_to_video". None: the field is left out.
        provider_id: Which provider. None: the field is left out.
        **fields: Further fields. None: left out.
    """
    known = {"job_id": job_id, "operation_type": operation_type, "provider_id": provider_id}
    return logger.bind(**{name: value for name, value in (known | fields).items() if value is not None})


def bind_artifact_context(
    logger: Any,
    *,
    artifact_id: str | int | None = None,
    submission_id: str | int | None = None,
    provider_job_id: str | None = None,
    **fields: Any,
) -> Any:
    """Returns a logger whose records carry the artifact and its submission.

    Args:
        logger: Any logger that has `bind`.
        artifact_id: One produced artifact. None: the field is left out.
        submission_id: One submission to a provider. None: the field is left out.
        provider_job_id: The provider's own id of the job. None: the field is left out.
        **fields: Further fields. None: left out.
    """
    known = {"artifact_id": artifact_id, "submission_id": submission_id, "provider_job_id": provider_job_id}
    return logger.bind(**{name: value for name, value in (known | fields).items() if value is not None})
