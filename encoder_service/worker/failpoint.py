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


class FaultAction(StrEnum):
    """What goes wrong."""

    ABORT = "abort_at_frame"
    ABORT_ONCE = "abort_once_at_frame"
    HANG = "hang_at_frame"
    HANG_ONCE = "hang_once_at_frame"
    FAIL = "fail_at_frame"
    DISK_FULL = "disk_full_at_frame"
    SLOW = "slow"


class Fault(msgspec.Struct, frozen=True):
    """One fault to come."""

    action: FaultAction
    number: int
    """The frame; for SLOW: milliseconds."""
    output: str = ""
    """Empty: every output."""

    def strike(self, frame: int, output: str, attempt: int) -> None:
        """Happens, when its time has come."""
        if self.output and output != self.output:
            return
        if self.action == FaultAction.SLOW:
            time.sleep(self.number / 1000)
            return
        if frame != self.number:
            return
        if self.action in {FaultAction.ABORT_ONCE, FaultAction.HANG_ONCE} and attempt > 1:
            return
        if self.action in {FaultAction.ABORT, FaultAction.ABORT_ONCE}:
            os.abort()
        if self.action in {FaultAction.HANG, FaultAction.HANG_ONCE}:
            threading.Event().wait()
        if self.action == FaultAction.DISK_FULL:
            raise OSError(errno.ENOSPC, "fault on purpose")
        raise RuntimeError(f"fault on purpose before frame {frame}")


def parse_fault(text: str) -> Fault | None:
    """Reads `action:number[@output]`; empty means none. Raises ValueError."""
    if not text:
        return None
    rule, _, output = text.partition("@")
    action, _, number = rule.partition(":")
    return Fault(FaultAction(action), int(number), output)
