"""What was logged before the process died arrives, exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import configure_logging, flush_logging, get_logger, logging_stats, shutdown_logging

from tests.client.logging.conftest import RunProgram
from tests.client.logging.shipping.tiny_collector import TinyCollector
from tests.eventually import eventually


def spooled(directory: Path) -> list[dict[str, Any]]:
    lines = [
        line
        for segment in sorted(directory.glob("spool/*/*.ndjson"))
        for line in segment.read_bytes().splitlines()
    ]
    return [json.loads(line) for line in lines]


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out


def configured(directory: Path, collector: TinyCollector, **options: Any) -> None:
    configure_logging("next", directory=directory, collector=collector.address, console="off", **options)


def test_the_last_line_before_sigkill_is_in_the_spool_and_arrives_exactly_once_at_the_next_start(
    run_program: RunProgram, tmp_path: Path
) -> None:
    process = run_program(
        "log = start(collector='127.0.0.1:1')\n"
        "for n in range(100): log.info('step', n=n)\n"
        "log.error('the very last line')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process.communicate(timeout=90)
    assert process.returncode == -signal.SIGKILL
    assert spooled(tmp_path)[-1]["msg"] == "the very last line"
    with TinyCollector() as collector:
        configured(tmp_path, collector)
        eventually(lambda: "the very last line" in collector.messages())
        messages = collector.messages()
        assert messages.count("the very last line") == 1
        assert [r["n"] for r in collector.records() if r["msg"] == "step"] == list(range(100))
        eventually(
            lambda: len(list((tmp_path / "spool").iterdir())) == 1, says="the dead one's spool is removed"
        )


def test_a_sibling_ships_what_a_killed_process_left(run_program: RunProgram, tmp_path: Path) -> None:
    with TinyCollector() as collector:
        configured(tmp_path, collector)
        get_logger().warning("the sibling is here")
        process = run_program(
            "log = start()\nlog.info('short life')\nos.kill(os.getpid(), signal.SIGKILL)\n", collector.address
        )
        process.communicate(timeout=90)
        eventually(lambda: "short life" in collector.messages())
        assert collector.messages().count("short life") == 1
        assert "worker" in collector.services.values()


def test_what_a_dead_collector_could_not_take_is_taken_when_it_is_back(tmp_path: Path) -> None:
    with TinyCollector() as first:
        port = first.port
        configured(tmp_path, first)
        log = get_logger("a")
        log.warning("before")
        assert flush_logging()
    log.warning("while it is down")
    with TinyCollector(port) as second:
        assert flush_logging(20)
        assert "while it is down" in second.messages()
        assert "before" not in second.messages(), "acknowledged records are not sent again"


def test_a_lost_acknowledgement_costs_a_duplicate_that_the_collector_sees(tmp_path: Path) -> None:
    with TinyCollector() as collector:
        collector.forgets_acknowledgements = True
        configured(tmp_path, collector)
        get_logger("a").warning("once")
        eventually(lambda: "once" in collector.messages())
        shutdown_logging()
        collector.forgets_acknowledgements = False
        configured(tmp_path, collector)
        eventually(lambda: len(list((tmp_path / "spool").iterdir())) == 1)
        assert collector.messages().count("once") == 1


def test_a_refused_batch_is_sent_again_in_order(tmp_path: Path) -> None:
    with TinyCollector() as collector:
        collector.refuse_first = 3
        configured(tmp_path, collector)
        log = get_logger("a")
        for n in range(50):
            log.warning("n", n=n)
        assert flush_logging(20)
        assert [r["n"] for r in collector.records() if r["msg"] == "n"] == list(range(50))


def test_records_arrive_at_exit_without_being_waited_for(run_program: RunProgram, tmp_path: Path) -> None:
    with TinyCollector() as collector:
        out = ended(
            run_program(
                "log = start()\nfor n in range(1000): log.info('n', n=n)\nlog.info('goodbye')\n",
                collector.address,
            )
        )
        assert out == ""
        missing = [line["msg"] for line in spooled(tmp_path)]
        assert len(collector.messages()) + len(missing) >= 1001
        configured(tmp_path, collector)
        eventually(lambda: collector.messages().count("goodbye") == 1)
        assert [r["n"] for r in collector.records() if r["msg"] == "n"] == list(range(1000))


def test_exit_does_not_wait_for_a_collector_that_is_not_there(
    run_program: RunProgram, tmp_path: Path
) -> None:
    out = ended(
        run_program(
            "log = start(collector='127.0.0.1:1')\nlog.info('x')\n"
            "import atexit; t = time.monotonic()\n"
            "from telecine.logging import shutdown_logging\nshutdown_logging()\n"
            "print(time.monotonic() - t)\n"
        )
    )
    assert float(out) < 2.0
    assert spooled(tmp_path)[-1]["msg"] == "x"


def test_a_forked_child_logs_into_a_spool_of_its_own_that_the_parent_ships(
    run_program: RunProgram, tmp_path: Path
) -> None:
    with TinyCollector() as collector:
        ended(
            run_program(
                "log = start(flush_seconds=5)\n"
                "log.info('parent before')\n"
                "flush_logging()\n"
                "child = os.fork()\n"
                "if child == 0:\n"
                "    for n in range(20): get_logger('child').info('child', n=n)\n"
                "    os._exit(0)\n"
                "os.waitpid(child, 0)\n"
                "log.info('parent after')\n"
                "deadline = time.monotonic() + 15\n"
                "spool = sys.argv[1] + '/spool'\n"
                "while len(os.listdir(spool)) > 1 and time.monotonic() < deadline: time.sleep(0.05)\n",
                collector.address,
            )
        )
        assert [r["n"] for r in collector.records() if r["msg"] == "child"] == list(range(20))
        assert {"parent before", "parent after"} <= set(collector.messages())
        assert len(collector.lines) == 2, "parent and child are two producers"


def test_forking_while_threads_log_deadlocks_nobody(run_program: RunProgram) -> None:
    out = ended(
        run_program(
            "log = start(collector='127.0.0.1:1')\n"
            "def chatter():\n"
            "    while not done.is_set(): log.info('thread')\n"
            "done = threading.Event()\n"
            "threads = [threading.Thread(target=chatter) for _ in range(3)]\n"
            "[t.start() for t in threads]\n"
            "for _ in range(20):\n"
            "    child = os.fork()\n"
            "    if child == 0:\n"
            "        log.info('in the child')\n"
            "        os._exit(7)\n"
            "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
            "done.set(); [t.join() for t in threads]\n"
            "print('alive')\n"
        )
    )
    assert out == "alive\n"


def test_forking_while_threads_scan_for_secrets_leaves_the_child_a_scanner(run_program: RunProgram) -> None:
    """RE2 works without the interpreter lock: a lock of its cache may be held at the fork."""
    out = ended(
        run_program(
            "log = start()\n"
            "def chatter():\n"
            "    n = 0\n"
            "    while not done.is_set(): n += 1; log.info(f'{n} ' * 2000)\n"
            "done = threading.Event()\n"
            "threads = [threading.Thread(target=chatter) for _ in range(4)]\n"
            "[t.start() for t in threads]\n"
            "for _ in range(60):\n"
            "    child = os.fork()\n"
            "    if child == 0:\n"
            "        signal.alarm(20)\n"
            "        log.info('a new line with a secret: password=hunter2 in the child')\n"
            "        os._exit(7)\n"
            "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
            "done.set(); [t.join() for t in threads]\n"
            "files = [open(f'{sys.argv[1]}/{name}').read() for name in os.listdir(sys.argv[1])]\n"
            "print('hunter2' in ''.join(files))\n"
        )
    )
    assert out == "False\n"


def test_logging_inside_a_signal_handler_interrupts_and_loses_nothing(
    run_program: RunProgram, tmp_path: Path
) -> None:
    out = ended(
        run_program(
            "from telecine.logging.shipping.spool import SpoolLimits\n"
            "log = start(collector='127.0.0.1:1', spool_limits=SpoolLimits(segment_bytes=4096))\n"
            "seen = 0\n"
            "def handler(*_):\n"
            "    global seen\n"
            "    seen += 1\n"
            "    log.warning('in the handler')\n"
            "signal.signal(signal.SIGALRM, handler)\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)\n"
            "for n in range(3000): log.info('outside', n=n)\n"
            "signal.setitimer(signal.ITIMER_REAL, 0)\n"
            "print(seen)\n"
        )
    )
    records = spooled(tmp_path)
    handled = int(out)
    assert handled > 3
    assert sum(r["msg"] == "in the handler" for r in records) == handled
    assert [r["n"] for r in records if r["msg"] == "outside"] == list(range(3000))


def test_logging_inside_del_and_inside_repr_is_harmless(tmp_path: Path) -> None:
    configure_logging("worker", directory=tmp_path, console="off", level="DEBUG")
    log = get_logger("a")

    class Chatty:
        def __repr__(self) -> str:
            log.info("from repr")
            return "chatty"

        def __del__(self) -> None:
            log.info("from del")

    log.info("outer", thing=Chatty())
    messages = [json.loads(line)["msg"] for line in (tmp_path / "worker.log").read_bytes().splitlines()]
    assert sorted(messages) == ["from del", "from repr", "outer"]


def test_a_full_spool_drops_counts_says_so_and_keeps_room_for_warnings(tmp_path: Path) -> None:
    from telecine.logging.shipping.spool import SpoolLimits

    limits = SpoolLimits(max_bytes=20_000, reserve_bytes=10_000, segment_bytes=4096)
    log = configure_logging(
        "worker", directory=tmp_path, console="off", collector="127.0.0.1:1", spool_limits=limits
    )
    for n in range(500):
        log.info("filler", n=n)
    dropped = logging_stats()["spool_dropped"]
    assert 0 < dropped < 500
    log.warning("important")
    records = spooled(tmp_path)
    assert records[-1]["msg"] == "important"
    said = [record for record in records if record.get("event") == "log:records_lost"]
    assert [record["count"] for record in said] == [dropped]
    assert said[0]["reason"] == "spool_full"
    assert sum(path.stat().st_size for path in tmp_path.glob("spool/*/*.ndjson")) <= 30_000


def test_dropped_records_leave_a_hole_that_the_collector_learns_of(tmp_path: Path) -> None:
    from telecine.logging.shipping.spool import SpoolLimits

    limits = SpoolLimits(max_bytes=20_000, reserve_bytes=20_000, segment_bytes=4096)
    with TinyCollector() as collector:
        address = collector.address
        port = collector.port
    log = configure_logging(
        "worker", directory=tmp_path, console="off", collector=address, spool_limits=limits
    )
    for n in range(300):
        log.info("filler", n=n)
    dropped = logging_stats()["spool_dropped"]
    log.warning("important")
    with TinyCollector(port) as collector:
        assert flush_logging(20)
        (lost,) = collector.lost.values()
        (last_seq,) = collector.last_seq.values()
        (lines,) = collector.lines.values()
        assert lost == dropped
        assert last_seq == len(lines) + lost


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file system of its own")
def test_a_full_disk_never_raises_and_tears_no_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False
    ).returncode:
        pytest.skip("cannot mount")
    try:
        log = configure_logging("worker", directory=disk, console="off", collector="127.0.0.1:1")
        for n in range(3000):
            log.info("filler", n=n, padding="x" * 100)
        assert logging_stats()["spool_dropped"] > 0
        filler = disk / "worker.log"
        os.truncate(filler, 0)
        log.error("after the flood")
        assert spooled(disk)[-1]["msg"] == "after the flood"
        shutdown_logging()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_removed_spool_directory_is_made_again(tmp_path: Path) -> None:
    import shutil

    with TinyCollector() as collector:
        configured(tmp_path, collector)
        log = get_logger("a")
        log.warning("before")
        assert flush_logging()
        shutil.rmtree(tmp_path / "spool")

        def arrives() -> bool:
            log.warning("after")
            return "after" in collector.messages()

        eventually(arrives)


def test_two_processes_do_not_ship_the_same_spool(run_program: RunProgram, tmp_path: Path) -> None:
    with TinyCollector() as collector:
        source = "log = start()\nfor n in range(300): log.info('n', n=n)\nassert flush_logging(20)\n"
        for process in [run_program(source, collector.address) for _ in range(3)]:
            ended(process)
        assert sorted(r["n"] for r in collector.records() if r["msg"] == "n") == sorted([*range(300)] * 3)
        assert collector.duplicates == 0
