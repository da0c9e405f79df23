"""Makes a worker misbehave on purpose, for fault tests with real processes.

`TELECINE_WORKER_FAULT` holds one fault as `action:frame[@output]`. Just before the frame is written,
the worker (only for the output of that name, if one is given)

* `abort_at_frame`: dies of SIGABRT, as a crashing codec does;
* `abort_once_at_frame`: the same, but only in an output's first attempt;
* `hang_at_frame`: stops for ever, as a deadlocked codec does;
* `hang_once_at_frame`: the same, but only in the first attempt;
* `fail_at_frame`: raises an error that is worth another attempt;
* `disk_full_at_frame`: raises the error of a full disk.

`slow:milliseconds[@output]` waits before every frame. Without the variable nothing of this exists.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from enum import StrEnum

import msgspec

VARIABLE = "TELECINE_WORKER_FAULT"


class FailpointAction(StrEnum):
    """What the worker does wrong, on purpose."""

    ABORT = "abort_at_frame"
    ABORT_ONCE = "abort_once_at_frame"
    HANG = "hang_at_frame"
    HANG_ONCE = "hang_once_at_frame"
    FAIL = "fail_at_frame"
    DISK_FULL = "disk_full_at_frame"
    SLOW = "slow"


class Failpoint(msgspec.Struct, frozen=True):
    """One planned failure: what happens, before which frame, and in which output."""

    action: FailpointAction
    number: int
    """The frame; for SLOW: milliseconds."""
    output: str = ""
    """The output that fails. Empty: every output."""

    def strike(self, frame: int, output: str, attempt: int) -> None:
        """Fails as planned if this is the frame, the output and the attempt for it."""
        if self.output and output != self.output:
            return
        if self.action == FailpointAction.SLOW:
            time.sleep(self.number / 1000)
            return
        if frame != self.number:
            return
        if self.action in {FailpointAction.ABORT_ONCE, FailpointAction.HANG_ONCE} and attempt > 1:
            return
        if self.action in {FailpointAction.ABORT, FailpointAction.ABORT_ONCE}:
            os.abort()
        if self.action in {FailpointAction.HANG, FailpointAction.HANG_ONCE}:
            threading.Event().wait()
        if self.action == FailpointAction.DISK_FULL:
            raise OSError(errno.ENOSPC, "fault on purpose")
        raise RuntimeError(f"fault on purpose before frame {frame}")


def parse_failpoint(text: str) -> Failpoint | None:
    """Reads `action:number[@output]`; empty means none. Raises ValueError."""
    if not text:
        return None
    rule, _, output = text.partition("@")
    action, _, number = rule.partition(":")
    return Failpoint(FailpointAction(action), int(number), output)
