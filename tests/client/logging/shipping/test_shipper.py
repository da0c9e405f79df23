"""The shipper gets everything to the collector, however the collector, the machine and the spool behave."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from telecine.logging import configure_logging, flush_logging, get_logger, logging_stats, shutdown_logging
from telecine.logging.shipping.messages import Acknowledged, ProducerState, ShippingLimits
from telecine.logging.shipping.shipper import Shipper
from telecine.logging.shipping.spool import Resource, Spool, SpoolLimits
from telecine.logging.shipping.spool_reader import SpooledBatch, SpoolReader

from tests.client.logging.shipping.tiny_collector import TinyCollector
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import stored_records

SMALL = SpoolLimits(segment_bytes=2048)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path / "data").start()
    yield process
    shutdown_logging()
    process.stop()


def test_a_spool_of_many_segments_arrives_over_a_collector_that_acknowledges_late(tmp_path: Path) -> None:
    """Nothing waits for an acknowledgement but what the window says."""
    with TinyCollector() as collector:
        collector.forgets_acknowledgements = True
        log = configure_logging(
            "next", directory=tmp_path, collector=collector.address, console="off", spool_limits=SMALL
        )
        for n in range(100):
            log.info("n", n=n)
        eventually(lambda: [r["n"] for r in collector.records() if r["msg"] == "n"] == list(range(100)))


def test_a_program_that_ends_at_once_has_shipped_its_records(
    tmp_path: Path, collector: CollectorProcess
) -> None:
    program = (
        "from telecine.logging import configure_logging\n"
        f"configure_logging('short', directory={str(tmp_path / 'own')!r}, collector={collector.address!r},"
        " console='off', flush_seconds=20).info('all there is')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    collector.stop()
    assert "all there is" in [record["msg"] for record in stored_records(collector.data_dir)]


def test_a_lost_acknowledgement_is_asked_for_on_a_new_stream(tmp_path: Path) -> None:
    """rsyslog/rsyslog#4573: after a reconnect all goes on; nothing waits for ever for an answer."""
    with TinyCollector() as collector:
        collector.forgets_acknowledgements = True
        configure_logging(
            "next", directory=tmp_path, collector=collector.address, console="off", answer_seconds=0.3
        ).warning("once")
        assert flush_logging(20)
        assert logging_stats()["unanswered"] >= 1
        assert collector.messages().count("once") == 1


def test_a_frozen_collector_is_given_up_and_found_again(tmp_path: Path, collector: CollectorProcess) -> None:
    log = configure_logging(
        "worker", directory=tmp_path / "own", collector=collector.address, console="off", answer_seconds=0.5
    )
    log.info("before")
    assert flush_logging(20)
    collector.signal(signal.SIGSTOP)
    log.info("while it is frozen")
    eventually(lambda: logging_stats()["unanswered"] >= 1)
    collector.signal(signal.SIGCONT)
    assert flush_logging(20)
    shutdown_logging()
    assert collector.stop() == 0
    messages = [record["msg"] for record in stored_records(collector.data_dir)]
    assert messages.count("before") == messages.count("while it is frozen") == 1


def test_a_fault_of_its_own_ends_no_shipping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when somebody removes a segment between the look and the opening."""
    next_batch, faults = SpoolReader.next_batch, [OSError("gone"), ValueError("strange")]

    def faulty(reader: SpoolReader, max_bytes: int) -> SpooledBatch | None:
        if faults:
            raise faults.pop()
        return next_batch(reader, max_bytes)

    monkeypatch.setattr(SpoolReader, "next_batch", faulty)
    with TinyCollector() as collector:
        configure_logging("next", directory=tmp_path, collector=collector.address, console="off").info("once")
        assert flush_logging(20)
        assert collector.messages().count("once") == 1
        assert logging_stats()["faults"] == 2
    told = [line for line in (tmp_path / "next.log").read_text().splitlines() if "begins anew" in line]
    assert len(told) == 1


def test_a_spool_that_is_only_being_made_is_not_taken_from_its_owner(tmp_path: Path) -> None:
    """A sibling that looks between the making of the directory and the taking of its lock."""

    def never() -> None:
        raise OSError("no collector")

    shipper = Shipper(tmp_path, never, ShippingLimits())  # type: ignore[arg-type]  # it never connects
    spool = Spool(tmp_path, Resource("worker"), SMALL, lambda _count, _reason: b"{}\n")
    looked = []

    def looks_dead_once(directory: Path, now: float) -> bool:
        looked.append(directory)
        return len(looked) == 1 or Shipper._is_ours_to_take(shipper, directory, now)

    shipper._is_ours_to_take = looks_dead_once  # type: ignore[method-assign]
    shipper._adopt(0.0)
    assert looked == [spool.directory] * 2
    assert not shipper._producers
    spool.close()


@contextmanager
def delays_everywhere(burners: int) -> Iterator[None]:
    """Threads change often, and other processes take the processor."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(burners)]
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        for process in processes:
            process.kill()
            process.wait()


def log_at_random(chance: random.Random, name: str, count: int) -> None:
    log, pause = get_logger(name), threading.Event()
    for n in range(1, count + 1):
        log.info("n", n=n)
        if chance.random() < 0.1:
            pause.wait(chance.random() * 0.02)


def disturb(collector: CollectorProcess, chance: random.Random, done: threading.Event) -> None:
    """Freezes, cuts and kills the collector at random instants."""
    while not done.wait(chance.random() * 0.3):
        if chance.random() < 0.15:
            collector.kill()
            collector.start()
        else:
            collector.signal(signal.SIGSTOP)
            done.wait(chance.random() * 0.3)
            collector.signal(signal.SIGCONT)


def ship_through_trouble(tmp_path: Path, collector: CollectorProcess, seed: int, count: int) -> None:
    chance = random.Random(seed)
    configure_logging(
        "worker", directory=tmp_path / "own", collector=collector.address, console="off", spool_limits=SMALL
    )
    names = [f"thread-{n}" for n in range(3)]
    threads = [
        threading.Thread(target=log_at_random, args=(random.Random(chance.random()), name, count))
        for name in names
    ]
    done = threading.Event()
    trouble = threading.Thread(target=disturb, args=(collector, chance, done))
    for thread in [*threads, trouble]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    trouble.join()
    assert flush_logging(30), logging_stats()
    # The bound on silence is a net below the trapeze: it must not be what brings the records in.
    assert logging_stats()["unanswered"] == 0
    shutdown_logging()
    assert collector.stop() == 0
    found = [r for r in stored_records(collector.data_dir) if r["msg"] == "n"]
    for name in names:
        assert [r["n"] for r in found if r["logger"] == name] == list(range(1, count + 1))


def test_delays_freezes_and_kills_stall_nothing(tmp_path: Path, collector: CollectorProcess) -> None:
    with delays_everywhere(burners=0):
        ship_through_trouble(tmp_path, collector, seed=1, count=250)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(int(os.environ.get("SOAK_SEEDS", "5"))))
def test_soak_of_shipping_on_a_busy_machine(tmp_path: Path, collector: CollectorProcess, seed: int) -> None:
    with delays_everywhere(burners=4):
        ship_through_trouble(tmp_path, collector, seed, count=8_000)


def test_what_a_broken_stream_carried_is_counted_as_shipped(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Resource("worker"), SpoolLimits(), lambda _count, _reason: b"{}\n")
    for _ in range(10):
        spool.append(b"{}\n")
    reader = SpoolReader.claim(spool.directory)
    assert reader is not None
    shipper = Shipper(tmp_path, lambda: pytest.fail("no stream is asked for"), ShippingLimits())
    shipper._producers[spool.producer] = ProducerState(reader)
    shipper._take(Acknowledged(spool.producer, 7))
    assert shipper.counts.shipped == 7
    shipper._take(Acknowledged(spool.producer, 10))
    assert shipper.counts.shipped == 10
    reader.release()
    spool.close()
