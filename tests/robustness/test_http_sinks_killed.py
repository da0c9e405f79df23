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
from tests.log_collector.sinks.receivers import OVER_HTTP, Account, http_settings

TOTAL = 400


@pytest.fixture
def started(tmp_path: Path) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(tmp_path / "data")
    yield collector
    collector.stop()


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_a_kill_between_sending_and_noting_loses_and_doubles_nothing(
    started: CollectorProcess, tmp_path: Path, kind: str
) -> None:
    service, account = OVER_HTTP[kind]()
    taken = threading.Event()

    with Listener(service) as listener:

        def take_and_never_answer(heard: Heard) -> Reply:
            service(heard)
            taken.set()
            return Reply(500, waits_for=listener.released)

        config = collector_config(
            tmp_path / "c.json", kind, **http_settings(kind, listener.url, request_records=9)
        )
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
    with ExitStack() as stack:
        accounts: list[Account] = []
        config: dict[str, Any] = {}
        for kind, make in OVER_HTTP.items():
            service, account = make()
            listener = stack.enter_context(Listener(moody(service, chance)))
            accounts.append(account)
            address = http_settings(kind, listener.url, request_records=chance.randint(1, 60))
            path = collector_config(tmp_path / "c.json", kind, **address)
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
