"""The log collector as a program whose clock a test can move, by the file that TEST_CLOCK names.

It holds how many seconds the clock is ahead of the machine's; see `moved_clock`.
"""

from __future__ import annotations

import os
import struct
import sys
import time

from tests.log_collector.moved_clock import OFFSET

_real_time_ns = time.time_ns
_offset_fd = os.open(os.environ["TEST_CLOCK"], os.O_RDONLY)


def _time_ns() -> int:
    (seconds,) = struct.unpack(OFFSET, os.pread(_offset_fd, 8, 0))
    return int(_real_time_ns() + seconds * 10**9)


def _time() -> float:
    return _time_ns() / 1e9


if __name__ == "__main__":
    # Before the imports: defaults of arguments are bound there.
    time.time_ns = _time_ns
    time.time = _time
    from log_collector.app import PROGRAM
    from service_host.program import run_program

    sys.exit(run_program(PROGRAM))
