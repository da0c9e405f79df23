"""A program that logs through the SDK until it is ended, and notes each call that has returned."""

from __future__ import annotations

import os
import signal
import sys
import threading

from telecine.logging import configure_logging, shutdown_logging
from telecine.logging.shipping.spool import SpoolLimits

JOBS = 3
ERROR_EVERY = 10
_PAUSE_EVERY = 5


def main(service: str, life: int, directory: str, collector: str, witness: str) -> None:
    """Logs numbers from 1 on, each with its life; `witness` gets a number when its call has returned."""
    is_over = []
    signal.signal(signal.SIGTERM, lambda *_: is_over.append(True))
    limits = SpoolLimits(segment_bytes=32 << 10)
    log = configure_logging(
        service, directory=directory, collector=collector, console="off", spool_limits=limits
    ).bind(life=life)
    noted = os.open(witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    pace = threading.Event()
    n = 0
    while not is_over:
        n += 1
        report = log.error if n % ERROR_EVERY == 0 else log.info
        report("n", n=n, job_id=f"job-{n % JOBS}")
        os.write(noted, b"%d\n" % n)
        if n % _PAUSE_EVERY == 0:
            pace.wait(0.001)
    shutdown_logging()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
