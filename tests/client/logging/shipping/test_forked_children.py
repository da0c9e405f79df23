"""What forked children log is shipped while they live, whoever of their family is still there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from telecine.logging.shipping.shipping_process import nobody_ships

from tests.client.logging.conftest import RunProgram
from tests.client.logging.shipping.tiny_collector import TinyCollector
from tests.eventually import eventually

FORK = """
def fork(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child
"""

DAEMON = (
    FORK
    + """
log = start(flush_seconds=5)
log.info('before the fork')
assert flush_logging(20)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
log.info('the daemon works')
said = flush_logging(30)
log.info('the daemon ends')
print(said, flush_logging(30), flush=True)
"""
)


def ended(process: subprocess.Popen[str], timeout_seconds: float = 60) -> str:
    out, err = process.communicate(timeout=timeout_seconds)
    assert process.returncode == 0, err
    return out


def test_a_daemon_ships_while_it_lives_and_leaves_nothing_behind(
    run_program: RunProgram, tmp_path: Path
) -> None:
    with TinyCollector() as collector:
        assert ended(run_program(DAEMON, collector.address)) == "True True\n"
        assert collector.messages() == ["before the fork", "the daemon works", "the daemon ends"]
        assert collector.duplicates == 0
        eventually(lambda: not list((tmp_path / "spool").iterdir()), says="shipped spools are removed")
        eventually(lambda: nobody_ships(tmp_path / "spool"), says="the helper ends with the daemon")


def test_a_daemon_without_a_collector_is_never_informed_that_its_records_have_arrived(
    run_program: RunProgram, tmp_path: Path
) -> None:
    source = DAEMON.replace("assert flush_logging(20)\n", "").replace("flush_logging(30)", "flush_logging(1)")
    assert ended(run_program(source, "127.0.0.1:1")) == "False False\n"
    eventually(lambda: nobody_ships(tmp_path / "spool"), says="the helper leaves them to the next start")
    with TinyCollector() as collector:
        ended(run_program("start(flush_seconds=20)", collector.address))
        eventually(lambda: len(collector.messages()) == 3)
        assert collector.duplicates == 0


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "os.kill(os.getpid(), 9)", "raise ValueError"])
def test_a_parents_flush_waits_for_its_ended_children(run_program: RunProgram, end: str) -> None:
    source = (
        "log = start(flush_seconds=5)\n"
        "log.info('parent')\n"
        "for n in range(4):\n"
        "    if os.fork() == 0:\n"
        "        get_logger('child').info('child', n=n)\n"
        f"        {end}\n"
        "for _ in range(4): os.wait()\n"
        "print(flush_logging(30), flush=True)\n"
        "os._exit(0)\n"
    )
    with TinyCollector() as collector:
        assert ended(run_program(source, collector.address)).endswith("True\n")
        assert sorted(r["n"] for r in collector.records() if r["msg"] == "child") == [0, 1, 2, 3]
        assert collector.duplicates == 0


@pytest.mark.parametrize("way", ["flush_logging(30)", "shutdown_logging()", "pass"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_records_of_a_pool_arrive_with_the_end_of_its_program(tmp_path: Path, method: str, way: str) -> None:
    with TinyCollector() as collector:
        program = tmp_path / "program.py"
        program.write_text(
            "import multiprocessing\n"
            "from telecine.logging import *\n"
            f"log = configure_logging('worker', console='off', directory={str(tmp_path)!r},"
            f" collector={collector.address!r}, flush_seconds=20)\n"
            "def work(n):\n"
            "    get_logger('child').info('child', n=n)\n"
            "if __name__ == '__main__':\n"
            f"    context = multiprocessing.get_context({method!r})\n"
            "    children = [context.Process(target=work, args=(n,)) for n in range(3)]\n"
            "    [child.start() for child in children]\n"
            "    [child.join() for child in children]\n"
            f"    {way}\n"
        )
        subprocess.run([sys.executable, str(program)], check=True, timeout=90)
        eventually(lambda: sorted(r["n"] for r in collector.records()) == [0, 1, 2])
        assert collector.duplicates == 0


def test_workers_of_a_prefork_server_ship_and_flush_while_the_master_lives(run_program: RunProgram) -> None:
    source = (
        FORK
        + """
log = start(flush_seconds=5)
log.info('master')
ready = os.pipe()
def work():
    log.info('worker begins')
    said = flush_logging(30)
    log.info('worker goes on', said=said)
    os.write(ready[1], b'x' if flush_logging(30) and said else b'-')
    time.sleep(60)
workers = [fork(work) for _ in range(3)]
answers = b''.join(os.read(ready[0], 1) for _ in workers)
log.info('master again')
print(answers.decode(), flush_logging(20), flush=True)
for worker in workers: os.kill(worker, 9)
"""
    )
    with TinyCollector() as collector:
        assert ended(run_program(source, collector.address)) == "xxx True\n"
        messages = collector.messages()
        assert messages.count("worker begins") == messages.count("worker goes on") == 3
        assert {"master", "master again"} <= set(messages)
        assert collector.duplicates == 0


def test_a_grandchild_ships_after_the_death_of_all_before_it(run_program: RunProgram) -> None:
    source = (
        FORK
        + """
log = start()
log.info('parent')
assert flush_logging(20)
parent = os.getpid()
if os.fork():
    time.sleep(60)
get_logger('child').info('child')
if os.fork() == 0:
    os.kill(parent, 9)
    get_logger('grandchild').info('grandchild')
    print(flush_logging(30), flush=True)
os._exit(0)
"""
    )
    with TinyCollector() as collector:
        out, err = run_program(source, collector.address).communicate(timeout=60)
        assert out == "True\n", err
        eventually(lambda: sorted(collector.messages()) == ["child", "grandchild", "parent"])
        assert collector.duplicates == 0


def test_forking_while_everything_is_busy_loses_and_doubles_nothing(run_program: RunProgram) -> None:
    """Threads log, rotate files and ship; children log from two threads at once."""
    source = (
        FORK
        + """
log = start(flush_seconds=20, file_max_bytes=20_000)
done = threading.Event()
def chatter():
    while not done.is_set(): log.info(f'thread {time.monotonic_ns()} ' * 50)
threads = [threading.Thread(target=chatter) for _ in range(2)]
[t.start() for t in threads]
def work():
    signal.alarm(30)
    inner = [threading.Thread(target=lambda: log.info('in the child')) for _ in range(2)]
    [t.start() for t in inner]
    [t.join() for t in inner]
codes = [os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1]) for _ in range(25)]
done.set(); [t.join() for t in threads]
print(set(codes), flush_logging(60), flush=True)
"""
    )
    with TinyCollector() as collector:
        assert ended(run_program(source, collector.address), 110) == "{0} True\n"
        assert collector.messages().count("in the child") == 50
        assert collector.duplicates == 0


def test_a_child_that_configures_logging_anew_ships_too(run_program: RunProgram) -> None:
    """It cannot use gRPC, which its parent has used."""
    source = (
        FORK
        + """
log = start()
log.info('parent')
assert flush_logging(20)
def work():
    configure_logging('other', console='off', directory=sys.argv[1], collector=sys.argv[2]).info('child')
    print(flush_logging(30), flush=True)
os.waitpid(fork(work), 0)
"""
    )
    with TinyCollector() as collector:
        assert ended(run_program(source, collector.address)) == "True\n"
        assert sorted(collector.messages()) == ["child", "parent"]
