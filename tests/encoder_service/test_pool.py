"""Worker processes: started ahead, replaced when they die, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from encoder_service.config import EncoderConfig
from encoder_service.pool import WorkerPool
from encoder_service.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.work import Assignment, Extent, Failed, Logged, Progress
from encoder_service.worker_process import WorkerDiedError, WorkerProcess
from tests.eventually import eventually_async

TINY = (sys.executable, str(Path(__file__).with_name("tiny_worker.py")))
CONFIG = EncoderConfig(workers=2, worker_command=TINY)


def assignment(name: str) -> Assignment:
    """One whose output says what the tiny worker does."""
    video = VideoSpec(4, 2, PixelFormat.RGB24, Rational(24))
    return Assignment("job", OutputSpec(name, "mp4"), video, "/dev/null", "/tmp")


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.idle = 0
        self.lost: list[str] = []

    def worker_idle(self) -> None:
        """Counts."""
        self.idle += 1

    def worker_lost(self, reason: str) -> None:
        """Remembers why."""
        self.lost.append(reason)


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    """A ready worker."""
    worker = await WorkerProcess.start(CONFIG)
    yield worker
    await worker.kill()
    assert not psutil.pid_exists(worker.pid)


async def test_a_worker_answers_orders_with_events(worker: WorkerProcess) -> None:
    worker.send(assignment("ok"))
    worker.send(Extent(3, is_complete=True))
    assert isinstance(await worker.receive(), Progress)
    answer = await worker.receive()
    assert isinstance(answer, Failed)
    assert answer.code == "DONE"


async def test_a_crash_is_told_with_its_signal_and_last_words(worker: WorkerProcess) -> None:
    worker.send(assignment("crash"))
    with pytest.raises(WorkerDiedError, match=r"SIGABRT.*codec: assertion failed"):
        await worker.receive()
    assert worker.is_broken


async def test_an_exit_is_told_with_its_code(worker: WorkerProcess) -> None:
    worker.send(assignment("exit"))
    with pytest.raises(WorkerDiedError, match="exit code 7"):
        await worker.receive()


async def test_what_is_no_event_is_told_and_survived(worker: WorkerProcess) -> None:
    worker.send(assignment("garbage"))
    event = await worker.receive()
    assert isinstance(event, Logged)
    assert "not json" in event.message
    worker.cancel()
    assert isinstance(await worker.receive(), Failed)


async def test_orders_to_a_dead_worker_are_lost_without_a_fault(worker: WorkerProcess) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    await eventually_async(lambda: not psutil.pid_exists(worker.pid))
    for _ in range(100):
        worker.send(assignment("ok"))
    with pytest.raises(WorkerDiedError, match="SIGKILL"):
        await worker.receive()


async def test_an_idle_worker_ends_when_its_stdin_closes() -> None:
    worker = await WorkerProcess.start(CONFIG)
    await worker.close()
    assert not psutil.pid_exists(worker.pid)


@pytest.mark.parametrize(
    ("mode", "words"), [("dead", "cannot load a library"), ("mute", "not ready after 1 s")]
)
async def test_a_worker_that_never_gets_ready_says_why(
    monkeypatch: pytest.MonkeyPatch, mode: str, words: str
) -> None:
    monkeypatch.setenv("TINY_WORKER", mode)
    config = EncoderConfig(worker_command=TINY, worker_start_timeout_seconds=1.0)
    with pytest.raises(WorkerDiedError, match=words):
        await WorkerProcess.start(config)


async def test_a_program_that_is_not_there_says_so() -> None:
    with pytest.raises(WorkerDiedError, match="cannot be started"):
        await WorkerProcess.start(EncoderConfig(worker_command=("/no/such/program",)))


@pytest.fixture
async def pool() -> AsyncIterator[tuple[WorkerPool, Told]]:
    """Two warm workers."""
    told = Told()
    pool = WorkerPool(CONFIG, told)
    pool.open()
    await eventually_async(lambda: pool.idle_count == 2)
    yield pool, told
    await pool.close()


async def test_a_broken_worker_is_replaced(pool: tuple[WorkerPool, Told]) -> None:
    workers, told = pool
    first = workers.take()
    assert first is not None
    await first.kill()
    workers.give_back(first)
    await eventually_async(lambda: workers.idle_count == 2)
    assert told.lost == ["broken"]
    assert workers.restarts == 1


async def test_a_worker_is_lent_to_one_at_a_time_and_whoever_waits_is_served_first(
    pool: tuple[WorkerPool, Told],
) -> None:
    workers, told = pool
    first, second = workers.take(), workers.take()
    assert first is not None
    assert second is not None
    assert workers.take() is None
    waiting = asyncio.create_task(workers.wait_for_one())
    await asyncio.sleep(0)
    idle_before = told.idle
    workers.give_back(second)
    assert await waiting is second
    assert told.idle == idle_before
    workers.give_back(first)
    workers.give_back(second)


async def test_a_worn_worker_is_replaced_by_a_fresh_one() -> None:
    told = Told()
    workers = WorkerPool(EncoderConfig(workers=1, worker_command=TINY, assignments_per_worker=1), told)
    workers.open()
    old = await workers.wait_for_one()
    workers.give_back(old)
    new = await workers.wait_for_one()
    assert new.pid != old.pid
    assert told.lost == ["worn"]
    workers.give_back(new)
    await workers.close()


async def test_closing_leaves_no_process_whatever_the_workers_do(pool: tuple[WorkerPool, Told]) -> None:
    workers, _ = pool
    # Other tests' services may be children too.
    children = [child for child in psutil.Process().children() if TINY[1] in child.cmdline()]
    assert children
    deaf = workers.take()
    assert deaf is not None
    deaf.send(assignment("deaf"))
    await workers.close()
    assert not [child for child in children if child.is_running()]
