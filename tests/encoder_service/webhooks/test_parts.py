"""Webhooks' parts without a network: where they may go, how they are signed, when they are tried again."""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Official
from telecine import Webhook
from telecine.clients.plan import plan_job
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import InvalidRequestError
from telecine.request.frame_layout import FrameLayout

from encoder_service.evidence.manifest import JobOutcome
from encoder_service.spec.spec import Webhook as ServiceWebhook
from encoder_service.spec.spec import WebhookEvent
from encoder_service.webhooks.config import WebhooksConfig
from encoder_service.webhooks.delivery import WebhookDelivery, after_failure, deliveries_for
from encoder_service.webhooks.destination import is_address_allowed, is_host_allowed
from encoder_service.webhooks.dispatcher import choose
from encoder_service.webhooks.outbox import Outbox
from encoder_service.webhooks.signature import secret_bytes, signed_headers
from tests.encoder_service.records import SECOND, produced, record, succeeded
from tests.encoder_service.webhooks.listener import OTHER_SECRET, SECRET

CONFIG = WebhooksConfig(
    secret=SECRET, first_retry_seconds=5, max_retry_seconds=60, give_up_after_seconds=1000
)


def delivery(number: int = 0, url: str = "https://a/", due: int = 0, attempts: int = 0) -> WebhookDelivery:
    return WebhookDelivery(
        delivery_id=f"msg_{number}",
        job_id="job",
        event=WebhookEvent.JOB_ENDED,
        url=url,
        body="{}",
        created_at_unix_nano=0,
        attempts=attempts,
        due_at_unix_nano=due,
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused_in_every_disguise(address: str) -> None:
    assert not is_address_allowed(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_address_allowed(ipaddress.ip_address(address), ())


def test_a_network_that_is_listed_is_allowed_and_no_other() -> None:
    networks = ("10.1.0.0/16", "fd00::/8")
    allowed = ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3"]
    assert all(is_address_allowed(ipaddress.ip_address(text), networks) for text in allowed)
    assert not is_address_allowed(ipaddress.ip_address("10.2.0.1"), networks)


def test_hosts_are_compared_by_name_and_by_what_lies_below() -> None:
    assert is_host_allowed("a.example.com", ("*.example.com",))
    assert not is_host_allowed("example.com.evil.org", ("*.example.com", "example.com"))
    assert is_host_allowed("anything", ())


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=100), st.integers(0, 2**32))
def test_the_official_library_reckons_the_same_signature(key: bytes, body: bytes, seconds: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    text = body.hex()
    official = Official(secret).sign("msg_1", datetime.fromtimestamp(seconds, UTC), text)
    headers = signed_headers([secret_bytes(secret)], "msg_1", seconds, text.encode())
    assert headers["webhook-signature"] == official


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0" * 4, "whsec_!!!!", "whsec_" + "A" * 400]
)
def test_a_secret_that_is_none_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_") as caught:
        secret_bytes(secret)
    assert secret in {"", "whsec_"} or secret not in str(caught.value)


def test_pauses_double_with_jitter_up_to_the_limit_and_then_it_is_given_up() -> None:
    pauses = []
    owed: WebhookDelivery | None = delivery()
    now = 0
    while (owed := after_failure(owed, CONFIG, now, 0.0, 0.0)) is not None:
        pauses.append((owed.due_at_unix_nano - now) / SECOND)
        now = owed.due_at_unix_nano
    assert pauses[:5] == [5, 10, 20, 40, 60]
    assert set(pauses[4:]) == {60}
    assert now >= 1000 * SECOND
    assert after_failure(delivery(), CONFIG, 0, 1.0, 0.0) == delivery(due=5 * SECOND // 2, attempts=1)


def test_a_receiver_may_ask_for_a_longer_pause_within_the_limit() -> None:
    asked = after_failure(delivery(), CONFIG, 0, 0.0, 30.0)
    greedy = after_failure(delivery(), CONFIG, 0, 0.0, 1e9)
    assert asked is not None
    assert greedy is not None
    assert (asked.due_at_unix_nano, greedy.due_at_unix_nano) == (30 * SECOND, 60 * SECOND)


def test_no_receiver_gets_more_than_half_of_the_places() -> None:
    slow = [delivery(number, "https://slow/", due=number) for number in range(5)]
    quick = delivery(9, "https://quick/", due=8)
    chosen = choose([*slow, quick], set(), [], 10, 4)
    assert [found.delivery_id for found in chosen] == ["msg_0", "msg_1", "msg_9"]
    assert choose(slow, {"a", "b"}, ["slow", "slow"], 10, 4) == []
    assert choose([delivery(due=11)], set(), [], 10, 4) == []


def test_the_same_event_gives_the_same_id_and_another_another() -> None:
    urls = ("https://a/", "https://b/")
    hooks = tuple(ServiceWebhook(url, tuple(WebhookEvent)) for url in urls)
    job = succeeded(record("job", "mp4"), "mp4", produced(("a.mp4", b"x")))
    spec = msgspec.structs.replace(job.spec, webhooks=hooks)
    job = msgspec.structs.replace(job, spec=spec, outcome=JobOutcome.SUCCEEDED, ended_at_unix_nano=SECOND)
    ids = [
        [
            owed.delivery_id
            for event in WebhookEvent
            for owed in deliveries_for(job, event, "mp4", CONFIG, now)
        ]
        for now in (1, 2)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 6
    later = msgspec.structs.replace(job, created_at_unix_nano=5)
    assert deliveries_for(later, WebhookEvent.JOB_ENDED, "", CONFIG, 1)[0].delivery_id not in ids[0]


def test_the_outbox_keeps_deliveries_until_removed_and_sets_aside_what_it_cannot_read(
    tmp_path,
) -> None:
    outbox = Outbox(tmp_path, is_synced=True)
    assert list(outbox.open()) == []
    outbox.put([delivery(1), delivery(2)])
    outbox.put([delivery(1)])
    outbox.remove(delivery(2))
    outbox.remove(delivery(2))
    broken = tmp_path / "webhooks" / "z.json"
    broken.write_text("{")
    (tmp_path / "webhooks" / "torn.tmp").write_text("half")
    found = list(Outbox(tmp_path, is_synced=False).open())
    assert found[0] == delivery(1)
    assert found[1][0] == broken
    assert not (tmp_path / "webhooks" / "torn.tmp").exists()
    assert (tmp_path / "webhooks" / "msg_1.json").stat().st_mode & 0o077 == 0


def test_a_delivery_lies_on_the_disk_under_the_names_that_earlier_versions_wrote(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, is_synced=False)
    assert list(outbox.open()) == []
    outbox.put([delivery(1)])
    assert b'"notice_id":"msg_1"' in (tmp_path / "webhooks" / "msg_1.json").read_bytes()


def test_the_configuration_reports_all_that_is_wrong() -> None:
    config = WebhooksConfig(secret="x", allowed_networks=("10.0.0.1/8",), ca_file=Path("/nowhere"))
    assert {field for field, _ in config.find_faults()} == {"secret", "allowed_networks", "ca_file"}
    assert list(WebhooksConfig(secret=SECRET, previous_secret=OTHER_SECRET).find_faults()) == []


def test_the_sdk_says_whom_to_notify() -> None:
    hooks = ["https://a/", Webhook("https://b/", ["job.received", "job.ended"])]
    plan = plan_job(16, "mp4", {"webhooks": hooks})
    spec = plan.spec(FrameLayout(2, 2, "rgb24"))
    assert [hook.url for hook in spec.webhooks] == ["https://a/", "https://b/"]
    assert list(spec.webhooks[1].events) == [pb.WEBHOOK_EVENT_JOB_RECEIVED, pb.WEBHOOK_EVENT_JOB_ENDED]
    with pytest.raises(InvalidRequestError, match=r"job\.finished"):
        plan_job(16, "mp4", {"webhooks": [Webhook("https://a/", ["job.finished"])]})
