"""The webhook sink: any endpoint can read the body, know a repeat, and check who sent it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from log_collector.sinks.sink import SinkError
from tests.log_collector.harness import record
from tests.log_collector.sinks.driving import deliver, opened, stored
from tests.log_collector.sinks.listener import Listener, Reply

SECRET, OLD_SECRET = (f"whsec_{base64.b64encode(bytes(range(n))).decode()}" for n in (24, 64))


def test_records_come_as_lines_or_as_an_array(tmp_path: Path) -> None:
    records = [record(1, pi=3.10), b'{"timestamp":"t","level":"INFO","service":"w","msg":"1e400","x":1.50 }']
    with Listener() as listener:
        for form in ("ndjson", "array"):
            with opened(tmp_path, "webhook", url=listener.url, format=form) as sink:
                deliver(sink, stored(records))
    lines, array = listener.heard
    assert [json.loads(line) for line in lines.body.splitlines()] == json.loads(array.body)
    assert lines.body.endswith(b"}\n")
    assert b'"x":1.50 ,"record_id":"' in lines.body, "numbers are as they were written"
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert array.headers["content-type"] == "application/json"
    assert array.headers["x-telecine-records"] == "2"


def test_requests_are_signed_as_the_standard_says(tmp_path: Path) -> None:
    with Listener() as listener:
        settings = {"url": listener.url, "format": "array", "signing_secrets": [SECRET, OLD_SECRET]}
        for http in ({}, {"is_compressed": True}):
            with opened(tmp_path, "webhook", **settings, http=http) as sink:
                deliver(sink, stored([record(1)]))
        for heard in listener.heard:
            for secret in (SECRET, OLD_SECRET):
                assert Webhook(secret).verify(heard.body, heard.headers)[0]["n"] == 1
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(
                listener.heard[0].body.replace(b"polled", b"solved"), listener.heard[0].headers
            )


def test_a_request_has_the_same_id_whenever_it_is_sent(tmp_path: Path) -> None:
    """Also by a collector that has forgotten how far it was, and finds more in its journal."""
    first = stored([record(i) for i in range(5)])
    second = stored([record(i) for i in range(5, 8)], position=1000)
    with Listener() as listener:
        for batches in ([first], [first, second]):
            with opened(tmp_path, "webhook", url=listener.url, request_records=3) as sink:
                deliver(sink, *batches)
    before, after = listener.heard[:2], listener.heard[2:]
    assert [(h.headers["webhook-id"], h.body) for h in after[:2]] == [
        (h.headers["webhook-id"], h.body) for h in before
    ]
    assert len({h.headers["webhook-id"] for h in after}) == 3


def test_a_receiver_that_has_it_already_may_say_so(tmp_path: Path) -> None:
    with Listener(lambda _: Reply(409)) as listener, opened(tmp_path, "webhook", url=listener.url) as sink:
        assert deliver(sink, stored([record(1)])).delivered == 1


def test_a_receiver_that_is_gone_is_asked_again(tmp_path: Path) -> None:
    with (
        Listener(lambda _: Reply(410)) as listener,
        opened(tmp_path, "webhook", url=listener.url) as sink,
        pytest.raises(SinkError, match="410 Gone"),
    ):
        deliver(sink, stored([record(1)]))
