"""Worker processes: started ahead, replaced when they die, and never left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from encoder_service.config import EncoderConfig
from encoder_service.evidence.facts import Failed, Walls
from encoder_service.pool.pool import NoWorkersError, WorkerPool
from encoder_service.pool.settings import PoolSettings
from encoder_service.pool.worker_process import WorkerDiedError, WorkerProcess
from encoder_service.pool.zygote_process import ZygoteDiedError, ZygoteProcess
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker_protocol import Assignment, HighWatermark, Logged, Progress
from tests.eventually import eventually_async

TINY = (str(Path(__file__).with_name("tiny_zygote.py")),)
SETTINGS = EncoderConfig(workers=2).pool_settings


def assignment(name: str) -> Assignment:
    """One whose output says what the tiny worker does."""
    video = VideoSpec(4, 2, PixelFormat.RGB24, Rational(24))
    return Assignment("job", OutputSpec(name, "mp4"), video, "/dev/null", "/tmp")


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.idle = 0
        self.lost: list[str] = []
        self.availability: list[str] = []
        """Why there were no workers; empty: there were some again."""

    def worker_idle(self) -> None:
        """Counts."""
        self.idle += 1

    def worker_lost(self, reason: str) -> None:
        """Remembers why."""
        self.lost.append(reason)

    def workers_unavailable(self, reason: str) -> None:
        """Remembers why."""
        self.availability.append(reason)

    def workers_available(self) -> None:
        """Remembers that."""
        self.availability.append("")

    def walls_tried(self, walls: Walls) -> None:
        """Does not care."""


@pytest.fixture
async def zygote() -> AsyncIterator[ZygoteProcess]:
    """A ready zygote."""
    zygote = await ZygoteProcess.start(SETTINGS, TINY)
    yield zygote
    await zygote.close()
    assert not psutil.pid_exists(zygote.pid)


@pytest.fixture
async def worker(zygote: ZygoteProcess) -> AsyncIterator[WorkerProcess]:
    """A ready worker."""
    worker = await WorkerProcess.start(SETTINGS, zygote)
    yield worker
    await worker.kill()
    assert not is_running(worker.pid)


async def test_a_worker_answers_orders_with_events(worker: WorkerProcess) -> None:
    worker.send(assignment("ok"))
    worker.send(HighWatermark(3, is_complete=True))
    assert isinstance(await worker.receive(), Progress)
    answer = await worker.receive()
    assert isinstance(answer, Failed)
    assert answer.code == "DONE"


async def test_a_crash_is_reported_with_its_signal_and_standard_error(worker: WorkerProcess) -> None:
    worker.send(assignment("crash"))
    with pytest.raises(WorkerDiedError, match=r"SIGABRT.*codec: assertion failed"):
        await worker.receive()
    assert worker.is_broken


async def test_an_exit_is_reported_with_its_code(worker: WorkerProcess) -> None:
    worker.send(assignment("exit"))
    with pytest.raises(WorkerDiedError, match="exit code 7"):
        await worker.receive()


async def test_what_is_no_event_is_reported_and_survived(worker: WorkerProcess) -> None:
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


async def test_last_words_are_those_of_the_very_worker(zygote: ZygoteProcess) -> None:
    """What the worker of one job wrote never stands in another job's error."""
    first, second = await WorkerProcess.start(SETTINGS, zygote), await WorkerProcess.start(SETTINGS, zygote)
    first.send(assignment("crash"))
    with pytest.raises(WorkerDiedError, match="assertion failed"):
        await first.receive()
    second.send(assignment("exit"))
    with pytest.raises(WorkerDiedError) as failed:
        await second.receive()
    assert str(failed.value) == "the worker process ended with exit code 7"


async def test_an_idle_worker_ends_when_there_are_no_more_orders(zygote: ZygoteProcess) -> None:
    worker = await WorkerProcess.start(SETTINGS, zygote)
    await worker.close()
    assert not psutil.pid_exists(worker.pid)


async def test_a_worker_dies_with_the_zygote_and_no_output_is_to_blame(
    zygote: ZygoteProcess, worker: WorkerProcess
) -> None:
    worker.send(assignment("deaf"))
    os.kill(zygote.pid, signal.SIGKILL)
    with pytest.raises(ZygoteDiedError):
        await worker.receive()
    assert not is_running(worker.pid)
    with pytest.raises(ZygoteDiedError):
        await WorkerProcess.start(SETTINGS, zygote)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("dead", "exit code 3; its standard error ends with: cannot load a library"),
        ("mute", "not ready after 1 s"),
    ],
)
async def test_a_zygote_that_never_gets_ready_says_why(
    monkeypatch: pytest.MonkeyPatch, mode: str, words: str
) -> None:
    monkeypatch.setenv("HOME", mode)
    settings = PoolSettings(start_timeout_seconds=1.0)
    with pytest.raises(ZygoteDiedError, match=words):
        await ZygoteProcess.start(settings, TINY)


async def test_a_worker_that_never_gets_ready_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "mute_worker")
    settings = PoolSettings(start_timeout_seconds=1.0)
    zygote = await ZygoteProcess.start(PoolSettings(), TINY)
    with pytest.raises(WorkerDiedError, match="not ready after 1 s"):
        await WorkerProcess.start(settings, zygote)
    assert not psutil.Process(zygote.pid).children()
    await zygote.close()


async def test_a_program_that_is_not_there_says_so() -> None:
    with pytest.raises(WorkerDiedError, match="/no/such/program cannot be started"):
        await ZygoteProcess.start(PoolSettings(wrapper=("/no/such/program",)), TINY)


async def test_the_operators_wrapper_starts_the_zygote() -> None:
    settings = PoolSettings(wrapper=("prlimit", "--nofile=99"))
    zygote = await ZygoteProcess.start(settings, TINY)
    worker = await WorkerProcess.start(settings, zygote)
    assert psutil.Process(worker.pid).rlimit(psutil.RLIMIT_NOFILE) == (99, 99)
    await worker.close()
    await zygote.close()


@pytest.fixture
async def pool() -> AsyncIterator[tuple[WorkerPool, Told]]:
    """Two warm workers."""
    told = Told()
    pool = WorkerPool(SETTINGS, told, TINY)
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


async def test_a_worker_is_lent_to_one_at_a_time_and_who_waits_is_served_first(
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


async def test_a_worker_serves_one_assignment(pool: tuple[WorkerPool, Told]) -> None:
    workers, told = pool
    used = workers.take()
    assert used is not None
    used.send(assignment("ok"))
    workers.give_back(used)
    await eventually_async(lambda: workers.idle_count == 2)
    pids = {(await workers.wait_for_one()).pid for _ in range(2)}
    assert used.pid not in pids
    assert (told.lost, workers.restarts) == ([], 0)


async def test_a_worker_that_dies_while_it_waits_is_lent_to_nobody(pool: tuple[WorkerPool, Told]) -> None:
    workers, told = pool
    child = psutil.Process(next(pid for pid in children_of_zygotes()))
    child.kill()
    await eventually_async(lambda: told.lost == ["broken"])
    await eventually_async(lambda: workers.idle_count == 2)
    assert {(await workers.wait_for_one()).pid for _ in range(2)}.isdisjoint({child.pid})


async def test_a_killed_zygote_is_replaced_with_its_workers(pool: tuple[WorkerPool, Told]) -> None:
    workers, _ = pool
    before = children_of_zygotes()
    for zygote in zygotes():
        zygote.kill()
    await eventually_async(lambda: not any(is_running(pid) for pid in before))
    await eventually_async(lambda: workers.idle_count == 2)
    assert before.isdisjoint(children_of_zygotes())


async def test_workers_come_when_there_are_descriptors_again(pool: tuple[WorkerPool, Told]) -> None:
    workers, told = pool
    first = await workers.wait_for_one()
    first.send(assignment("ok"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        workers.give_back(first)
        await eventually_async(lambda: any("Too many open files" in reason for reason in told.lost))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    await eventually_async(lambda: workers.idle_count == 2)


async def test_a_zygote_that_does_not_answer_is_replaced() -> None:
    told = Told()
    workers = WorkerPool(PoolSettings(size=1, start_timeout_seconds=2.0), told, TINY)
    workers.open()
    worker = await workers.wait_for_one()
    (zygote,) = zygotes()
    zygote.suspend()
    worker.send(assignment("ok"))
    workers.give_back(worker)
    other = await workers.wait_for_one()
    assert not is_running(zygote.pid)
    assert any("did not answer" in reason for reason in told.lost)
    workers.give_back(other)
    await workers.close()
    assert not zygotes()


async def test_workers_that_all_die_at_their_start_are_reported_and_started_again_when_they_can_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "die_at_start"
    broken.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    told = Told()
    workers = WorkerPool(PoolSettings(size=2, start_attempts=3), told, TINY)
    waiting = asyncio.create_task(workers.wait_for_one())
    workers.open()
    with pytest.raises(NoWorkersError, match="no codec here"):
        await waiting
    with pytest.raises(NoWorkersError):
        await workers.wait_for_one()
    await eventually_async(lambda: len(told.lost) >= 6)
    assert len(told.availability) == 1, "reported once, whichever of the slots fails"
    assert "no codec here" in workers.unavailable_reason
    broken.unlink()
    await eventually_async(lambda: workers.idle_count == 2)
    assert told.availability[1:] == [""]
    assert workers.unavailable_reason == ""
    await workers.close()


async def test_workers_that_die_as_soon_as_they_are_ready_are_replaced_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "die_when_ready").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    told = Told()
    workers = WorkerPool(PoolSettings(size=1), told, TINY)
    began = time.monotonic()
    workers.open()
    await eventually_async(lambda: len(told.lost) >= 4)
    assert time.monotonic() - began >= 0.1 + 0.5
    await workers.close()


async def test_one_failed_start_among_many_that_succeed_reports_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "die_at_start").write_text("once")
    monkeypatch.setenv("HOME", str(tmp_path))
    told = Told()
    workers = WorkerPool(PoolSettings(size=2, start_attempts=2), told, TINY)
    workers.open()
    await eventually_async(lambda: workers.idle_count == 2)
    assert len(told.lost) == 1
    assert told.availability == []
    await workers.close()


async def test_closing_leaves_no_process_whatever_the_workers_do(pool: tuple[WorkerPool, Told]) -> None:
    workers, _ = pool
    children = children_of_zygotes() | {zygote.pid for zygote in zygotes()}
    assert len(children) == 3
    deaf = workers.take()
    assert deaf is not None
    deaf.send(assignment("deaf"))
    await workers.close()
    assert not [pid for pid in children if is_running(pid)]


def zygotes() -> list[psutil.Process]:
    """Those of this test; other tests' services may be children too."""
    return [child for child in psutil.Process().children() if TINY[0] in child.cmdline()]


def children_of_zygotes() -> set[int]:
    """The workers' process ids."""
    return {worker.pid for zygote in zygotes() for worker in zygote.children()}


def is_running(pid: int) -> bool:
    """And no zombie that waits for init."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
