"""What every sink over HTTP does: one turn loses nothing, doubles nothing, and says why where it cannot."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import trustme
from telecine.installation import install_command
from telecine.settings.loading import ConfigError

from log_collector.sinks.http.door import HttpDoor, Request
from log_collector.sinks.http.sink import HttpSink
from log_collector.sinks.sink import SinkError
from tests.eventually import eventually_async
from tests.log_collector.harness import collector, numbered, record, ship
from tests.log_collector.sinks.driving import (
    collector_config,
    configured,
    dead_letters,
    deliver,
    opened,
    stored,
)
from tests.log_collector.sinks.listener import Listener, Reply


def numbers(listener: Listener) -> list[list[int]]:
    """Field n of the records of each request."""
    return [[json.loads(line)["n"] for line in heard.body.splitlines()] for heard in listener.heard]


def test_requests_are_bounded_by_records_and_by_bytes(tmp_path: Path) -> None:
    with Listener() as listener:
        with opened(tmp_path, "webhook", url=listener.url, request_records=4) as sink:
            assert deliver(sink, stored([record(i) for i in range(10)])).delivered == 10
        with opened(tmp_path, "webhook", url=listener.url, request_bytes=1024) as sink:
            deliver(sink, stored([record(i, pad="x" * 300) for i in range(3)] + [record(3, pad="x" * 5000)]))
    assert numbers(listener) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1], [2], [3]]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(502),
        Reply(503, headers={"Retry-After": "0"}),
        Reply(429, headers={"Retry-After": "0"}),
        Reply(408),
        Reply(200, b"[", is_cut=True),
        Reply(302, headers={"Location": "http://127.0.0.1:1/"}),
        Reply(401),
        Reply(404),
    ],
    ids=lambda reply: f"{reply.status}{'-cut' if reply.is_cut else ''}",
)
def test_after_a_failure_it_goes_on_with_the_same_request(tmp_path: Path, reply: Reply) -> None:
    batch = stored([record(i) for i in range(6)])
    with Listener() as listener, opened(tmp_path, "webhook", url=listener.url, request_records=2) as sink:
        listener.script = [Reply(), reply]
        with pytest.raises(SinkError):
            deliver(sink, batch)
        # Meanwhile another batch has come.
        written = deliver(sink, batch, stored([record(6)], position=1000))
    assert written.delivered == 7
    assert numbers(listener) == [[0, 1], [2, 3], [2, 3], [4, 5], [6]]
    ids = [heard.headers["webhook-id"] for heard in listener.heard]
    assert ids[1] == ids[2]
    assert len(set(ids)) == 4


def test_a_service_that_hangs_costs_its_time_and_no_more(tmp_path: Path) -> None:
    with (
        Listener() as listener,
        opened(tmp_path, "webhook", url=listener.url, http={"timeout_seconds": 0.3}) as sink,
    ):
        listener.script = [Reply(waits_for=listener.released)]
        with pytest.raises(SinkError, match=r"no whole answer within 0\.3 s"):
            deliver(sink, stored([record(1)]))
        assert deliver(sink, stored([record(1)])).delivered == 1


def test_nothing_is_sent_before_the_time_that_the_service_named(tmp_path: Path) -> None:
    now = 100.0
    with Listener() as listener, opened(tmp_path, "webhook", url=listener.url, most_wait_seconds=50) as sink:
        sink._clock = lambda: now
        listener.script = [
            Reply(429, headers={"Retry-After": "20"}),
            Reply(429, headers={"Retry-After": "9999"}),
        ]
        with pytest.raises(SinkError) as told:
            deliver(sink, stored([record(1)]))
        assert told.value.retry_delay_seconds == 20
        now = 119.0
        with pytest.raises(SinkError, match="told to wait 1 s more"):
            deliver(sink, stored([record(1)]))
        assert len(listener.heard) == 1
        now = 120.5
        with pytest.raises(SinkError) as told:
            deliver(sink, stored([record(1)]))
        assert told.value.retry_delay_seconds == 50
        now = 171.0
        assert deliver(sink, stored([record(1)])).delivered == 1
    assert len(listener.heard) == 3


def test_a_wait_may_be_a_date(tmp_path: Path) -> None:
    with (
        Listener() as listener,
        opened(tmp_path, "webhook", lambda: 784_111_767.0, url=listener.url) as sink,
    ):
        listener.script = [Reply(503, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"})]
        with pytest.raises(SinkError) as told:
            deliver(sink, stored([record(1)]))
    assert told.value.retry_delay_seconds == 10


def test_a_request_that_is_too_large_is_halved_until_it_is_taken(tmp_path: Path) -> None:
    with Listener() as listener, opened(tmp_path, "webhook", url=listener.url) as sink:
        listener.answer = lambda heard: Reply(413 if heard.raw_bytes > 700 else 200)
        records = [record(i) for i in range(7)] + [record(7, pad="x" * 1000)]
        written = deliver(sink, stored(records))
        taken = [heard for heard in listener.heard if heard.raw_bytes <= 700]
    assert written.delivered == 7
    assert written.dropped == {"too_large": 1}
    assert [json.loads(x)["n"] for heard in taken for x in heard.body.splitlines()] == list(range(7))
    (letter,) = dead_letters(tmp_path)
    assert letter["record"]["n"] == 7
    assert letter["reason"] == "too_large"


def test_one_record_that_is_refused_for_ever_costs_no_other(tmp_path: Path) -> None:
    with Listener() as listener, opened(tmp_path, "webhook", url=listener.url) as sink:
        listener.answer = lambda heard: Reply(422, b"n must not be 5") if b'"n":5,' in heard.body else Reply()
        written = deliver(sink, stored([record(i) for i in range(20)]))
    assert (written.delivered, written.dropped) == (19, {"rejected": 1})
    (letter,) = dead_letters(tmp_path)
    assert (letter["record"]["n"], letter["detail"]) == (5, "n must not be 5")


def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    with (
        Listener(lambda _: Reply(400)) as listener,
        opened(tmp_path, "webhook", url=listener.url, dead_letter_bytes=20_000, request_records=1) as sink,
    ):
        deliver(sink, stored([record(i, pad="x" * 1000) for i in range(60)]))
    sizes = [path.stat().st_size for path in tmp_path.glob("dead-letters/t.log*")]
    assert len(sizes) == 2
    assert sum(sizes) <= 20_000
    assert dead_letters(tmp_path)[-1]["record"]["n"] == 59


def test_the_filter_lets_through_by_level_service_and_expression(tmp_path: Path) -> None:
    records = [
        record(1, level="ERROR", job_id="a"),
        record(2, level="INFO", job_id="a"),
        record(3, level="CRITICAL", job_id="b"),
        record(4, level="ERROR", job_id="a", service="other"),
    ]
    chosen = {"level": "WARNING", "services": ["worker"], "expression": "job_id = a"}
    with Listener() as listener, opened(tmp_path, "webhook", url=listener.url, **chosen) as sink:
        written = deliver(sink, stored(records))
    assert numbers(listener) == [[1]]
    assert (written.delivered, written.dropped) == (1, {"filtered": 3})
    assert not dead_letters(tmp_path)


def test_strange_lines_are_kept_aside_and_hold_nothing_up(tmp_path: Path) -> None:
    lines: list[object] = [
        b"no json",
        record(1),
        b'{"n":2,"timestamp":"x","level":"?","msg":7,"service":null}',
    ]
    with Listener() as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        written = deliver(sink, stored(lines))
    assert (written.delivered, written.dropped) == (2, {"unreadable": 1})
    assert dead_letters(tmp_path)[0]["record"] == "no json"


def test_ids_depend_on_the_place_in_the_journal_alone(tmp_path: Path) -> None:
    same = {"uid": 1000, "msg": "same"}
    with Listener() as listener, opened(tmp_path, "webhook", url=listener.url) as sink:
        deliver(sink, stored([same, same]), stored([same], position=1000))
        deliver(sink, stored([same, same]))
        found = [
            json.loads(line)["record_id"] for heard in listener.heard for line in heard.body.splitlines()
        ]
    assert len(set(found)) == 3
    assert found[3:] == found[:2]


def test_credentials_and_headers_are_sent_and_gzip_is_used(tmp_path: Path) -> None:
    http = {"username": "me", "password": "pß", "headers": {"X-Own": "1"}, "is_compressed": True}
    with Listener() as listener:
        with opened(tmp_path, "webhook", url=f"{listener.url}/in?a=b", http=http) as sink:
            deliver(sink, stored([record(i) for i in range(50)]))
        with opened(tmp_path, "webhook", url=listener.url, http={"token": "t0"}) as sink:
            deliver(sink, stored([record(1)]))
    first, second = listener.heard
    assert base64.b64decode(first.headers["authorization"].removeprefix("Basic ")).decode() == "me:pß"
    assert first.headers["x-own"] == "1"
    assert first.path == "/in?a=b"
    assert first.raw_bytes < len(first.body) / 4
    assert second.headers["authorization"] == "Bearer t0"


def test_tls_trusts_whom_it_is_told_to_and_shows_its_own_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    roots, own = tmp_path / "roots.pem", tmp_path / "own.pem"
    authority.cert_pem.write_to_path(roots)
    authority.issue_cert("collector").private_key_and_cert_chain_pem.write_to_path(own)
    with Listener() as listener:
        listener._server.socket = context.wrap_socket(listener._server.socket, server_side=True)
        url = listener.url.replace("http:", "https:")
        trusting = {"ca_file": str(roots), "cert_file": str(own)}
        with opened(tmp_path, "webhook", url=url, http=trusting) as sink:
            assert deliver(sink, stored([record(1)])).delivered == 1
        with (
            opened(tmp_path, "webhook", url=url) as sink,
            pytest.raises(SinkError, match=r"certificate is not trusted; http\.ca_file"),
        ):
            deliver(sink, stored([record(1)]))


def test_a_new_authority_is_trusted_without_a_restart_and_a_name_may_be_given(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    roots = tmp_path / "roots.pem"

    def renew() -> None:
        authority = trustme.CA()
        authority.issue_cert("hooks.example").configure_cert(context)
        authority.cert_pem.write_to_path(roots)

    renew()
    with Listener() as listener:
        listener._server.socket = context.wrap_socket(listener._server.socket, server_side=True)
        url = listener.url.replace("http:", "https:")
        http = {"ca_file": str(roots), "server_name": "hooks.example"}
        with opened(tmp_path, "webhook", url=url, http=http) as sink:
            assert deliver(sink, stored([record(1)])).delivered == 1
            renew()
            assert deliver(sink, stored([record(2)])).delivered == 1


def test_a_proxy_gets_the_whole_address(tmp_path: Path) -> None:
    with Listener() as proxy:
        with opened(tmp_path, "webhook", url="http://far.example/in", http={"proxy": proxy.url}) as sink:
            assert deliver(sink, stored([record(1)])).delivered == 1
        assert proxy.heard[0].path == "http://far.example/in"


def test_a_connection_that_the_server_has_ended_meanwhile_costs_no_failure(tmp_path: Path) -> None:
    """Servers end idle connections after seconds; a sink with few records comes back later than that."""
    with (
        Listener(lambda _: Reply(is_last=True)) as listener,
        opened(tmp_path, "webhook", url=listener.url) as sink,
    ):
        for number in range(5):
            assert deliver(sink, stored([record(number)], position=1000 * number)).delivered == 1
            assert listener.ended.acquire(timeout=10)


def test_an_endless_answer_is_not_taken_into_memory() -> None:
    with Listener(lambda _: Reply(200, b"x" * 5000)) as listener:
        door = HttpDoor(configured("webhook", url=listener.url, http={"answer_bytes": 2000}).http)
        with pytest.raises(SinkError, match="answer_bytes"):
            door.post(Request(listener.url, b"{}", {}))
        door.close()


def test_what_went_wrong_is_said_without_secrets(tmp_path: Path) -> None:
    with (
        opened(tmp_path, "webhook", url="http://127.0.0.1:1/?key=hush", http={"token": "hush"}) as sink,
        pytest.raises(SinkError) as failed,
    ):
        deliver(sink, stored([record(1, msg="hush")]))
    assert str(failed.value).startswith("127.0.0.1:1: cannot be reached: ")
    assert "hush" not in str(failed.value)


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("webhook", {"url": "ftp://x"}, "webhook.0..url: expected an address"),
        ("webhook", {"url": "http://me:pw@x/"}, "without a user"),
        ("webhook", {"url": "http://x", "expression": "level >"}, "expression: expected"),
        ("webhook", {"url": "http://x", "signing_secrets": ["whsec_aGk="]}, "secrets: expected .whsec_"),
        ("webhook", {"url": "http://x", "http": {"headers": {"a b": "c"}}}, "headers: expected names"),
        ("webhook", {"url": "http://x", "http": {"token": "a", "username": "b"}}, "not both"),
        ("webhook", {"url": "http://x", "http": {"ca_file": "/none"}}, "found none at /none"),
        ("loki", {"url": "http://x", "labels": {"level": "x"}}, "other names than service, env and level"),
        ("elasticsearch", {"url": "http://x", "dataset": "A-b"}, "dataset"),
        ("elasticsearch", {"url": "http://x", "api_key": "k", "http": {"token": "t"}}, "not both"),
        ("sentry", {"dsn": "https://x/1"}, "expected a DSN"),
        ("sentry", {"dsn": "https://key@x/project"}, "expected a DSN"),
        ("logstash", {}, "url: is required"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused_at_the_start(
    kind: str, settings: dict[str, object], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        configured(kind, **settings)


def test_without_the_library_the_configuration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=re.escape(f'needs the extra "sinks": {install_command("sinks")}')):
        configured("loki", url="http://x")


def test_a_collector_without_such_sinks_does_not_need_the_library() -> None:
    program = "import sys; sys.modules['aiohttp'] = None; import log_collector.app"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_secrets_of_the_configuration_are_shown_nowhere(tmp_path: Path) -> None:
    from telecine.settings.loading import load_config

    from log_collector.config import CollectorConfig

    http = {
        "password": "hush-1",
        "username": "u",
        "headers": {"X-Key": "hush-2"},
        "proxy": "http://a:hush-3@p",
    }
    overrides: dict[str, object] = {
        "sentry": [{"name": "a", "dsn": "https://hush-4@sentry.example/1", "http": http}],
        "elasticsearch": [{"name": "b", "url": "http://x", "api_key": "hush-5"}],
        "webhook": [{"name": "c", "url": "http://x", "signing_secrets": ["whsec_" + "hush" * 10]}],
    }
    loaded = load_config(CollectorConfig, prefix="TEST_", environ={}, overrides=overrides)
    shown = loaded.describe() + json.dumps(loaded.redacted())
    assert "hush" not in shown
    assert "sentry.example" not in shown
    overrides["webhook"] = [{"name": "c", "url": "http://u:hush@x", "signing_secrets": ["hush"]}]
    with pytest.raises(ConfigError) as wrong:
        load_config(CollectorConfig, prefix="TEST_", environ={}, overrides=overrides)
    assert "hush" not in str(wrong.value)


async def test_a_dead_service_delays_neither_files_nor_acknowledgements(tmp_path: Path) -> None:
    with Listener() as listener:
        down = threading.Event()
        down.set()
        listener.answer = lambda _: Reply(503 if down.is_set() else 200)
        config = collector_config(tmp_path / "c.json", "webhook", url=listener.url)
        async with collector(tmp_path / "data", config) as running:
            for first in range(1, 101, 10):
                await ship(running.address, numbered(first, 10))
            runners = running.service._fanout.runners
            runner = runners["webhook.t"]
            await eventually_async(lambda: runners["file"].is_caught_up and runner.is_broken)
            assert (runner.accepted, runner.buffered, runner.books.delivered) == (100, 100, 0)
            assert "503 Service Unavailable" in runner.books.last_error
            down.clear()
            await eventually_async(lambda: runner.accepted == 100 and not runner.buffered)
            assert (runner.books.delivered, runner.buffered) == (100, 0)
        taken = {json.loads(x)["n"] for heard in listener.heard for x in heard.body.splitlines()}
    assert taken == set(range(1, 101))


async def test_a_service_that_fails_at_times_is_not_taken_for_dead(tmp_path: Path) -> None:
    """One batch can be a thousand requests; failures between successes are not failures in a row."""
    with Listener() as listener:
        path = collector_config(tmp_path / "c.json", "webhook", url=listener.url, request_records=1)
        patience = {"first_seconds": 0.01, "failures_to_open": 2, "open_seconds": 3600}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"retry": patience}))
        listener.script = [Reply(), Reply(503)] * 20
        async with collector(tmp_path / "data", path) as running:
            await ship(running.address, numbered(1, 40))
            runner = running.service._fanout.runners["webhook.t"]
            await eventually_async(lambda: runner.books.delivered == 40)
            assert runner.books.failures == 20


async def test_a_collector_ends_in_the_middle_of_a_long_batch_and_goes_on_there(tmp_path: Path) -> None:
    with Listener() as listener:
        config = collector_config(tmp_path / "c.json", "webhook", url=listener.url, request_records=1)
        stopping = threading.Event()
        listener.script = [Reply(), Reply(waits_for=stopping)]
        async with collector(tmp_path / "data", config, host__drain_seconds=0) as running:
            await ship(running.address, numbered(1, 500))
            await eventually_async(lambda: len(listener.heard) == 2)
            running.service._fanout.runners["webhook.t"].stop()
            stopping.set()
        assert len(listener.heard) == 2
        async with collector(tmp_path / "data", config) as running:
            await eventually_async(lambda: running.service._fanout.runners["webhook.t"].is_caught_up)
        sent = [heard.headers["webhook-id"] for heard in listener.heard]
    assert sent[2:4] == sent[:2]
    assert len(set(sent)) == 500


async def test_a_changed_filter_is_put_in_force_while_the_collector_runs(tmp_path: Path) -> None:
    with Listener() as listener:
        path = collector_config(tmp_path / "c.json", "webhook", url=listener.url)
        async with collector(tmp_path / "data", path, reload_poll_seconds=0.05) as running:
            await ship(running.address, numbered(1, 2))
            await eventually_async(lambda: len(listener.heard) == 1)
            collector_config(path, "webhook", url=listener.url, expression="n = 4")
            await eventually_async(lambda: running.service._reloader.reloads == 1)
            await ship(running.address, numbered(3, 2))
            await eventually_async(lambda: len(listener.heard) == 2)
    assert numbers(listener) == [[1, 2], [4]]


def test_a_sink_that_was_never_used_closes(tmp_path: Path) -> None:
    before = psutil.Process().num_fds()
    with opened(tmp_path, "webhook", url="http://127.0.0.1:1") as sink:
        assert isinstance(sink, HttpSink)
        assert not sink.is_upkeep_due()
    sink.close()
    assert psutil.Process().num_fds() <= before
