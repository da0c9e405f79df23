"""Clips of few frames: every codec makes them, and the same bytes whatever lay in memory before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def written(fill: str) -> list[str]:
    command = [sys.executable, "-m", "tests.encoder_service.worker.outputs.short_clips"]
    environment = os.environ | {"MALLOC_PERTURB_": fill}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if line.startswith(("file ", "packets "))]


def test_short_clips_do_not_depend_on_memory_that_no_one_has_written() -> None:
    first, second = written("85"), written("170")
    assert len(first) > 80
    assert first == second


def test_packets_of_short_clips_are_decoded_in_order_and_before_they_are_shown() -> None:
    lines = [line.split()[1:] for line in written("254") if line.startswith("packets")]
    assert len(lines) == 20
    for packets in lines:
        times = [tuple(map(int, packet.split(":"))) for packet in packets]
        orders = [order for _, order in times]
        assert orders == sorted(set(orders))
        assert all(0 <= frame - order <= 16 for frame, order in times)


def test_narrow_hevc_clips_leave_the_memory_of_others_alone() -> None:
    command = [sys.executable, "-m", "tests.encoder_service.worker.outputs.narrow_clips"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
