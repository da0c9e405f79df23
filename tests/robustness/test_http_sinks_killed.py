"""A collector that is killed between sending and noting it: nothing is lost, and a repeat can be known."""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.producer import Producer
from tests.log_collector.sinks.driving import collector_config
from tests.log_collector.sinks.listener import Heard, Listener, Reply
from tests.log_collector.sinks.services import FakeElasticsearch, FakeLoki, FakeSentry

TOTAL = 400
Account = Callable[[], list[int]]
"""Field n of every record that the service has, each time it has it."""


class KeepEverything:
    """A receiver that knows no ids."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []

    def __call__(self, heard: Heard) -> Reply:
        self.requests.append((heard.headers.get("webhook-id", ""), heard.body))
        return Reply()


def elasticsearch() -> tuple[Any, Account]:
    service = FakeElasticsearch()
    return service, lambda: [d["numeric_labels"]["n"] for d in service.documents.values()]


def loki() -> tuple[Any, Account]:
    service = FakeLoki()
    return service, lambda: [int(m["n"]) for kept in service.entries.values() for m in kept.values()]


def sentry() -> tuple[Any, Account]:
    service = FakeSentry()
    return service, lambda: [event["contexts"]["fields"]["n"] for event in service.events.values()]


def webhook() -> tuple[Any, Account]:
    """Requests with equal ids are the same: their bodies are, too."""
    service = KeepEverything()

    def account() -> list[int]:
        once = dict(service.requests)
        assert len(set(service.requests)) == len(once)
        return [json.loads(line)["n"] for body in once.values() for line in body.splitlines()]

    return service, account


def logstash() -> tuple[Any, Account]:
    """Its pipeline can make `event.id` the id of the document."""
    service = KeepEverything()

    def account() -> list[int]:
        documents = [document for _, body in service.requests for document in json.loads(body)]
        return list({d["event"]["id"]: d["numeric_labels"]["n"] for d in documents}.values())

    return service, account


@pytest.fixture
def started(tmp_path: Path) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(tmp_path / "data")
    yield collector
    collector.stop()


@pytest.mark.parametrize(
    "make", [elasticsearch, loki, sentry, webhook, logstash], ids=lambda make: make.__name__
)
def test_a_kill_between_sending_and_noting_loses_and_doubles_nothing(
    started: CollectorProcess, tmp_path: Path, make: Callable[[], tuple[Any, Account]]
) -> None:
    service, account = make()
    kind = make.__name__
    taken = threading.Event()

    with Listener(service) as listener:

        def take_and_never_answer(heard: Heard) -> Reply:
            service(heard)
            taken.set()
            return Reply(500, waits_for=listener.released)

        address: dict[str, Any] = {"url": listener.url, "request_records": 9}
        if kind == "sentry":
            address = {"dsn": listener.url.replace("://", "://key@") + "/1", "level": "TRACE"}
        config = collector_config(tmp_path / "c.json", kind, **address)
        listener.script = [Reply(429, headers={"Retry-After": "0"}), take_and_never_answer]
        started.start(config)
        producer = Producer(started.address, "producer-a", TOTAL, size=20)
        producer.start()
        for kill in range(2):
            assert taken.wait(20)
            started.kill()
            taken.clear()
            if not kill:
                # The next time in the middle of what is sent again.
                listener.script = [service, service, take_and_never_answer]
            started.start(config)
        producer.join(30)
        assert producer.acknowledged == TOTAL
        eventually(lambda: set(account()) == set(range(1, TOTAL + 1)))
        assert started.stop() == 0
    assert Counter(account()) == Counter(range(1, TOTAL + 1))
    assert len(listener.heard) > 4


def moody(service: Any, chance: random.Random) -> Callable[[Heard], Reply]:
    """A service that fails every third request: before it has taken it, or after."""

    def answer(heard: Heard) -> Reply:
        mood = chance.random()
        if mood < 0.15:
            return Reply(chance.choice([429, 500, 503]), headers={"Retry-After": "0"})
        taken: Reply = service(heard)
        return taken if mood > 0.35 else Reply(200, b"{", is_cut=True)

    return answer


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(int(os.environ.get("SOAK_SEEDS", "5"))))
def test_soak_of_kills_at_random_instants_with_every_sink_at_once(
    started: CollectorProcess, tmp_path: Path, seed: int
) -> None:
    total, chance = 1_000, random.Random(seed)
    makers = [elasticsearch, loki, sentry, webhook, logstash]
    with ExitStack() as stack:
        accounts: list[Account] = []
        config: dict[str, Any] = {}
        for make in makers:
            service, account = make()
            listener = stack.enter_context(Listener(moody(service, chance)))
            accounts.append(account)
            address: dict[str, Any] = {"url": listener.url, "request_records": chance.randint(1, 60)}
            if make is sentry:
                address = {"dsn": listener.url.replace("://", "://key@") + "/1", "level": "TRACE"}
            path = collector_config(tmp_path / "c.json", make.__name__, **address)
            config |= json.loads(path.read_text())
        path.write_text(json.dumps(config))
        started.start(path)
        producer = Producer(started.address, "producer-a", total)
        producer.start()
        for _ in range(6):
            # An instant that is no state of anything.
            threading.Event().wait(chance.random())
            started.kill()
            started.start(path)
        producer.join(60)
        for account in accounts:
            eventually(lambda account=account: len(set(account())) == total, 120)
        assert started.stop() == 0
        for account in accounts:
            assert Counter(account()) == Counter(range(1, total + 1))
