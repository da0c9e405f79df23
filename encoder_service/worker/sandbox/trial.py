"""Finds out which walls the kernel can hold, by putting them up around a process made for that."""

from __future__ import annotations

import os

import msgspec

from encoder_service.evidence.facts import Confinement, Wall, Walls
from encoder_service.worker.sandbox.places import program_paths
from encoder_service.worker.sandbox.walls import Reach, lock

_REPORT_BYTES = 64 << 10


def try_walls() -> Walls:
    """Locks a forked process in as a worker would be. For a process with one thread."""
    program_paths()  # remembered, so that no worker has to find it out
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, msgspec.json.encode(lock(Reach(), Confinement())))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as report:
        data = report.read(_REPORT_BYTES)
    os.waitpid(pid, 0)
    try:
        return msgspec.json.decode(data, type=Walls)
    except msgspec.MsgspecError:
        return Walls(missing=dict.fromkeys(Wall, "the process that tried the walls died"))
