"""The worker program, `python -m encoder_service.worker`: takes orders on stdin, answers on stdout.

One JSON line per message, see `work`. It does one assignment after the other and lives until its
stdin closes or its parent thread dies (the kernel then kills it), so no codec outlives the service.
Its own prints and those of codecs go to stderr.

Environment: `TELECINE_WORKER_NICE` (default 5; ingest goes first), `TELECINE_WORKER_FAULT` (see
`worker_fault`).
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable

import msgspec

from encoder_service.attempt import Attempt
from encoder_service.work import Assignment, Cancel, Event, Extent, Order, Probe, Ready
from encoder_service.worker_fault import VARIABLE, parse_fault
from encoder_service.worker_priority import give_way

_PR_SET_PDEATHSIG = 1


class EventPipe:
    """Writes events as lines; whole lines, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()

    def emit(self, event: Event) -> None:
        """Sends one event; ends the process when nobody listens any more."""
        line = memoryview(self._encoder.encode(event) + b"\n")
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:
                os._exit(0)


class OrderReader(threading.Thread):
    """Reads orders while the main thread works: begins attempts, feeds and cancels the latest one."""

    def __init__(
        self,
        descriptor: int,
        todo: queue.SimpleQueue[Attempt | Probe],
        begin: Callable[[Assignment], Attempt],
    ) -> None:
        super().__init__(name="orders", daemon=True)
        self._descriptor = descriptor
        self._todo = todo
        self._begin = begin
        self._latest: Attempt | None = None

    def run(self) -> None:
        """Reads until stdin closes, then ends the process at once, whatever it is doing."""
        decoder = msgspec.json.Decoder(Order)
        try:
            with open(self._descriptor, "rb", closefd=False) as lines:
                for line in lines:
                    self._obey(decoder.decode(line))
        except msgspec.MsgspecError as error:
            print(f"worker: an order that cannot be read: {error}", file=sys.stderr, flush=True)  # noqa: T201 - stderr is the worker's log
            os._exit(2)
        os._exit(0)

    def _obey(self, order: Order) -> None:
        if isinstance(order, Assignment):
            self._latest = self._begin(order)
            self._todo.put(self._latest)
        elif isinstance(order, Probe):
            self._todo.put(order)
        elif self._latest is None:
            return
        elif isinstance(order, Extent):
            self._latest.intake.extend(order.frames, is_complete=order.is_complete)
        elif isinstance(order, Cancel):
            self._latest.intake.cancel()


def main() -> None:
    """Works until stdin closes."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only; it is read when the library is loaded
    _die_with_parent()
    give_way()
    pipe = EventPipe(_claim_stdout())
    fault = parse_fault(os.environ.get(VARIABLE, ""))
    todo: queue.SimpleQueue[Attempt | Probe] = queue.SimpleQueue()
    _import_ahead()
    OrderReader(0, todo, lambda order: Attempt(order, pipe.emit, fault)).start()
    pipe.emit(Ready(os.getpid()))
    while True:
        task = todo.get()
        if isinstance(task, Attempt):
            pipe.emit(task.run())
        else:
            from encoder_service.capabilities import probe

            pipe.emit(probe())


def _claim_stdout() -> int:
    """Keeps the pipe for events alone: whatever else is printed goes to stderr."""
    events = os.dup(1)
    os.dup2(2, 1)
    return events


def _die_with_parent() -> None:
    # A parent that has died before this line has closed stdin, which ends the worker too.
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _import_ahead() -> None:
    """Pays for the imports of the usual formats before the first assignment."""


if __name__ == "__main__":
    main()
