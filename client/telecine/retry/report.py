"""The records of what was decided: `retry:decision` for every failed try, and each change of a circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telecine.retry.backoff import Decision
from telecine.retry.breaker import BreakerState
from telecine.retry.policy import RetryPolicy

if TYPE_CHECKING:
    from telecine.logging import Logger

STAGE = "retry:decision"
_LOGGER = "telecine.retry"


def report_decision(
    decision: Decision,
    policy: RetryPolicy,
    error: BaseException,
    *,
    call: str,
    log: Logger | None = None,
    level: str = "WARNING",
    **fields: object,
) -> None:
    """Logs one decision. `call`: what was tried; `level`: of the record."""
    if decision.is_again:
        fields["retry_seconds"] = round(decision.delay_seconds, 3)
    (log or _logger()).log(
        level,
        "trying again" if decision.is_again else "given up",
        stage=STAGE,
        call=call,
        attempt=decision.attempt,
        reason=str(decision.verdict),
        retry_policy=str(policy),
        error=str(error),
        error_type=type(error).__name__,
        **fields,
    )


def report_circuit(
    name: str, before: BreakerState, after: BreakerState, error: BaseException | None, level: str
) -> None:
    """Logs a change of a circuit. `level`: where it has opened."""
    fields = {} if error is None else {"error": str(error), "error_type": type(error).__name__}
    _logger().log(
        level if after is BreakerState.OPEN else "INFO",
        f"circuit {after}",
        event="circuit:changed",
        circuit=name,
        before=str(before),
        after=str(after),
        **fields,
    )


def _logger() -> Logger:
    from telecine.logging import get_logger  # late: the logging itself may use this package

    return get_logger(_LOGGER)
