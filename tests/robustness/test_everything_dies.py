"""Collector, producers, connections and the next collector fail at random instants: each record stands once.

The producers are real programs that log through the SDK and note every call that has returned.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from telecine import LogClient
from telecine.logging import configure_logging, flush_logging, shutdown_logging

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import stored_records
from tests.log_collector.log_files import records_in
from tests.robustness.cutting_proxy import CuttingProxy, proxied
from tests.robustness.logging_program import ERROR_EVERY, JOBS

SERVICES = ("worker", "api")
RECORDS_BETWEEN_FAULTS = 600


class Service:
    """A program that is started anew after each death; every life counts from 1."""

    def __init__(self, name: str, directory: Path, collector: str) -> None:
        self.name = name
        self._directory = directory
        self._collector = collector
        self._process: subprocess.Popen[bytes] | None = None
        self.lives = 0

    def start(self) -> None:
        """Begins the next life."""
        self.lives += 1
        command = [sys.executable, "-m", "tests.robustness.logging_program", self.name, str(self.lives)]
        witness = self._witness(self.lives)
        arguments = [str(self._directory), self._collector, str(witness)]
        self._process = subprocess.Popen([*command, *arguments])
        eventually(lambda: witness.exists() and witness.stat().st_size, says=f"{self.name} logs")

    def end(self, number: signal.Signals) -> None:
        """SIGKILL, or SIGTERM, which lets it ship what it can."""
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(30)
        self._process = None

    def returned(self, life: int) -> int:
        """How many calls of a life had returned."""
        text = self._witness(life).read_bytes()
        return text.count(b"\n")

    def _witness(self, life: int) -> Path:
        return self._directory / f"{self.name}.{life}.witness"


class World:
    """Two services, the network, a collector, and the collector it forwards to."""

    def __init__(self, directory: Path, proxy: CuttingProxy, loop: asyncio.AbstractEventLoop) -> None:
        self.directory = directory
        self.next_collector = CollectorProcess(directory / "next").start()
        self.config = directory / "collector.json"
        self.rotate_kib = 100
        self.kills = 0
        self._write_config()
        self.collector = CollectorProcess(directory / "data", {"reload_poll_seconds": "100ms"})
        self.collector.start(self.config)
        proxy.target_port = int(self.collector.address.rpartition(":")[2])
        self._proxy = proxy
        self._loop = loop
        address = f"127.0.0.1:{proxy.port}"
        self.services = [Service(name, directory, address) for name in SERVICES]

    def faults(self) -> list[Callable[[random.Random], None]]:
        """What may happen to it."""
        return [
            self.kill_collector,
            self.kill_service,
            self.kill_both,
            self.cut_connections,
            self.terminate_collector,
            self.reload,
            self.lose_next_collector,
            self.freeze_collector,
        ]

    def kill_collector(self, _chance: random.Random) -> None:
        self.kills += 1
        self.collector.kill()
        self.collector.start(self.config)

    def kill_service(self, chance: random.Random) -> None:
        self.kills += 1
        service = chance.choice(self.services)
        service.end(signal.SIGKILL)
        service.start()

    def kill_both(self, chance: random.Random) -> None:
        self.kills += 1
        self.collector.kill()
        self.kill_service(chance)
        self.collector.start(self.config)

    def cut_connections(self, _chance: random.Random) -> None:
        self._loop.call_soon_threadsafe(self._proxy.cut)

    def terminate_collector(self, _chance: random.Random) -> None:
        assert self.collector.stop() == 0
        self.collector.start(self.config)

    def reload(self, chance: random.Random) -> None:
        self.rotate_kib = chance.randint(50, 200)
        self._write_config()
        self.collector.signal(signal.SIGHUP)

    def lose_next_collector(self, _chance: random.Random) -> None:
        self.kills += 1
        self.next_collector.kill()
        self._await_records(RECORDS_BETWEEN_FAULTS // 2)
        self.next_collector.start()

    def freeze_collector(self, _chance: random.Random) -> None:
        self.collector.signal(signal.SIGSTOP)
        self._await_records(RECORDS_BETWEEN_FAULTS // 2)
        self.collector.signal(signal.SIGCONT)

    def run(self, seed: int, faults: int) -> None:
        """Every kind of fault in turn, in a random order, at random instants."""
        chance = random.Random(seed)
        for service in self.services:
            service.start()
        kinds: list[Callable[[random.Random], None]] = []
        for _ in range(faults):
            if not kinds:
                kinds = self.faults()
                chance.shuffle(kinds)
            self._await_records(chance.randint(1, RECORDS_BETWEEN_FAULTS))
            kinds.pop()(chance)
        self._settle()

    def _settle(self) -> None:
        """All end; a later start ships what the dead left; every sink has everything."""
        for service in self.services:
            service.end(signal.SIGTERM)
        configure_logging(
            "sweeper", directory=self.directory, collector=self.collector.address, console="off"
        ).info("the last one")
        spool = self.directory / "spool"
        eventually(lambda: len(list(spool.iterdir())) == 1, 60, says="what the dead left is shipped")
        assert flush_logging(30)
        shutdown_logging()
        with LogClient(self.collector.address) as client:
            eventually(lambda: not waiting(client.stats()), 60, says="all is delivered")
        self.stop()

    def stop(self) -> None:
        """Nothing is left running."""
        for service in self.services:
            service.end(signal.SIGKILL)
        assert self.collector.stop() == 0
        assert self.next_collector.stop() == 0

    def _await_records(self, count: int) -> None:
        service = self.services[0]
        goal = service.returned(service.lives) + count
        eventually(lambda: service.returned(service.lives) >= goal, 60, says="the service logs on")

    def _write_config(self) -> None:
        own = {"rotate_bytes": self.rotate_kib << 10}
        draft = self.config.with_suffix(".tmp")
        draft.write_text(
            json.dumps(
                {
                    "files": {"services": own, "jobs": own, "errors": own, "upkeep_seconds": 0.05},
                    "forward": [{"name": "next", "address": self.next_collector.address}],
                    "retry": {"most_seconds": 0.3, "open_seconds": 0.3},
                }
            )
        )
        draft.replace(self.config)


def waiting(stats: dict[str, Any]) -> list[str]:
    """The sinks that have not delivered everything."""
    return [sink["name"] for sink in stats["sinks"] if int(sink.get("buffered", 0))]


@pytest.fixture
def network() -> Iterator[tuple[CuttingProxy, asyncio.AbstractEventLoop]]:
    """A proxy that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    manager = proxied(0)
    proxy = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(10)
    yield proxy, loop
    asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def world(tmp_path: Path, network: tuple[CuttingProxy, asyncio.AbstractEventLoop]) -> Iterator[World]:
    made = World(tmp_path, *network)
    yield made
    shutdown_logging()
    made.stop()


def assert_each_once_in_order(world: World) -> int:
    """In the files of services, jobs and errors, and in the next collector; returns how many records."""
    logs = world.collector.data_dir / "logs"
    forwarded = stored_records(world.next_collector.data_dir)
    total = 0
    for service in world.services:
        found = records_in(logs, f"{service.name}.log")
        lives: dict[int, list[int]] = {}
        for record in found:
            if record["msg"] == "n":
                lives.setdefault(record["life"], []).append(record["n"])
        for life in range(1, service.lives + 1):
            numbers = lives[life]
            returned = service.returned(life)
            # The call that the kill interrupted may have come as far as the spool.
            assert numbers in (list(range(1, returned + 1)), list(range(1, returned + 2)))
            total += len(numbers)
        keys = [(r["life"], r["n"]) for r in found if r["msg"] == "n"]
        for job in range(JOBS):
            own = [key for key in keys if key[1] % JOBS == job]
            assert keys_in(records_in(logs, f"jobs/job-{job}/job.log"), service.name) == own
        errors = [key for key in keys if key[1] % ERROR_EVERY == 0]
        assert keys_in(records_in(logs, "errors.log"), service.name) == errors
        assert keys_in(forwarded, service.name) == keys
    return total


def keys_in(records: list[dict[str, object]], service: str) -> list[tuple[object, object]]:
    return [(r["life"], r["n"]) for r in records if r["service"] == service and r["msg"] == "n"]


@pytest.mark.timeout(240)
def test_each_record_stands_once_whatever_dies(world: World) -> None:
    """open-telemetry/opentelemetry-collector#12711: One of each kind of fault."""
    world.run(seed=0, faults=len(world.faults()))
    assert assert_each_once_in_order(world)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("SOAK_SEEDS", "5"))))
def test_soak_of_everything_dying_at_random_instants(world: World, seed: int) -> None:
    world.run(seed, faults=3 * len(world.faults()))
    records = assert_each_once_in_order(world)
    print(f"{records} records, {world.kills} kills, {3 * len(world.faults())} faults")
