"""One message owed to one webhook: when it was promised, what it says, and when it is tried again.

Pure: the same event of the same job always gives the same delivery with the same id.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from encoder_service.spec.spec import OutputSpec, WebhookEvent
from encoder_service.store.record import JobRecord, OutputState, tenant_field
from encoder_service.webhooks.config import WebhooksConfig
from service_host.auth.principal import DEFAULT_TENANT


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a receiver is owed; it lies in the outbox until it is taken or given up."""

    delivery_id: str = msgspec.field(name="notice_id")
    """The same for every try, so that receivers recognize repetitions. Files keep the name of old."""
    job_id: str
    tenant: str = DEFAULT_TENANT
    event: WebhookEvent
    url: str
    body: str
    """JSON, as it is sent and signed."""
    created_at_unix_nano: int
    attempts: int = 0
    """How many tries have failed."""
    due_at_unix_nano: int = 0
    """When it is tried next."""


def deliveries_for(
    record: JobRecord, event: WebhookEvent, output: str, config: WebhooksConfig, now_unix_nano: int
) -> tuple[WebhookDelivery, ...]:
    """Returns what every subscriber of this event is owed; `output` names the output that ended."""
    urls = [hook.url for hook in record.spec.webhooks if event in hook.events]
    urls += [endpoint.url for endpoint in config.endpoints if event in endpoint.events]
    if not urls:
        return ()
    body = msgspec.json.encode(
        {"type": event.value, "timestamp": _time(now_unix_nano), "data": _data(record, event, output)}
    ).decode()
    return tuple(
        WebhookDelivery(
            delivery_id=_id(record, event, output, url),
            job_id=record.job_id,
            tenant=record.tenant,
            event=event,
            url=url,
            body=body,
            created_at_unix_nano=now_unix_nano,
            due_at_unix_nano=now_unix_nano,
        )
        for url in dict.fromkeys(urls)
    )


def after_failure(
    delivery: WebhookDelivery, config: WebhooksConfig, now_unix_nano: int, random: float, asked_seconds: float
) -> WebhookDelivery | None:
    """The delivery with its next try; None: it is given up.

    `random`: 0 to 1. `asked_seconds`: the pause that the receiver asked for; 0: none.
    """
    if now_unix_nano - delivery.created_at_unix_nano >= config.give_up_after_seconds * 1e9:
        return None
    # 2.0 ** 60 seconds is beyond any limit; more would overflow after long outages.
    pause = config.first_retry_seconds * 2.0 ** min(delivery.attempts, 60) * (1 - random / 2)
    pause = min(max(pause, asked_seconds), config.max_retry_seconds)
    return msgspec.structs.replace(
        delivery, attempts=delivery.attempts + 1, due_at_unix_nano=now_unix_nano + round(pause * 1e9)
    )


def _id(record: JobRecord, event: WebhookEvent, output: str, url: str) -> str:
    parts = [record.job_id, str(record.created_at_unix_nano), event.value, output, url]
    parts += tenant_field(record.tenant).values()
    return "msg_" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _data(record: JobRecord, event: WebhookEvent, output: str) -> dict[str, object]:
    about: dict[str, object] = {"job_id": record.job_id, **tenant_field(record.tenant)}
    if event is WebhookEvent.OUTPUT_ENDED:
        spec = next(spec for spec in record.spec.outputs if spec.name == output)
        return about | {"output": _output(record, spec)}
    about |= {"total_frames": record.total_frames, "created_at": _time(record.created_at_unix_nano)}
    if event is WebhookEvent.JOB_RECEIVED:
        return about | {"state": "received", "received_at": _time(record.received_at_unix_nano)}
    problem = record.problem
    return about | {
        "state": str(record.outcome),
        "ended_at": _time(record.ended_at_unix_nano),
        "problem": None if problem is None else {"code": problem.code, "message": problem.message},
        "warnings": sorted({warning.code for warning in record.warnings}),
        "outputs": [_output(record, spec) for spec in record.spec.outputs],
    }


def _output(record: JobRecord, spec: OutputSpec) -> dict[str, object]:
    output = record.outputs[spec.name]
    is_there = output.state is OutputState.SUCCEEDED and output.produced is not None
    files = output.produced.files if is_there and output.produced is not None else ()
    failed = output.failed if output.state is OutputState.FAILED else None
    return {
        "name": spec.name,
        "format": spec.format,
        "state": output.state.value,
        "attempts": len(output.attempts),
        "problem": None if failed is None else {"code": failed.code, "message": failed.message},
        "artifacts": [
            {
                "path": file.path,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "media_type": file.media_type,
            }
            for file in files
            if file.is_primary
        ],
    }


def _time(unix_nano: int) -> str:
    moment = datetime.fromtimestamp(unix_nano // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_nano % 1_000_000_000 // 1000:06d}Z"
