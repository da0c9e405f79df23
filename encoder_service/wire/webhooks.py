"""Turns the webhooks of a spec into the service's own type; what this server would never reach is refused."""

from __future__ import annotations

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.spec.spec import Webhook, WebhookEvent
from encoder_service.webhooks.config import WebhooksConfig
from encoder_service.webhooks.destination import (
    faults_of_url,
    host_of,
    is_address_allowed,
    is_host_allowed,
    literal_address,
)
from encoder_service.wire.fields import Faults

MAX_WEBHOOKS = 8

WEBHOOK_EVENTS: dict[int, WebhookEvent] = {
    pb.WEBHOOK_EVENT_UNSPECIFIED: WebhookEvent.JOB_ENDED,
    pb.WEBHOOK_EVENT_JOB_RECEIVED: WebhookEvent.JOB_RECEIVED,
    pb.WEBHOOK_EVENT_OUTPUT_ENDED: WebhookEvent.OUTPUT_ENDED,
    pb.WEBHOOK_EVENT_JOB_ENDED: WebhookEvent.JOB_ENDED,
}


def parse_webhooks(message: pb.JobSpec, config: WebhooksConfig, faults: Faults) -> tuple[Webhook, ...]:
    """Returns whom to tell, noting every fault."""
    count = len(message.webhooks)
    faults.check(count <= MAX_WEBHOOKS, "spec.webhooks", f"must be at most {MAX_WEBHOOKS}, are {count}")
    if count and not config.secret:
        faults.add("spec.webhooks", "are not taken: this server has no secret to sign with (webhooks.secret)")
    found = []
    for index, hook in enumerate(message.webhooks[:MAX_WEBHOOKS]):
        at = f"spec.webhooks[{index}]"
        _check_url(hook.url, config, f"{at}.url", faults)
        events = tuple(
            faults.pick(WEBHOOK_EVENTS, event, f"{at}.events", WebhookEvent.JOB_ENDED)
            for event in hook.events
        )
        found.append(Webhook(hook.url, tuple(dict.fromkeys(events)) or (WebhookEvent.JOB_ENDED,)))
    urls = [hook.url for hook in found]
    faults.check(len(set(urls)) == len(urls), "spec.webhooks", "must name each URL only once")
    return tuple(found)


def _check_url(url: str, config: WebhooksConfig, at: str, faults: Faults) -> None:
    wrong = faults_of_url(url, allows_plain_http=config.allows_plain_http)
    for fault in wrong:
        faults.add(at, fault)
    if wrong:
        return
    host = host_of(url)
    address = literal_address(host)
    if not is_host_allowed(host, config.allowed_hosts):
        faults.add(at, f"names {host}, which is none of the hosts that this server allows")
    elif address is not None and not is_address_allowed(address, config.allowed_networks):
        faults.add(at, f"names {host}, which is neither public nor in a network that this server allows")
