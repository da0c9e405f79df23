"""What a forked worker does: it takes one assignment from its orders, answers with events, and ends.

One JSON line per message, see `work`. It ends when it has answered, when its orders end, or when the
zygote or the service dies (the kernel then kills it), so no codec outlives the service. Its own prints
and those of codecs go to its standard error.

Environment: `TELECINE_WORKER_NICE` (default 5; ingest goes first), `TELECINE_WORKER_FAULT` (see
`worker_fault`).
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from encoder_service.data_layout import checksums_path
from encoder_service.evidence.facts import MESSAGE_CHARS, Failed, Produced, SandboxMode, Walls
from encoder_service.spec.codes import FailureCode
from encoder_service.worker.failpoint import VARIABLE, parse_failpoint
from encoder_service.worker.images.preview import draw_preview
from encoder_service.worker.process.attempt import Attempt
from encoder_service.worker.process.capabilities import probe
from encoder_service.worker.process.memory import offer_to_kernel
from encoder_service.worker.process.priority import lower_priority
from encoder_service.worker.sandbox.walls import Reach, lock
from encoder_service.worker_protocol import (
    Assignment,
    Cancel,
    DrawPreview,
    Event,
    HighWatermark,
    Logged,
    Order,
    Pictured,
    Probe,
    Probed,
    Ready,
)

EXIT_UNREADABLE_ORDER = 2


class EventPipe:
    """Writes events as lines; whole lines, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()

    def emit(self, event: Event) -> None:
        """Sends one event; ends the process when nobody listens any more."""
        if isinstance(event, Logged):
            event = Logged(event.level, event.message[:MESSAGE_CHARS])
        line = memoryview(self._encoder.encode(event) + b"\n")
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:
                os._exit(0)


class Orders:
    """The orders of one worker. Read by one thread after the other."""

    def __init__(self, lines: BinaryIO) -> None:
        self._lines = lines
        self._decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)

    def next(self) -> Order:
        """Waits for the next order; if no more can come, ends the process at once, whatever it is doing."""
        line = self._lines.readline()
        if not line:
            os._exit(0)
        try:
            return self._decoder.decode(line)
        except msgspec.MsgspecError as error:
            print(f"worker: an order that cannot be read: {error}", file=sys.stderr, flush=True)  # noqa: T201 - stderr is the worker's log
            os._exit(EXIT_UNREADABLE_ORDER)

    def follow(self, attempt: Attempt | None) -> None:
        """Obeys what comes while another thread works: feeds and cancels the attempt."""
        while True:
            order = self.next()
            if attempt is None:
                continue
            if isinstance(order, HighWatermark):
                attempt.intake.extend(order.frames, is_complete=order.is_complete, samples=order.samples)
            elif isinstance(order, Cancel):
                attempt.intake.cancel()


_Begins: TypeAlias = Assignment | Probe | DrawPreview


def _reach(order: _Begins) -> Reach:
    if isinstance(order, Probe):
        return Reach(writes=(order.directory,))
    if isinstance(order, DrawPreview):
        return Reach(reads=(order.spool_path, str(checksums_path(Path(order.spool_path)))))
    tracks = [order.spool_path] + ([order.audio_path] if order.audio_path else [])
    return Reach(
        writes=(order.directory,),
        reads=(
            *tracks,
            *(str(checksums_path(Path(track))) for track in tracks),
            order.pictures_directory,
            *order.font_directories,
            *order.fallback_font_directories,
        ),
    )


def _answer(order: _Begins, attempt: Attempt | None, walls: Walls) -> Produced | Failed | Probed | Pictured:
    if walls.missing and order.confinement.mode is SandboxMode.REQUIRED:
        message = f"worker_sandbox is required, and walls are missing: {walls.describe_missing()}"
        return Failed(FailureCode.SANDBOX_UNAVAILABLE, message, is_retryable=False)
    if isinstance(order, DrawPreview):
        return draw_preview(order)
    if isinstance(order, Probe) or attempt is None:
        tempfile.tempdir = order.directory
        return msgspec.structs.replace(probe(), walls=walls)
    answer = attempt.run()
    return msgspec.structs.replace(answer, walls=walls) if isinstance(answer, Produced) else answer


def run(orders: int, events: int) -> None:
    """Takes the one assignment, probe or preview of this process and answers it."""
    lower_priority()
    offer_to_kernel()
    pipe = EventPipe(events)
    fault = parse_failpoint(os.environ.get(VARIABLE, ""))
    with open(orders, "rb", closefd=False) as lines:
        waiting = Orders(lines)
        pipe.emit(Ready(os.getpid()))
        order = waiting.next()
        while not isinstance(order, _Begins):
            order = waiting.next()
        # Before there is a second thread, which would be left outside, and before a stranger's byte is read.
        walls = lock(_reach(order), order.confinement)
        attempt = Attempt(order, pipe.emit, fault) if isinstance(order, Assignment) else None
        threading.Thread(target=waiting.follow, args=(attempt,), name="orders", daemon=True).start()
        pipe.emit(_answer(order, attempt, walls))
        # The end of the interpreter would wait for nothing and free what the kernel frees faster.
        os._exit(0)
