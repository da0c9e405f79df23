"""Drives a real worker process over its pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from encoder_service.spec import OutputSpec, VideoSpec
from encoder_service.work import Assignment, Event, Extent, Failed, Order, Probed, Produced, Ready


class WorkerDriver:
    """A started worker; a context manager that ends it."""

    def __init__(self, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "encoder_service.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TELECINE_WORKER_NICE": "0", **environ},
        )
        self.events: list[Event] = []
        self._decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
        ready = self.next_event()
        assert isinstance(ready, Ready)
        assert ready.pid == self.process.pid

    def send(self, *orders: Order) -> None:
        assert self.process.stdin is not None
        for order in orders:
            self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        self.process.stdin.flush()

    def next_event(self) -> Event:
        """The next event. Raises EOFError when the worker has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the worker ended with {self.process.wait()}")
        event = self._decoder.decode(line)
        self.events.append(event)
        return event

    def answer(self) -> Produced | Failed | Probed:
        """Reads on to the answer."""
        while True:
            event = self.next_event()
            if isinstance(event, Produced | Failed | Probed):
                return event

    def produce(
        self,
        video: VideoSpec,
        output: OutputSpec,
        spool: Path,
        directory: Path,
        frames: int,
        attempt: int = 1,
    ) -> Produced | Failed:
        """One assignment whose frames are all there."""
        directory.mkdir(exist_ok=True)
        self.send(
            Assignment("job", output, video, str(spool), str(directory), attempt=attempt, threads=2),
            Extent(frames, is_complete=True),
        )
        answer = self.answer()
        assert not isinstance(answer, Probed)
        return answer

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
