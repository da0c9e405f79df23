"""What a program logs right before its end reaches the collector, however the program ends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.logging.conftest import RunProgram
from tests.client.logging.shipping.tiny_collector import TinyCollector
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import stored_records

# The shipper has looked, found nothing, and rests when the last record comes.
IDLE = "log = start(flush_seconds=20)\nlog.info('first')\nassert flush_logging(20)\ntime.sleep(0.2)\n"

ENDS = {
    "return": "log.error('last')",
    "SystemExit": "log.error('last'); sys.exit(3)",
    "an exception": "raise ValueError('last')",
    "an exception in a thread": (
        "def fail(): raise ValueError('last')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()"
    ),
    "a thread that outlives the main one": (
        "def late(): time.sleep(0.2); log.error('last')\nthreading.Thread(target=late).start()"
    ),
    "an exit handler": "import atexit\natexit.register(lambda: log.error('last'))",
    "shutdown_logging": "log.error('last'); shutdown_logging()",
    "another configure_logging": (
        "log.error('last'); configure_logging('other', console='off', directory=None, has_files=False)"
    ),
    "Ctrl-C": "log.error('last'); os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
    "asyncio": "import asyncio\nasync def main(): log.error('last')\nasyncio.run(main())",
    "many at once": "for n in range(3000): log.info('fill', n=n)\nlog.error('last')",
}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path / "data").start()
    yield process
    process.stop()


def has_last(records: list[dict[str, object]]) -> bool:
    return any(record["msg"] == "last" or "last" in str(record.get("error")) for record in records)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_last_record_arrives_however_the_program_ends(run_program: RunProgram, end: str) -> None:
    with TinyCollector() as collector:
        run_program(IDLE + end, collector.address).communicate(timeout=60)
        assert has_last(collector.records())
        assert collector.duplicates == 0


def test_last_words_reach_the_real_collector(
    run_program: RunProgram, collector: CollectorProcess, tmp_path: Path
) -> None:
    run_program(IDLE + "log.error('last')", collector.address).communicate(timeout=60)
    collector.stop()
    assert [r["msg"] for r in stored_records(collector.data_dir)] == ["first", "last"]
    assert not list((tmp_path / "spool").iterdir()), "what was shipped is removed"


def test_batches_that_are_refused_at_the_end_are_sent_again(run_program: RunProgram) -> None:
    with TinyCollector() as collector:
        source = IDLE + "print('ready', flush=True); input(); log.error('last')"
        program = run_program(source, collector.address, stdin=subprocess.PIPE)
        assert program.stdout is not None
        program.stdout.readline()
        collector.refuse_first = 3
        program.communicate("go\n", timeout=60)
        assert collector.messages() == ["first", "last"]


def test_a_collector_that_comes_back_at_the_end_gets_the_last_words(run_program: RunProgram) -> None:
    """A restart of the collector a moment before is no reason to leave at once."""
    with TinyCollector() as collector:
        source = IDLE + "print('ready', flush=True); input(); log.error('last')\n"
        program = run_program(source, collector.address, stdin=subprocess.PIPE)
        assert program.stdout is not None
        program.stdout.readline()
        port = collector.port
        collector.stop()
    # The shipper notices within moments that the stream is gone.
    with TinyCollector(port) as again:
        program.communicate("go\n", timeout=60)
        assert has_last(again.records())


def test_a_collector_that_is_away_delays_the_end_by_a_moment_and_the_next_start_ships(
    run_program: RunProgram,
) -> None:
    with TinyCollector() as gone:
        address = gone.address
    source = (
        "log = start(flush_seconds=20)\nlog.info('first')\nassert not flush_logging(0.5)\n"
        "log.error('last')\nprint(time.monotonic(), flush=True)\n"
    )
    program = run_program(source, address)
    out, _ = program.communicate(timeout=60)
    assert time.monotonic() - float(out) < 5
    with TinyCollector() as collector:
        run_program("start(flush_seconds=20)", collector.address).communicate(timeout=60)
        assert collector.messages() == ["first", "last"]


def test_a_frozen_collector_holds_the_end_up_no_longer_than_allowed(
    run_program: RunProgram, collector: CollectorProcess
) -> None:
    source = (
        "log = start(flush_seconds=1)\nlog.info('first')\nassert flush_logging(20)\n"
        "print('ready', flush=True)\n"
        "input(); log.error('last'); print(time.monotonic(), flush=True)\n"
    )
    program = run_program(source, collector.address, stdin=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.readline()
    collector.signal(signal.SIGSTOP)
    out, _ = program.communicate("go\n", timeout=60)
    ended = time.monotonic()
    collector.signal(signal.SIGCONT)
    assert ended - float(out) < 5
    run_program("start(flush_seconds=20)", collector.address).communicate(timeout=60)
    collector.stop()
    assert [r["msg"] for r in stored_records(collector.data_dir)] == ["first", "last"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_killed_program_said_last_is_shipped_by_the_next(
    run_program: RunProgram, number: signal.Signals
) -> None:
    with TinyCollector() as collector:
        source = IDLE + f"log.error('last'); os.kill(os.getpid(), {int(number)})"
        assert run_program(source, collector.address).wait(60) == -number
        run_program("start(flush_seconds=20)", collector.address).communicate(timeout=60)
        assert collector.messages() == ["first", "last"]


def test_exit_handlers_and_daemon_threads_behind_the_end_are_kept(
    run_program: RunProgram, tmp_path: Path
) -> None:
    source = (
        "import atexit\n" + IDLE + "import telecine.logging.setup as setup\n"
        # As if it had been registered before telecine was imported: it runs behind the SDK's own.
        "atexit.unregister(setup.STATE._end)\n"
        "atexit.register(lambda: log.error('behind the end'))\n"
        "atexit.register(setup.STATE._end)\n"
        "def chatter():\n"
        "    n = 0\n"
        "    while True: n += 1; log.info('chatter', n=n); time.sleep(0.001)\n"
        "threading.Thread(target=chatter, daemon=True).start()\n"
    )
    with TinyCollector() as collector:
        run_program(source, collector.address).communicate(timeout=60)
        written = [json.loads(line) for line in (tmp_path / "worker.log").read_text().splitlines()]
        assert "behind the end" in [record["msg"] for record in written]
        run_program("start(flush_seconds=20)", collector.address).communicate(timeout=60)
        said = [record["n"] for record in collector.records() if record["msg"] == "chatter"]
        assert sorted(said) == [record["n"] for record in written if record["msg"] == "chatter"]
        assert "behind the end" in collector.messages()
        eventually(lambda: not list((tmp_path / "spool").iterdir()))


NO_THREADS_AT_THE_END = (
    "log = start(flush_seconds=20)\n"
    "from telecine.logging.shipping import shipper\n"
    "shipper.can_start_threads = lambda: False\n"
)


def test_where_no_thread_can_be_started_at_the_end_a_helper_ships_the_rest(run_program: RunProgram) -> None:
    """python/cpython#113964: Python 3.12 starts none for exit handlers, and gRPC needs one."""
    with TinyCollector() as collector:
        first = run_program("start(flush_seconds=0).info('of the dead')\nos._exit(0)", "127.0.0.1:1")
        first.communicate(timeout=60)
        run_program(NO_THREADS_AT_THE_END + "log.error('last')", collector.address).communicate(timeout=60)
        assert sorted(collector.messages()) == ["last", "of the dead"]
        assert collector.duplicates == 0


def test_a_helper_that_finds_no_collector_is_not_waited_for_long(run_program: RunProgram) -> None:
    source = NO_THREADS_AT_THE_END + "log.error('last'); print(time.monotonic())"
    out, _ = run_program(source, "127.0.0.1:1").communicate(timeout=60)
    assert time.monotonic() - float(out) < 15
    with TinyCollector() as collector:
        run_program("start(flush_seconds=20)", collector.address).communicate(timeout=60)
        assert collector.messages() == ["last"]
