"""Shows how far a job has come: bars on a terminal, a line per step anywhere else, nothing for `--json`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from telecine.cli.show import terminal
from telecine.results.values import OutputProgress, OutputState
from telecine.results.values import Progress as JobProgress

LINE_SECONDS = 10.0
"""Between two lines about outputs that are under way."""
_UPLOAD = "upload"
_ENDED = {OutputState.SUCCEEDED, OutputState.FAILED, OutputState.CANCELLED}


class JobProgressView:
    """A context manager whose `update` is a progress callback; safe to call from any thread.

    Nothing is written after its end: Python aborts where it ends while another thread writes.
    """

    def __init__(self, *, frame_bytes: int, frame_count: int, is_silent: bool) -> None:
        console = terminal.notices()
        self._expected_frames = frame_count
        self._expected_bytes = frame_count * frame_bytes
        self._bars = _Bars(console) if console.is_terminal and not is_silent else None
        self._lines = _Lines(console) if not console.is_terminal and not is_silent else None
        self._lock = threading.Lock()
        self._is_over = False

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_over = True
        if self._bars:
            self._bars.stop()

    def update(self, progress: JobProgress) -> None:
        """Shows the newest state of the job."""
        with self._lock:
            if self._is_over:
                return
            if self._bars:
                self._bars.show(progress, self._expected_bytes, self._expected_frames)
            if self._lines:
                self._lines.show(progress, self._expected_frames)


class _Bars:
    """rich's bars: one for the upload, one for each output."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]left[/]"),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def start(self) -> None:
        """Begins to draw."""
        self._progress.start()

    def stop(self) -> None:
        """Draws for the last time."""
        self._progress.stop()

    def show(self, progress: JobProgress, expected_bytes: int, expected_frames: int) -> None:
        """Moves every bar to the progress given."""
        safe = progress.acknowledged_bytes
        total = progress.total_bytes or expected_bytes
        of_total = f" of {terminal.size_text(total)}" if total else ""
        detail = f"{terminal.size_text(safe)}{of_total} safe"
        if progress.is_handed_off:
            detail += ", handed off"
        self._move(_UPLOAD, safe, total or None, detail, is_done=progress.is_handed_off)
        for output in progress.outputs:
            self._move_output(output, expected_frames)

    def _move_output(self, output: OutputProgress, expected_frames: int) -> None:
        frames = output.frames_total or expected_frames
        detail = f"{output.state.value}, {frames_text(output.frames_encoded, frames)}"
        if output.bytes_written:
            detail += f", {terminal.size_text(output.bytes_written)}"
        if output.attempt > 1:
            detail += f", attempt {output.attempt}"
        is_done = output.state is OutputState.SUCCEEDED
        self._move(output.output, output.frames_encoded, frames or None, detail, is_done=is_done)

    def _move(self, name: str, completed: int, total: int | None, detail: str, *, is_done: bool) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, detail=detail)
        total = max(completed, 1) if is_done else total
        self._progress.update(self._tasks[name], completed=completed, total=total, detail=detail)


class _Lines:
    """For logs and pipes: a line when the sender is free, one for each output that ends, and now and then one
    for each that is under way."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._said: set[str] = set()
        self._begun: dict[str, tuple[float, int]] = {}
        """When each output was seen first, and how many frames it had then."""
        self._next = clock() + LINE_SECONDS

    def show(self, progress: JobProgress, expected_frames: int) -> None:
        """Says what has not been said before."""
        now = self._clock()
        if progress.is_handed_off:
            self._say(_UPLOAD, f"{terminal.size_text(progress.acknowledged_bytes)} handed off")
        is_due = now >= self._next
        if is_due:
            self._next = now + LINE_SECONDS
        for output in progress.outputs:
            if output.state in _ENDED:
                self._say(output.output, f"{output.state.value}, {output.frames_encoded} frames")
                continue
            since, first = self._begun.setdefault(output.output, (now, output.frames_encoded))
            if is_due and output.frames_encoded:
                total = output.frames_total or expected_frames
                left = left_text(output.frames_encoded - first, total - output.frames_encoded, now - since)
                frames = frames_text(output.frames_encoded, total)
                self._console.print(f"{output.output}: {output.state.value}, {frames}{left}")

    def _say(self, name: str, text: str) -> None:
        if name not in self._said:
            self._said.add(name)
            self._console.print(f"{name}: {text}")


def frames_text(encoded: int, total: int) -> str:
    """How far an output is: `120 of 480 frames (25 %)`; without a total, `120 frames`."""
    return f"{encoded} of {total} frames ({encoded * 100 // total} %)" if total else f"{encoded} frames"


def left_text(done: int, left: int, seconds: float) -> str:
    """About how long the rest takes, from what was done in these seconds; empty: that is not known."""
    if done <= 0 or left <= 0 or seconds <= 0:
        return ""
    return f", about {terminal.seconds_text(left * seconds / done)} left"
