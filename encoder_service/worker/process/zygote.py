"""The program that workers are forked from, `python -P -m encoder_service.worker.process.zygote DESCRIPTOR`.

It has imported everything that a worker needs, has one thread, and no gRPC: forking it is safe and
takes about two milliseconds, where a program of its own takes half a second of imports. It takes
requests from the service on a Unix socket, reaps its workers and reports how each ended. It ends with the
service, and its workers end with it: the kernel sees to both.
"""

from __future__ import annotations

import fcntl
import gc
import math
import os
import random
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from encoder_service.evidence.facts import Walls
from encoder_service.worker.process.memory import holdings
from encoder_service.worker.process.parent import die_with_parent
from encoder_service.zygote_protocol import (
    Ended,
    Fork,
    Forked,
    NotForked,
    Report,
    Request,
    ZygoteReady,
    receive,
    send,
)

ORDERS, EVENTS = 0, 3
"""The descriptors of a worker. 2, and 1 as well, is its own standard error."""

_AWAY = 16
_BYTES_PER_SECOND = 8 << 30
"""Faster than processes are given memory; the next look is due when the bound could be reached."""
_SHORTEST_SECONDS = 0.02
_LONGEST_SECONDS = 0.5
_MOST_THREADS = 2048
"""Threads of one worker: far more than codecs start on large machines, far less than a machine has."""
_TASKS = Path("/proc/self/task")


class Zygote:
    """Forks and reaps. For a process with one thread; `serve` returns when the service is gone."""

    def __init__(
        self, connection: socket.socket, run: Callable[[int, int], None], walls: Walls | None = None
    ) -> None:
        self._connection = connection
        self._run = run
        self._walls = walls or Walls()
        self._decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
        self._workers: dict[int, int] = {}
        """Process id to the bound of its memory."""
        self._killed: dict[int, int] = {}
        """Those that took more memory, and how much."""
        self._swarms: dict[int, int] = {}
        """Those that were killed for their threads, and how many they had."""
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Obeys until the service is gone, then ends and reaps all workers."""
        # The handler does nothing: what it writes into the pipe ends the wait below.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        # What is there now stays for good; left out of collections, its pages stay shared with the workers.
        gc.collect()
        gc.freeze()
        self._report(ZygoteReady(os.getpid(), self._walls))
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        try:
            while self._step(poll):
                pass
        finally:
            self._end_workers()

    def _step(self, poll: select.poll) -> bool:
        ready = {descriptor for descriptor, _ in poll.poll(self._watch_memory())}
        if self._wake in ready:
            os.read(self._wake, 4096)
            self._reap()
        if self._connection.fileno() not in ready:
            return True
        data, descriptors = receive(self._connection)
        if not data:
            return False
        self._fork(self._decoder.decode(data), descriptors)
        return True

    def _fork(self, request: Fork, descriptors: list[int]) -> None:
        count = _count_threads()
        if count != 1:
            # A lock that another thread holds would be held for ever in the worker.
            raise RuntimeError(f"the zygote has {count} threads; it cannot be forked safely")
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            for descriptor in descriptors:
                os.close(descriptor)
            self._report(NotForked(request.number, f"no process can be started: {error}"))
            return
        if pid == 0:
            self._be_worker(zygote, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self._workers[pid] = request.memory_bytes
        pidfd = _open_pidfd(pid)
        self._report(Forked(request.number, pid), pidfd)
        for descriptor in pidfd:
            os.close(descriptor)

    def _be_worker(self, zygote: int, descriptors: list[int]) -> None:
        """Runs the worker in the forked process, which ends here."""
        code = 1
        try:
            die_with_parent(zygote)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _claim(descriptors)
            # Its own session, for a niceness of its own: docs/decisions/worker-priority.md.
            os.setsid()
            random.seed()
            self._run(ORDERS, EVENTS)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:  # noqa: BLE001 - it must not go on as a second zygote
            traceback.print_exc()
        finally:
            # No destructors: they belong to the zygote.
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._workers.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            self._report(Ended(pid, code, self._killed.pop(pid, 0), self._swarms.pop(pid, 0)))

    def _watch_memory(self) -> float | None:
        """Kills workers that have taken too much; returns the milliseconds until the next look is due.

        From outside, because a worker cannot watch itself while a library holds the interpreter's lock,
        and because a codec that is refused memory may do anything but say so.
        """
        pause_seconds = math.inf
        for pid, limit_bytes in self._workers.items():
            if not limit_bytes or pid in self._killed or pid in self._swarms:
                continue
            taken_bytes, threads = holdings(pid)
            if taken_bytes > limit_bytes or threads > _MOST_THREADS:
                if taken_bytes > limit_bytes:
                    self._killed[pid] = taken_bytes
                else:
                    self._swarms[pid] = threads
                os.kill(pid, signal.SIGKILL)
            else:
                reach_seconds = (limit_bytes - taken_bytes) / _BYTES_PER_SECOND
                pause_seconds = min(pause_seconds, reach_seconds, _LONGEST_SECONDS)
        return None if pause_seconds == math.inf else 1000 * max(_SHORTEST_SECONDS, pause_seconds)

    def _report(self, report: Report, descriptors: list[int] | None = None) -> None:
        send(self._connection, report, descriptors or ())

    def _end_workers(self) -> None:
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        for pid in self._workers:
            os.waitpid(pid, 0)


def _claim(descriptors: list[int]) -> None:
    """Puts a worker's own descriptors in their places and closes all others."""
    # Away from their places first, so that none is overwritten before it is moved.
    orders, events, words = (fcntl.fcntl(descriptor, fcntl.F_DUPFD, _AWAY) for descriptor in descriptors)
    os.dup2(orders, ORDERS)
    os.dup2(words, 1)
    os.dup2(words, 2)
    os.dup2(events, EVENTS)
    os.closerange(EVENTS + 1, os.sysconf("SC_OPEN_MAX"))


def _count_threads() -> int:
    try:
        return sum(1 for _ in _TASKS.iterdir())
    except OSError:
        return threading.active_count()


def _open_pidfd(pid: int) -> list[int]:
    """A descriptor that means this very process, whatever process gets its number later."""
    try:
        return [os.pidfd_open(pid)]
    except (AttributeError, OSError):
        return []


def main() -> None:
    """Serves the socket whose descriptor is the first argument."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    # If the service has died before this line, the socket's end is what ends the zygote.
    die_with_parent()
    os.environ.setdefault("SVT_LOG", "1")  # errors only; it is read when the library is loaded
    from encoder_service.worker.process.imports import import_ahead
    from encoder_service.worker.process.program import run
    from encoder_service.worker.sandbox.trial import try_walls

    import_ahead()
    try:
        Zygote(connection, run, try_walls()).serve()
    except ConnectionError:
        pass  # the service is gone


if __name__ == "__main__":
    main()
