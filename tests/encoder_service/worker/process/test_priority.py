"""A worker gives way, whatever the codecs in it ask for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_AFTER_AN_AV1_ENCODER = """
import os
from encoder_service.worker.process import priority as worker_priority
worker_priority.lower_priority()
from encoder_service.worker.process.capabilities import probe
probe()
policies = {os.sched_getscheduler(int(task)) for task in os.listdir("/proc/self/task")}
print(os.getpriority(os.PRIO_PROCESS, 0), sorted(policies))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux's")
def test_no_encoder_makes_a_worker_a_real_time_process():
    """Run as root, SVT-AV1 asks for SCHED_FIFO, and every thread that is started later inherits it."""
    done = subprocess.run(
        [sys.executable, "-c", _AFTER_AN_AV1_ENCODER],
        env={**os.environ, "TELECINE_WORKER_NICE": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )

    niceness, policies = done.stdout.split(maxsplit=1)
    assert int(niceness) == os.getpriority(os.PRIO_PROCESS, 0) + 7
    assert policies.strip() == f"[{os.SCHED_OTHER}]"
